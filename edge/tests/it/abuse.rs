//! Who takes much and gives little.

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use sqlx::PgPool;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::rig::{PATIENCE, Rig};

/// Waits until this was said.
async fn until_said(stream: &mut (impl tokio::io::AsyncRead + Unpin), what: &str) -> String {
    let mut said = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&said).contains(what) {
            assert!(stream.read_buf(&mut said).await.unwrap() > 0, "it ended");
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap();
    String::from_utf8(said).unwrap()
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn a_platform_hears_of_a_body_once_its_beginning_is_here(db: PgPool) {
    let rig = Rig::start(db).await;
    let (say, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let length = move |body: Body| async move {
        say.send(()).unwrap();
        axum::body::to_bytes(body, 1 << 20).await.unwrap().len().to_string()
    };
    rig.platform("acme", Router::new().route("/", post(length)), &[]).await;
    rig.until_served("acme.soulfra.test").await;
    let head = "POST / HTTP/1.1\r\nhost: acme.soulfra.test\r\ncontent-length: ";
    // A small one: all of it has to be here.
    let mut slow = rig.visitor("acme.soulfra.test", "http/1.1").await.unwrap();
    slow.write_all(format!("{head}3\r\n\r\nab").as_bytes()).await.unwrap();
    let mut large = rig.visitor("acme.soulfra.test", "http/1.1").await.unwrap();
    large.write_all(format!("{head}40000\r\n\r\n").as_bytes()).await.unwrap();
    large.write_all(&vec![b'x'; 20_000]).await.unwrap();
    heard.recv().await.unwrap();
    large.write_all(&vec![b'x'; 20_000]).await.unwrap();
    assert!(until_said(&mut large, "40000").await.starts_with("HTTP/1.1 200"));
    assert!(heard.try_recv().is_err(), "the small one was not here yet");
    slow.write_all(b"c").await.unwrap();
    assert!(until_said(&mut slow, "\r\n\r\n3").await.starts_with("HTTP/1.1 200"));
    heard.recv().await.unwrap();
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn one_visitor_has_not_all_places_of_a_platform(db: PgPool) {
    let rig = Rig::start(db).await;
    let (say, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let waits = move || async move {
        say.send(()).unwrap();
        std::future::pending::<String>().await
    };
    let waits = get(waits);
    let router = Router::new().route("/waits", waits).route("/", get(|| async { "hello" }));
    rig.platform("acme", router, &[]).await;
    rig.until_served("acme.soulfra.test").await;
    let mut asking = Vec::new();
    for _ in 0..3 {
        let stream = rig.visitor("acme.soulfra.test", "h2").await.unwrap();
        let (executor, stream) =
            (hyper_util::rt::TokioExecutor::new(), hyper_util::rt::TokioIo::new(stream));
        let (asked, connection) =
            hyper::client::conn::http2::handshake::<_, _, Body>(executor, stream).await.unwrap();
        tokio::spawn(connection);
        asking.push(asked);
    }
    let ask = |asked: &mut hyper::client::conn::http2::SendRequest<Body>, path: &str| {
        let uri = format!("https://acme.soulfra.test{path}");
        asked.send_request(hyper::Request::get(uri).body(Body::empty()).unwrap())
    };
    let mut waiting = Vec::new();
    for n in 0..250 {
        waiting.push(tokio::spawn(ask(&mut asking[n % 3], "/waits")));
    }
    for n in 0..250 {
        let came = tokio::time::timeout(PATIENCE, heard.recv()).await;
        assert!(came.is_ok(), "only {n} of them came");
    }
    let refused = ask(&mut asking[0], "/").await.unwrap();
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    // Who goes makes room.
    for gone in waiting.drain(..) {
        gone.abort();
    }
    let served = async {
        while ask(&mut asking[0], "/").await.unwrap().status() != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, served).await.unwrap();
}
