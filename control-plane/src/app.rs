//! The state of the control plane.

use std::sync::Arc;
use std::time::Duration;

use accounts::cookie::Cookie;
use accounts::factors::Sealing;
use accounts::passwords::Passwords;
use accounts::webauthn::Site;
use futures::future::BoxFuture;
use jiff::Timestamp;
use pages::{Brand, BuildError, Engine};
use plan::Installation;
use secrecy::SecretString;
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres, Transaction};
use tokio::sync::{Semaphore, SemaphorePermit};
use url::{Host, Url};
use web::egress::Egress;
use web::serve::Proxies;
use work::Clock;
use work::sealed::{KeyRing, Place};

use crate::cluster::Cluster;
use crate::console::view;
use crate::domain::id::{OrganizationId, WebhookId};
use crate::domain::webhook::Secret;
use crate::error::Error;
use crate::http::inference::{self, Desks};
use crate::news::News;
use crate::pool::CONNECTIONS;
use crate::providers::Providers;
use crate::rates::Rates;
use crate::root_keys::Held;

/// As whose what is sealed in the database `control` is bound.
const TENANT: &str = "control";

/// So many at once ask the cluster something while they hold a connection. Where the cluster does not
/// answer, the others are for those who ask it nothing.
const ASKING: usize = CONNECTIONS as usize / 4;
/// So many connections are left for all others, whatever the cluster and model servers do.
const LEFT: usize = 8;
const _: () = assert!(
    ASKING + inference::LEASES + inference::BATCHES + LEFT <= CONNECTIONS as usize,
    "people keep half of all connections"
);
/// Nobody waits longer to be one of them.
const PATIENCE: Duration = Duration::from_secs(2);

/// What everything here shares. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    parts: Parts,
    root_keys: Held,
    strangers: Passwords,
    asking: Semaphore,
    desks: Desks,
    origin: String,
    providers: Providers,
    news: News,
    engine: Engine,
    brand: Brand,
}

/// What an [`App`] is made of.
pub struct Parts {
    /// The database `control`.
    pub db: PgPool,
    /// Where platforms are.
    pub cluster: Arc<dyn Cluster>,
    /// The time.
    pub clock: Clock,
    /// What people's passwords are hashed with.
    pub passwords: Passwords,
    /// What secrets are sealed with in the database, to begin with.
    pub root_keys: KeyRing,
    /// How addresses are called that people named.
    pub egress: Egress,
    /// How much organizations may ask.
    pub rates: Rates,
    /// Where people meet it.
    pub url: Url,
    /// Whose word is taken for whom a request is from.
    pub proxies: Proxies,
    /// What is the same for all platforms, where it is known: what previews are reckoned by, and under which
    /// domain platforms are asked.
    pub installation: Option<Installation>,
    /// Where platforms are asked, if not where their names lead.
    pub gateway: Option<Url>,
}

impl App {
    /// Puts the parts together.
    ///
    /// # Errors
    /// A template that cannot be used.
    pub fn new(parts: Parts) -> Result<Self, BuildError> {
        let origin = parts.url.origin().ascii_serialization();
        let providers = Providers::new(parts.egress.clone());
        let (engine, brand) = (view::engine()?, view::brand());
        let news = News::default();
        let root_keys = Held::new(parts.root_keys.clone());
        let strangers = parts.passwords.for_strangers();
        let asking = Semaphore::new(ASKING);
        let desks = Desks::default();
        let held = Inner {
            parts,
            root_keys,
            strangers,
            asking,
            desks,
            origin,
            providers,
            news,
            engine,
            brand,
        };
        Ok(Self(Arc::new(held)))
    }

    /// A connection to the database `control`. Boxed: what makes one (TLS) is larger than all that
    /// whoever waits for it keeps.
    pub fn conn(&self) -> BoxFuture<'_, sqlx::Result<PoolConnection<Postgres>>> {
        Box::pin(self.0.parts.db.acquire())
    }

    /// A transaction there.
    pub fn begin(&self) -> BoxFuture<'_, sqlx::Result<Transaction<'static, Postgres>>> {
        Box::pin(self.0.parts.db.begin())
    }

    /// A place among those who ask the cluster while they hold a connection; to be had before it.
    ///
    /// # Errors
    /// [`Error::NoCluster`]: all are taken, since it does not answer.
    pub async fn place(&self) -> Result<SemaphorePermit<'_>, Error> {
        let place = tokio::time::timeout(PATIENCE, self.0.asking.acquire()).await;
        let place = place.ok().and_then(Result::ok);
        place.ok_or_else(|| Error::NoCluster("others wait for it, too many already".to_owned()))
    }

    /// Where platforms are.
    pub fn cluster(&self) -> &dyn Cluster {
        &*self.0.parts.cluster
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.0.parts.clock.now()
    }

    /// What people's passwords are hashed with.
    pub fn passwords(&self) -> &Passwords {
        &self.0.parts.passwords
    }

    /// The same for those who come from where they never were: a flood of them holds up nobody else.
    pub fn passwords_of_strangers(&self) -> &Passwords {
        &self.0.strangers
    }

    /// How much organizations may ask.
    pub fn rates(&self) -> &Rates {
        &self.0.parts.rates
    }

    /// Where model servers claim and tell.
    pub fn desks(&self) -> &Desks {
        &self.0.desks
    }

    /// How addresses are called that people named.
    pub fn egress(&self) -> &Egress {
        &self.0.parts.egress
    }

    /// Those who vouch for members of organizations, as they are met.
    pub fn providers(&self) -> &Providers {
        &self.0.providers
    }

    /// What becomes of platforms, for those who listen.
    pub(crate) fn news(&self) -> &News {
        &self.0.news
    }

    /// What secrets are sealed with in the database, now: see [`sealing`].
    pub fn root_keys(&self) -> Arc<KeyRing> {
        self.0.root_keys.get()
    }

    /// From now on they are sealed with these.
    pub(crate) fn hold(&self, keys: KeyRing) {
        self.0.root_keys.put(keys);
    }

    /// A webhook's secret, as the database keeps it.
    ///
    /// # Errors
    /// [`Error::Internal`]
    pub fn sealed(&self, of: WebhookId, secret: &Secret) -> Result<Vec<u8>, Error> {
        let sealed = self.root_keys().seal(of_webhook(&of.to_string()), secret.text());
        sealed.map_err(|error| Error::Internal(format!("seal the secret of {of}: {error}")))
    }

    /// A webhook's secret, from what the database keeps.
    ///
    /// # Errors
    /// [`Error::Internal`], where another root key sealed it.
    pub fn opened(&self, of: WebhookId, sealed: &[u8]) -> Result<Secret, Error> {
        let opened = self.root_keys().open(of_webhook(&of.to_string()), sealed);
        opened
            .map(Secret::from)
            .map_err(|error| Error::Internal(format!("open the secret of {of}: {error}")))
    }

    /// What an organization's provider knows us by, as the database keeps it.
    ///
    /// # Errors
    /// [`Error::Internal`]
    pub fn sealed_client_secret(
        &self,
        of: OrganizationId,
        secret: &SecretString,
    ) -> Result<Vec<u8>, Error> {
        let sealed = self.root_keys().seal(of_provider(&of.to_string()), secret);
        sealed.map_err(|error| Error::Internal(format!("seal the client secret of {of}: {error}")))
    }

    /// What an organization's provider knows us by, from what the database keeps.
    ///
    /// # Errors
    /// [`Error::Internal`], where another root key sealed it.
    pub fn opened_client_secret(
        &self,
        of: OrganizationId,
        sealed: &[u8],
    ) -> Result<SecretString, Error> {
        let opened = self.root_keys().open(of_provider(&of.to_string()), sealed);
        opened.map_err(|error| Error::Internal(format!("open the client secret of {of}: {error}")))
    }

    /// Where people meet it.
    pub fn url(&self) -> &Url {
        &self.0.parts.url
    }

    /// Whose passkeys are used here: devices know sites by name, not by address.
    pub fn site(&self) -> Option<Site<'_>> {
        match self.url().host() {
            Some(Host::Domain(host)) => Some(Site { host, origin: &self.0.origin }),
            _ => None,
        }
    }

    /// How sessions are kept: bound to the host, where people come by HTTPS.
    pub fn cookie(&self) -> Cookie {
        if self.url().scheme() == "https" { Cookie::Https } else { Cookie::PlainHttp }
    }

    /// Whose word is taken for whom a request is from.
    pub fn proxies(&self) -> &Proxies {
        &self.0.parts.proxies
    }

    /// What is the same for all platforms, where it is known.
    pub fn installation(&self) -> Option<&Installation> {
        self.0.parts.installation.as_ref()
    }

    /// Where platforms are asked, if not where their names lead.
    pub fn gateway(&self) -> Option<&Url> {
        self.0.parts.gateway.as_ref()
    }

    /// What pages are made with.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// What pages look like.
    pub fn brand(&self) -> &Brand {
        &self.0.brand
    }
}

/// How second factors are sealed with these keys.
pub fn sealing(keys: &KeyRing) -> Sealing<'_> {
    Sealing { keys, tenant: TENANT }
}

/// Where the secret of the webhook of this id is stored.
pub(crate) fn of_webhook(field: &str) -> Place<'_> {
    Place { tenant: TENANT, table: "control.endpoint", field }
}

/// Where the private half of the signing key of this id is stored.
pub(crate) fn of_signing_key(field: &str) -> Place<'_> {
    Place { tenant: TENANT, table: "control.signing_key", field }
}

/// Where the client secret of the organization of this id is stored.
pub(crate) fn of_provider(field: &str) -> Place<'_> {
    Place { tenant: TENANT, table: "control.single_sign_on", field }
}
