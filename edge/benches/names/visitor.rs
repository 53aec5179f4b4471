//! Who asks an edge for a name: each time a new connection and a full handshake.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::process::Edge;

/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_mins(1);
/// Who waits for another certificate looks again after this time.
const LOOKS: Duration = Duration::from_millis(1);

#[derive(Clone)]
pub(crate) struct Visitor(TlsConnector);

impl Visitor {
    /// One that trusts this root alone, and remembers no session.
    pub(crate) fn new(root: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.resumption = Resumption::disabled();
        Self(TlsConnector::from(Arc::new(config)))
    }

    /// The certificate that the name is served with.
    pub(crate) async fn visit(&self, at: SocketAddr, name: &str) -> Option<Vec<u8>> {
        let stream = TcpStream::connect(at).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let stream = self.0.connect(name, stream).await.ok()?;
        Some(stream.get_ref().1.peer_certificates()?.first()?.to_vec())
    }

    /// Waits until the name is served with the certificate that is meant.
    pub(crate) async fn until_served(
        &self,
        edge: &Edge,
        name: &str,
        is_meant: impl Fn(Vec<u8>) -> bool,
    ) {
        let served = async {
            while !self.visit(edge.https, name).await.is_some_and(&is_meant) {
                tokio::time::sleep(LOOKS).await;
            }
        };
        tokio::time::timeout(PATIENCE, served).await.expect("it is served in time");
    }
}
