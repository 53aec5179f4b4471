use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::routing::{get, post};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::io::ReaderStream;
use tokio_util::sync::DropGuard;

use super::*;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_millis(100);

/// A server on two ports that share their places.
struct Server {
    addresses: [SocketAddr; 2],
    stop: CancellationToken,
    serving: Vec<JoinHandle<()>>,
}

impl Server {
    async fn start(router: Router, limits: Limits) -> Self {
        let places = Places::new(limits);
        let stop = CancellationToken::new();
        let mut serving = Vec::new();
        let mut addresses = Vec::new();
        for _ in 0..2 {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            addresses.push(listener.local_addr().unwrap());
            let (router, stop, places) = (router.clone(), stop.clone(), places.clone());
            serving.push(tokio::spawn(serve(listener, Transport::Plain, router, stop, places)));
        }
        Self { addresses: addresses.try_into().unwrap(), stop, serving }
    }

    async fn visit(&self) -> TcpStream {
        TcpStream::connect(self.addresses[0]).await.unwrap()
    }

    async fn stop(self) {
        self.stop.cancel();
        for serving in self.serving {
            serving.await.unwrap();
        }
    }
}

/// Reads until all of `end` was said, or the end.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut said = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&said).contains(end) {
            if stream.read_buf(&mut said).await.unwrap_or(0) == 0 {
                break;
            }
        }
    };
    timeout(LONG, reading).await.expect("neither that, nor an end");
    String::from_utf8(said).unwrap()
}

/// Asks for a page and reads the answer.
async fn ask(stream: &mut TcpStream) -> String {
    // Whoever is refused may find the connection closed already.
    drop(stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await);
    read_until(stream, "hello").await
}

#[tokio::test]
async fn a_visitor_who_never_finishes_the_head_is_let_go() {
    let limits = Limits { head: MOMENT, body: MOMENT, ..Limits::default() };
    let router = Router::new().route("/", post(|said: String| async { said }));
    let server = Server::start(router, limits).await;
    let beginnings: [&[u8]; 4] = [
        b"",
        b"PRI * HT",
        b"GET / HTTP/1.1\r\nhost: x\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf",
    ];
    for beginning in beginnings {
        let mut slow = server.visit().await;
        slow.write_all(beginning).await.unwrap();
        let mut rest = Vec::new();
        let read = timeout(LONG, slow.read_to_end(&mut rest)).await;
        let beginning = String::from_utf8_lossy(beginning);
        assert!(read.is_ok(), "stays open for ever: {beginning:?}");
    }
    server.stop().await;
}

/// A page that tells when the server let go of it.
struct Page {
    text: Vec<u8>,
    _gone: DropGuard,
}

impl AsRef<[u8]> for Page {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

#[tokio::test]
async fn a_visitor_who_never_reads_is_let_go() {
    let gone = CancellationToken::new();
    let page = {
        let gone = gone.clone();
        // More than the buffers between the two hold.
        move || async move {
            Bytes::from_owner(Page { text: vec![b'x'; 64 << 20], _gone: gone.drop_guard() })
        }
    };
    let router = Router::new().route("/", get(page));
    let server = Server::start(router, Limits { write: MOMENT, ..Limits::default() }).await;
    let mut visitor = server.visit().await;
    visitor.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(timeout(LONG, gone.cancelled()).await.is_ok(), "stays for ever");
    drop(visitor);
    server.stop().await;
}

#[tokio::test]
async fn a_stream_without_words_lives_on() {
    let (mut words, stream) = tokio::io::duplex(64);
    let stream: Arc<std::sync::Mutex<Option<DuplexStream>>> =
        Arc::new(std::sync::Mutex::new(Some(stream)));
    let spoken = move || async move {
        Body::from_stream(ReaderStream::new(stream.lock().unwrap().take().unwrap()))
    };
    let router = Router::new().route("/", get(spoken));
    let limits = Limits { head: MOMENT, body: MOMENT, write: MOMENT, ..Limits::default() };
    let server = Server::start(router, limits).await;
    let mut visitor = server.visit().await;
    visitor.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    words.write_all(b"first").await.unwrap();
    read_until(&mut visitor, "first\r\n").await;
    let silence = timeout(MOMENT * 5, visitor.read_u8()).await;
    assert!(silence.is_err(), "was ended: {silence:?}");
    words.write_all(b"second").await.unwrap();
    assert!(read_until(&mut visitor, "second\r\n").await.contains("second"));
    drop(words);
    server.stop().await;
}

#[tokio::test]
async fn over_http_2_who_asks_nothing_more_is_let_go_and_has_their_answer_to_its_end() {
    let (mut words, stream) = tokio::io::duplex(64);
    let stream: Arc<std::sync::Mutex<Option<DuplexStream>>> =
        Arc::new(std::sync::Mutex::new(Some(stream)));
    let spoken = move || async move {
        Body::from_stream(ReaderStream::new(stream.lock().unwrap().take().unwrap()))
    };
    let router = Router::new().route("/", get(spoken));
    let limits = Limits { idle: MOMENT, ..Limits::default() };
    let address = SocketAddr::from(([127, 0, 0, 1], 9));
    let place = Places::new(limits).take(address.ip()).unwrap();
    let peer = Peer { address, tls_name: None };
    let visit = Visit { peer, place, limits, stop: CancellationToken::new() };
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let serving = tokio::spawn(visit.serve(theirs, Version::Two, router));
    let asked = http2::handshake(TokioExecutor::new(), TokioIo::new(ours)).await;
    let (mut asking, connection) = asked.unwrap();
    let mut connection = tokio::spawn(connection);
    let request = Request::get("http://x/").body(Body::empty()).unwrap();
    let answer = asking.send_request(request).await.unwrap();
    assert!(timeout(MOMENT * 5, &mut connection).await.is_err(), "its answer is cut");
    words.write_all(b"to its end").await.unwrap();
    drop(words);
    let body = axum::body::to_bytes(Body::new(answer.into_body()), 100).await.unwrap();
    assert_eq!(body, "to its end");
    // Nothing else closes it: whoever asked is still there.
    timeout(LONG, serving).await.expect("it stays for ever").unwrap();
    connection.await.unwrap().unwrap();
    drop(asking);
}

#[tokio::test]
async fn a_visitor_too_many_is_refused_at_once_and_the_others_stay() {
    let router = Router::new().route("/", get(|| async { "hello" }));
    let limits = Limits { from_this_machine: 2, ..Limits::of(2) };
    let server = Server::start(router, limits).await;
    let (mut first, mut second) = (server.visit().await, server.visit().await);
    assert!(ask(&mut first).await.starts_with("HTTP/1.1 200"));
    assert!(ask(&mut second).await.starts_with("HTTP/1.1 200"));

    // On either port.
    for address in server.addresses {
        let mut third = TcpStream::connect(address).await.unwrap();
        let refused = read_until(&mut third, "never said").await;
        assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
        assert!(refused.contains("retry-after") && refused.contains("Try again"), "{refused}");
    }
    assert!(ask(&mut first).await.starts_with("HTTP/1.1 200"));

    // The place comes free as soon as the server has seen that the second left.
    drop(second);
    let let_in = async {
        while !ask(&mut server.visit().await).await.starts_with("HTTP/1.1 200") {
            tokio::task::yield_now().await;
        }
    };
    assert!(timeout(LONG, let_in).await.is_ok(), "the place stays taken");
    server.stop().await;
}
