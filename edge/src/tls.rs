//! TLS by the name that is asked for.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};
use web::serve::{Asked, ByName};

use crate::challenges::{Challenges, PROTOCOL};
use crate::keys::Keys;
use crate::table::Table;

/// Chooses the certificate of each connection.
pub struct Tls {
    table: Arc<Table>,
    keys: Arc<Keys>,
    challenges: Arc<Challenges>,
    /// Of nobody: who asks for a name that nobody has is told by TLS.
    nobody: Arc<ServerConfig>,
}

impl Tls {
    /// For names in a table.
    ///
    /// # Errors
    /// Where the library refuses its own settings.
    pub fn new(
        table: Arc<Table>,
        keys: Arc<Keys>,
        challenges: Arc<Challenges>,
    ) -> Result<Self, rustls::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut nobody = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Of(None)));
        // Of what both speak, the strongest.
        nobody.ignore_client_order = true;
        nobody.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // Shared by all that are made from it: a name resumes its own sessions only, whatever
        // settings they were begun with.
        nobody.ticketer = aws_lc_rs::Ticketer::new()?;
        Ok(Self { table, keys, challenges, nobody: Arc::new(nobody) })
    }

    async fn of(&self, name: Option<&str>) -> Option<Arc<ServerConfig>> {
        let id = self.table.find(name?)?.certificate?;
        let key = self.keys.get(id).await?;
        let mut settings = ServerConfig::clone(&self.nobody);
        settings.cert_resolver = Arc::new(Of(Some(key)));
        Some(Arc::new(settings))
    }

    /// For an authority that looks whether the name leads here.
    async fn proof(&self, name: Option<&str>) -> Option<Arc<ServerConfig>> {
        let name = name.filter(|name| self.table.find(name).is_some())?;
        let found = self.challenges.of_name(name).await;
        let key = found
            .inspect_err(|why| tracing::warn!(%why, "an authority looked, and was not answered"));
        let mut settings = ServerConfig::clone(&self.nobody);
        settings.cert_resolver = Arc::new(Of(Some(Arc::new(key.ok()??))));
        settings.alpn_protocols = vec![PROTOCOL.to_vec()];
        Some(Arc::new(settings))
    }
}

impl ByName for Tls {
    fn settings<'a>(
        &'a self,
        asked: &'a Asked,
    ) -> Pin<Box<dyn Future<Output = Arc<ServerConfig>> + Send + 'a>> {
        Box::pin(async {
            let name = asked.name.as_deref();
            let is_authority = asked.protocols.iter().any(|each| each == PROTOCOL);
            let own = if is_authority { self.proof(name).await } else { self.of(name).await };
            own.unwrap_or_else(|| self.nobody.clone())
        })
    }
}

/// The one certificate of a connection.
struct Of(Option<Arc<CertifiedKey>>);

impl ResolvesServerCert for Of {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }
}

impl fmt::Debug for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Of").finish_non_exhaustive()
    }
}
