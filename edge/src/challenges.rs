//! What an authority finds when it looks whether a name leads here: at a token by plain HTTP, at a
//! name by TLS.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use certificates::orders;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};
use tokio::sync::Semaphore;
use tokio_rustls::rustls::crypto::aws_lc_rs::sign::any_supported_type;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;

/// What an authority says that it speaks, by RFC 8737.
pub(crate) const PROTOCOL: &[u8] = b"acme-tls/1";

/// Questions to the database at once, and how long one may take: whoever asks for many waits in
/// this line, and no further in.
const AT_ONCE: usize = 4;
const PATIENCE: Duration = Duration::from_secs(3);
/// Longer tokens are no authority's.
const LONGEST_TOKEN: usize = 128;

/// Answers to authorities.
pub struct Challenges {
    db: PgPool,
    places: Semaphore,
}

/// Nobody could be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("too many ask, or the database does not answer")]
    Late,
    #[error("no certificate can be made: {0}")]
    Made(String),
}

impl Challenges {
    /// Answers that are in this database.
    pub fn new(db: PgPool) -> Arc<Self> {
        Arc::new(Self { db, places: Semaphore::new(AT_ONCE) })
    }

    /// What is found at a token.
    pub(crate) async fn at_token(&self, token: &str) -> Result<Option<String>, Unanswered> {
        let is_one = !token.is_empty()
            && token.len() <= LONGEST_TOKEN
            && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !is_one {
            return Ok(None);
        }
        let answer = self.asked(async |mut conn| orders::answer(&mut conn, token).await);
        Ok(answer.await?.map(|answer| answer.text))
    }

    /// The certificate that is found at a name: nobody trusts it, and it says what was asked for.
    pub(crate) async fn of_name(&self, name: &str) -> Result<Option<CertifiedKey>, Unanswered> {
        let answer = self.asked(async |mut conn| orders::answer_for(&mut conn, name).await);
        let Some(text) = answer.await? else { return Ok(None) };
        let made = |error: &dyn std::fmt::Display| Unanswered::Made(error.to_string());
        let mut params = CertificateParams::new([name.to_owned()]).map_err(|error| made(&error))?;
        let says = digest(&SHA256, text.as_bytes());
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(says.as_ref())];
        let key = KeyPair::generate().map_err(|error| made(&error))?;
        let certificate = params.self_signed(&key).map_err(|error| made(&error))?;
        let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signs = any_supported_type(&der).map_err(|error| made(&error))?;
        Ok(Some(CertifiedKey::new(vec![certificate.der().clone()], signs)))
    }

    async fn asked<T>(
        &self,
        ask: impl AsyncFnOnce(PoolConnection<Postgres>) -> sqlx::Result<T>,
    ) -> Result<T, Unanswered> {
        let asked = async {
            let _place = self.places.acquire().await.map_err(|_closed| Unanswered::Late)?;
            Ok(ask(self.db.acquire().await?).await?)
        };
        tokio::time::timeout(PATIENCE, asked).await.map_err(|_late| Unanswered::Late)?
    }
}
