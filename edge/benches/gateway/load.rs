//! Visitors who ask again as soon as they were answered, each over one connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::times::{many, p99};

/// Connections at once.
const CONNECTIONS: usize = 32;
/// One round.
const ROUND: Duration = Duration::from_secs(3);

/// What came of a round.
pub(crate) struct Load {
    /// Answers a second.
    pub(crate) rate: f64,
    /// In milliseconds.
    pub(crate) p99: f64,
    /// Processor time of the process that was asked, of one request; in microseconds.
    pub(crate) cpu: f64,
}

pub(crate) struct Visitors {
    tls: TlsConnector,
    name: String,
}

impl Visitors {
    pub(crate) fn new(root: &str, name: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider);
        let config = config.with_protocol_versions(&[&TLS13]).unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Self { tls: TlsConnector::from(Arc::new(config)), name: name.to_owned() }
    }

    /// One round at a server, which is this process.
    pub(crate) async fn load(&self, at: SocketAddr, path: &str, process: u32) -> Load {
        let (before, begun) = (cpu(process), Instant::now());
        let mut visits = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (tls, name, path) = (self.tls.clone(), self.name.clone(), path.to_owned());
            visits.spawn(visit(tls, at, name, path, begun + ROUND));
        }
        let times: Vec<f64> = visits.join_all().await.into_iter().flatten().collect();
        let (seconds, count) = (begun.elapsed().as_secs_f64(), many(times.len()));
        Load { rate: count / seconds, p99: p99(&times), cpu: (cpu(process) - before) * 1e6 / count }
    }
}

async fn visit(
    tls: TlsConnector,
    at: SocketAddr,
    name: String,
    path: String,
    until: Instant,
) -> Vec<f64> {
    let stream = TcpStream::connect(at).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let server = ServerName::try_from(name.clone()).unwrap();
    let stream = TokioIo::new(tls.connect(server, stream).await.unwrap());
    let (mut asking, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut times = Vec::new();
    while Instant::now() < until {
        let begun = Instant::now();
        let request = Request::get(&path).header("host", &name).body(Empty::<Bytes>::new());
        let answer = asking.send_request(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.unwrap();
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    times
}

/// Processor time of a process so far, in seconds.
fn cpu(process: u32) -> f64 {
    /// Ticks a second, as Linux tells them to programs.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // Behind the name, which may have anything in it.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap());
    ticks.sum::<f64>() / TICKS
}
