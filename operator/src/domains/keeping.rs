//! Looks after names and certificates as long as this process is in charge.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use certificates::acme::Authority;
use certificates::claims::{Tenant, Zones};
use certificates::dns::Dns;
use certificates::keeper::Keeper;
use certificates::orders::{self, Issuer, OwnDomain, RetryPolicy, Settings};
use sqlx::PgPool;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use work::Clock;
use work::sealed::RootKey;

use super::Register;
use crate::settings::CertificateFiles;

/// The database is tried again, and files are looked at, so often.
const LOOKS_AGAIN: Duration = Duration::from_secs(30);
/// Orders under way at once: each waits for its authority most of the time.
const ORDERS_AT_ONCE: usize = 64;
/// An authority is asked whether it is done after this time, at first.
const FIRST_POLL: Duration = Duration::from_millis(250);

/// What looks after names and certificates.
pub struct Keeping {
    /// Where they are.
    pub register: Arc<Register>,
    /// What certificates are sealed with.
    pub root: Arc<RootKey>,
    /// What the service has in the DNS.
    pub zones: Zones,
    /// Whom the DNS is asked through.
    pub dns: Arc<dyn Dns>,
    /// Who gives certificates.
    pub authorities: Vec<Authority>,
    /// The certificate for the names below the installation's own domain.
    pub own: Option<Own>,
    /// What time it is.
    pub clock: Clock,
}

/// Where the certificate for the names below the installation's own domain comes from.
#[derive(Clone, Debug)]
pub enum Own {
    /// From files, for this domain.
    Brought(String, CertificateFiles),
    /// From an authority, like all others.
    Ordered(OwnDomain),
}

/// Whose names may be further than they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose<'a> {
    /// This platform's.
    Of(&'a str),
    /// All platforms'.
    All,
}

impl Keeping {
    /// Goes on until told to stop. `changed` hears whose names are served from then on, or are not
    /// any more.
    pub async fn run(
        &self,
        changed: impl Fn(Whose<'_>) + Clone + Send + Sync + 'static,
        stop: CancellationToken,
    ) {
        let open = Box::pin(stop.run_until_cancelled(self.until_open())).await;
        let Some(Some(db)) = open else { return };
        let polls = RetryPolicy::new().initial_delay(FIRST_POLL).backoff(1.5);
        let settings = Settings {
            authorities: self.authorities.clone(),
            at_once: ORDERS_AT_ONCE,
            polls,
            own: match &self.own {
                Some(Own::Ordered(own)) => Some(own.clone()),
                _ => None,
            },
        };
        let (root, clock) = (self.root.clone(), self.clock.clone());
        let issuer = Arc::new(Issuer::new(db.clone(), root.clone(), settings, clock.clone()));
        let told = changed.clone();
        let told = move |tenant: &Tenant| told(Whose::Of(&tenant.name));
        let (dns, zones) = (self.dns.clone(), self.zones.clone());
        let keeper = Keeper::new(db.clone(), dns, zones, root, issuer.clone(), clock, told);
        let own = stop.run_until_cancelled(self.look_after_own(&db, &changed));
        let issue = Box::pin(issuer.run(stop.clone()));
        tokio::join!(issue, Box::pin(keeper.run(stop.clone())), Box::pin(own));
    }

    async fn until_open(&self) -> Option<PgPool> {
        loop {
            match self.register.open().await {
                Ok(db) => return Some(db),
                Err(super::DomainsError::Fenced) => return None,
                Err(error) => tracing::warn!(%error, "nobody looks after names"),
            }
            sleep(LOOKS_AGAIN).await;
        }
    }

    /// The certificate of the installation's own domain: all platforms hang on it.
    async fn look_after_own(&self, db: &PgPool, changed: &impl Fn(Whose<'_>)) {
        let (mut had, mut said) = (None, None);
        loop {
            let looked = match &self.own {
                None => return,
                Some(Own::Brought(domain, files)) => self.bring(db, domain, files).await,
                Some(Own::Ordered(own)) => ordered(db, &own.wildcard(), &mut had).await,
            };
            match looked {
                Ok(true) => {
                    tracing::info!("the installation's own domain has its certificate");
                    changed(Whose::All);
                    said = None;
                }
                Ok(false) => said = None,
                Err(why) if said.as_ref() == Some(&why) => {}
                Err(why) => {
                    tracing::warn!(why, "the installation's own domain gets no certificate");
                    said = Some(why);
                }
            }
            sleep(LOOKS_AGAIN).await;
        }
    }

    async fn bring(
        &self,
        db: &PgPool,
        domain: &str,
        files: &CertificateFiles,
    ) -> Result<bool, String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        let chain = text_of(&files.chain).await?;
        let name = format!("*.{domain}");
        let mut conn = db.acquire().await.map_err(|error| said(&error))?;
        let has = orders::current(&mut conn, &name).await.map_err(|error| said(&error))?;
        if has.is_some_and(|has| has.pem == chain) {
            return Ok(false);
        }
        let key = text_of(&files.key).await?;
        let mut tx = db.begin().await.map_err(|error| said(&error))?;
        let now = self.clock.now();
        orders::bring(&mut tx, &self.root, &name, chain, &key, now)
            .await
            .map_err(|error| said(&error))?;
        tx.commit().await.map_err(|error| said(&error))?;
        Ok(true)
    }
}

/// Whether the name has another certificate than it had; what stands against it, where it is ordered
/// and does not come.
async fn ordered(db: &PgPool, name: &str, had: &mut Option<String>) -> Result<bool, String> {
    let said = |error: sqlx::Error| error.to_string();
    let mut conn = db.acquire().await.map_err(said)?;
    let has = orders::current(&mut conn, name).await.map_err(said)?;
    let has = has.map(|chain| chain.identifier);
    if has.is_some() && has != *had {
        *had = has;
        return Ok(true);
    }
    let open = orders::open(&mut conn, name).await.map_err(said)?;
    match open.and_then(|order| order.failure) {
        Some(failure) => Err(failure),
        None => Ok(false),
    }
}

async fn text_of(file: &Path) -> Result<String, String> {
    let text = tokio::fs::read_to_string(file).await;
    text.map_err(|error| format!("cannot read {}: {error}", file.display()))
}
