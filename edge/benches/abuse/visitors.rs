//! Calm visitors, and how anybody connects.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Calm visitors at once, each with one connection that stays.
const CALM: usize = 16;
/// One asks so often: all of them are a small part of what the edge can do.
const ASKS: Duration = Duration::from_millis(40);
/// One round.
const ROUND: Duration = Duration::from_secs(10);

pub(crate) struct Visitors {
    roots: Arc<RootCertStore>,
    pub(crate) name: String,
}

impl Visitors {
    pub(crate) fn new(root: &str, name: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap()).unwrap();
        Self { roots: Arc::new(roots), name: name.to_owned() }
    }

    /// How TLS is spoken, with this protocol inside.
    pub(crate) fn tls(&self, protocol: &[u8]) -> TlsConnector {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(self.roots.clone()).with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        TlsConnector::from(Arc::new(config))
    }

    /// One round at an edge: how long each answer took, in milliseconds.
    pub(crate) async fn round(&self, at: SocketAddr) -> Vec<f64> {
        let tls = self.tls(b"http/1.1");
        let mut visits = JoinSet::new();
        for n in 0..CALM {
            let (tls, name) = (tls.clone(), self.name.clone());
            let start = Instant::now() + ASKS * u32::try_from(n).unwrap() / 16;
            visits.spawn(visit(tls, at, name, start));
        }
        visits.join_all().await.into_iter().flatten().collect()
    }
}

/// A connection from another address of this machine: those who mean ill have a hundred, and are
/// not at that of the calm ones.
pub(crate) async fn reach(at: SocketAddr, n: usize) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let last = u8::try_from(1 + n % 100).unwrap_or(1);
    socket.bind(SocketAddr::from(([127, 0, 1, last], 0)))?;
    socket.connect(at).await
}

/// TLS, for a name.
pub(crate) async fn connect(
    tls: &TlsConnector,
    stream: TcpStream,
    name: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    stream.set_nodelay(true)?;
    tls.connect(ServerName::try_from(name.to_owned()).unwrap(), stream).await
}

async fn visit(tls: TlsConnector, at: SocketAddr, name: String, start: Instant) -> Vec<f64> {
    let stream = TcpStream::connect(at).await.unwrap();
    let stream = TokioIo::new(connect(&tls, stream, &name).await.unwrap());
    let (mut asking, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut times = Vec::new();
    let mut clock = tokio::time::interval_at(start.into(), ASKS);
    let until = start + ROUND;
    loop {
        // From when it was to be asked: who is kept from asking waits too.
        let due = clock.tick().await.into_std();
        if due >= until {
            return times;
        }
        let request = Request::get("/1k").header("host", &name).body(Empty::<Bytes>::new());
        let answer = asking.send_request(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.unwrap();
        times.push(due.elapsed().as_secs_f64() * 1e3);
    }
}
