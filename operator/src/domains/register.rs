//! The database `fleet`, where names, certificates and what edges know are.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use certificates::claims::{self, Claim, Tenant, Zones};
use certificates::served::{self, Progress};
use certificates::{BadName, MIGRATOR, Name};
use database::fence::Fence;
use database::{Admin, central, fenced};
use secrecy::SecretString;
use sqlx::{PgConnection, PgPool};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use uuid::Uuid;
use work::Clock;

use super::{Domains, DomainsError, Kept, NAMES_DEADLINE, Named, Wish, told};
use crate::lease::Epoch;

/// The login of edges: it reads what they serve, and nothing beside it.
pub const EDGE_ROLE: &str = "soulfra_edge";

/// Connections at once, of turns and of what keeps names and certificates.
const CONNECTIONS: u32 = 24;
/// The database is made, and its tables are brought up to date, within this time.
const OPENS: Duration = Duration::from_mins(1);
/// A database that did not answer is not asked again for so long: nobody waits for each turn.
const SILENCE: Duration = Duration::from_secs(10);

/// The database `fleet` on one of the installation's servers.
pub struct Register {
    admin: Admin,
    database: String,
    zones: Zones,
    fence: String,
    edge: Option<SecretString>,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    epoch: Option<Epoch>,
    open: Option<PgPool>,
    silent_until: Option<Instant>,
}

impl Register {
    /// One that was not opened yet. Under the name `fence` operators keep each other away; edges log
    /// in as [`EDGE_ROLE`] with the password, where there is one.
    pub fn new(
        admin: Admin,
        database: &str,
        zones: Zones,
        fence: &str,
        edge: Option<SecretString>,
        clock: Clock,
    ) -> Arc<Self> {
        let (database, fence) = (database.to_owned(), fence.to_owned());
        Arc::new(Self { admin, database, zones, fence, edge, clock, state: Mutex::default() })
    }

    /// The database, made where it is not there.
    ///
    /// # Errors
    /// It does not answer, or somebody newer is in charge.
    pub async fn open(&self) -> Result<PgPool, DomainsError> {
        // Held meanwhile: of many who want it at once, one makes it.
        let mut state = self.state.lock().await;
        if let Some(open) = &state.open {
            return Ok(open.clone());
        }
        let now = Instant::now();
        if state.silent_until.is_some_and(|until| now < until) {
            return Err(DomainsError::Unreachable("it did not answer a moment ago".to_owned()));
        }
        let made = timeout(OPENS, self.make(state.epoch)).await;
        let made = made.unwrap_or_else(|_| Err(unreachable("it could not be made in time")));
        match &made {
            Ok(pool) => state.open = Some(pool.clone()),
            Err(_) => state.silent_until = Some(Instant::now() + SILENCE),
        }
        made
    }

    async fn make(&self, epoch: Option<Epoch>) -> Result<PgPool, DomainsError> {
        let fence = epoch.and_then(|epoch| Fence::new(&self.fence, epoch).ok());
        let admin = match fence {
            Some(fence) => self.admin.clone().behind(fence),
            None => self.admin.clone(),
        };
        let refused = |error: database::Unreachable| {
            if error.fenced().is_some() { DomainsError::Fenced } else { unreachable(error) }
        };
        admin.take_charge().await.map_err(refused)?;
        let mut conn = admin.connect().await.map_err(refused)?;
        central::create(&mut conn, &self.database).await?;
        let pool = admin.pool(&self.database, CONNECTIONS);
        MIGRATOR.run(&pool).await.map_err(unreachable)?;
        if let Some(password) = &self.edge {
            central::admit(&mut conn, &self.database, EDGE_ROLE, password).await?;
            let mut conn = pool.acquire().await?;
            served::admit(&mut conn, EDGE_ROLE).await?;
        }
        Ok(pool)
    }

    /// One piece of work on the database, in a transaction.
    async fn done<T>(
        &self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, DomainsError>,
    ) -> Result<T, DomainsError> {
        let pool = self.open().await?;
        let done = timeout(NAMES_DEADLINE, async {
            let mut tx = pool.begin().await?;
            let done = work(&mut tx).await?;
            tx.commit().await?;
            Ok(done)
        });
        let done = done.await.unwrap_or_else(|_| {
            Err(unreachable(format!("not done in {} s", NAMES_DEADLINE.as_secs())))
        });
        if matches!(done, Err(DomainsError::Unreachable(_))) {
            let mut state = self.state.lock().await;
            state.open = None;
            state.silent_until = Some(Instant::now() + SILENCE);
        }
        done
    }

    async fn kept(&self, conn: &mut PgConnection, wish: &Wish) -> Result<Kept, DomainsError> {
        let now = self.clock.now();
        let uid = wish.platform.uid;
        if served::is_gone(conn, uid).await? {
            return Err(DomainsError::Ended);
        }
        let read: Vec<_> = wish.names.iter().map(|name| self.read(name)).collect();
        let wanted: Vec<Name> = read.iter().flatten().cloned().collect();
        let had = claims::of_tenant(conn, uid).await?;
        let gives_up = had.iter().any(|claim| !wanted.contains(&claim.name));
        let platform = &wish.platform;
        let mut others = served::of_name(conn, &platform.name, Some(&platform.own_host)).await?;
        others.retain(|other| *other != uid);
        let gone = wish.gone.as_deref().unwrap_or_default();
        let is_asked = wish.gone.is_some();
        if gives_up && !is_asked || others.iter().any(|other| !gone.contains(other)) {
            return Err(DomainsError::Unsure { others });
        }
        for other in others {
            if wish.comes_back {
                claims::inherit(conn, other, uid).await?;
            }
            served::remove(conn, other).await?;
            claims::release_all(conn, other, now).await?;
        }
        let tenant = Tenant { name: platform.name.clone(), uid };
        let claims = claims::want(conn, &self.zones, &tenant, &wanted, now).await?;
        // A time that has not come would be asked about for ever.
        if let Some(since) = wish.recheck.filter(|since| *since <= now) {
            claims::look_now(conn, uid, since, now).await?;
        }
        let mut platform = wish.platform.clone();
        let mut progress = served::progress(conn, uid).await?;
        if progress.is_empty() {
            // Edges do not know it yet: from now on they do.
            served::put(conn, &platform).await?;
            progress = served::progress(conn, uid).await?;
        }
        let told = wish.names.iter().zip(&read).map(|(typed, name)| match name {
            Err(why) => told::bad(typed, *why),
            Ok(name) => self.named(typed, name, &claims, &progress),
        });
        let names: Vec<Named> = told.collect();
        let served = names.iter().find(|named| named.stands.is_none());
        platform.primary_host = served.map(|named| named.status.name.clone());
        served::put(conn, &platform).await?;
        let own = progress.iter().find(|progress| progress.name == platform.own_host);
        Ok(Kept {
            names,
            primary_host: platform.primary_host,
            own_is_served: own.is_some_and(|own| own.until.is_some()),
        })
    }

    fn read(&self, typed: &str) -> Result<Name, BadName> {
        let name = Name::read(typed)?;
        self.zones.allow(&name)?;
        Ok(name)
    }

    fn named(&self, typed: &str, name: &Name, claims: &[Claim], progress: &[Progress]) -> Named {
        let progress = progress.iter().find(|progress| progress.name == name.as_str());
        match claims.iter().find(|claim| claim.name == *name) {
            Some(claim) => told::of(typed, claim, &self.zones, progress, self.clock.now()),
            // It was just claimed: there is nothing else that it could be.
            None => told::bad(typed, BadName::Malformed),
        }
    }
}

#[async_trait]
impl Domains for Register {
    async fn take_charge(&self, epoch: Epoch) {
        *self.state.lock().await = State { epoch: Some(epoch), ..State::default() };
        // Where it cannot be reached now, it is opened when it is needed.
        if let Err(error) = self.open().await {
            tracing::warn!(%error, "names wait");
        }
    }

    async fn keep(&self, wish: &Wish) -> Result<Kept, DomainsError> {
        self.done(async |conn| self.kept(conn, wish).await).await
    }

    async fn close(&self, uid: Uuid) -> Result<(), DomainsError> {
        self.done(async |conn| Ok(served::remove(conn, uid).await?)).await
    }

    async fn of_name(&self, name: &str) -> Result<Vec<Uuid>, DomainsError> {
        self.done(async |conn| Ok(served::of_name(conn, name, None).await?)).await
    }

    async fn release(&self, uid: Uuid) -> Result<(), DomainsError> {
        let now = self.clock.now();
        self.done(async |conn| {
            served::remove(conn, uid).await?;
            Ok(claims::release_all(conn, uid, now).await?)
        })
        .await
    }
}

fn unreachable(why: impl std::fmt::Display) -> DomainsError {
    DomainsError::Unreachable(format!("{why}"))
}

impl From<sqlx::Error> for DomainsError {
    fn from(error: sqlx::Error) -> Self {
        if fenced(&error).is_some() { Self::Fenced } else { unreachable(error) }
    }
}

impl From<claims::Error> for DomainsError {
    fn from(error: claims::Error) -> Self {
        match error {
            claims::Error::Database(error) => error.into(),
            claims::Error::BadName(..) | claims::Error::TooMany => Self::Refused(error.to_string()),
        }
    }
}
