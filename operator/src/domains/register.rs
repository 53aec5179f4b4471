//! The database `fleet`, where names, certificates and what edges know are.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use certificates::claims::{self, Claim, Tenant, Zones};
use certificates::served::{self, Progress};
use certificates::{BadName, MIGRATOR, Name};
use database::fence::Fence;
use database::{Admin, central, fenced};
use jiff::{SignedDuration, Timestamp};
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
/// Whoever says since when records are there means a time of today.
const RECHECKED: SignedDuration = SignedDuration::from_hours(24);

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
    /// How often it was opened: who finds it silent means the one they had.
    opened: u64,
    silent_until: Option<Instant>,
    /// Somebody newer is in charge.
    is_fenced: bool,
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
        self.opened().await.map(|(pool, _)| pool)
    }

    async fn opened(&self) -> Result<(PgPool, u64), DomainsError> {
        // Held meanwhile: of many who want it at once, one makes it.
        let mut state = self.state.lock().await;
        if let Some(open) = &state.open {
            return Ok((open.clone(), state.opened));
        }
        if state.is_fenced {
            return Err(DomainsError::Fenced);
        }
        let now = Instant::now();
        if state.silent_until.is_some_and(|until| now < until) {
            return Err(DomainsError::Unreachable("it did not answer a moment ago".to_owned()));
        }
        // Also where whoever asks does not wait for the end of it.
        state.silent_until = Some(now + SILENCE);
        let made = timeout(OPENS, self.make(state.epoch)).await;
        let made = made.unwrap_or_else(|_| Err(unreachable("it could not be made in time")));
        state.is_fenced = matches!(made, Err(DomainsError::Fenced));
        let pool = made?;
        state.silent_until = None;
        state.opened += 1;
        state.open = Some(pool.clone());
        Ok((pool, state.opened))
    }

    /// The one that was opened then does not answer.
    async fn is_silent(&self, opened: u64) {
        let mut state = self.state.lock().await;
        if state.opened == opened {
            state.open = None;
            state.silent_until = Some(Instant::now() + SILENCE);
        }
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
        let late = |_| unreachable(format!("not done in {} s", NAMES_DEADLINE.as_secs()));
        let (pool, opened) = timeout(NAMES_DEADLINE, self.opened()).await.map_err(late)??;
        let done = timeout(NAMES_DEADLINE, async {
            let mut tx = pool.begin().await?;
            let done = work(&mut tx).await?;
            tx.commit().await?;
            Ok(done)
        });
        let done = done.await.map_err(late).flatten();
        if matches!(done, Err(DomainsError::Unreachable(_))) {
            self.is_silent(opened).await;
        }
        done
    }

    async fn kept(&self, conn: &mut PgConnection, wish: &Wish) -> Result<Kept, DomainsError> {
        let now = self.clock.now();
        let uid = wish.platform.uid;
        if served::is_gone(conn, uid).await? {
            return Err(DomainsError::Ended);
        }
        let had = claims::of_tenant(conn, uid).await?;
        let read: Vec<_> = wish.names.iter().map(|typed| self.read(typed, &had)).collect();
        let wanted: Vec<Name> = read.iter().flatten().cloned().collect();
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
        let claims = match claims::want(conn, &self.zones, &tenant, &wanted, now).await {
            // Those that there are stay, and the others are told so one by one.
            Err(claims::Error::TooMany) => claims::of_tenant(conn, uid).await?,
            claims => claims?,
        };
        // A time that has not come, or is of long ago, means nothing.
        let recheck = wish.recheck.filter(|since| (now - RECHECKED..=now).contains(since));
        let is_looked_at = match recheck {
            Some(since) => claims::look_now(conn, uid, since, now).await?,
            None => false,
        };
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
        let mut names: Vec<Named> = told.collect();
        if is_looked_at {
            for named in &mut names {
                named.again = named.again.map(|_| told::SOONEST);
            }
        }
        let served = names.iter().find(|named| named.stands.is_none());
        platform.primary_host = served.map(|named| named.status.name.clone());
        served::put(conn, &platform).await?;
        let own = progress.iter().find(|progress| progress.name == platform.own_host);
        Ok(Kept {
            names,
            primary_host: platform.primary_host,
            own_is_served: own.is_some_and(|own| own.until.is_some_and(|until| until > now)),
        })
    }

    /// A name as it was typed. The rules may have become stricter since it was claimed: what somebody
    /// has they keep.
    fn read(&self, typed: &str, had: &[Claim]) -> Result<Name, BadName> {
        if let Some(claim) = had.iter().find(|claim| claim.name.as_str() == typed) {
            return Ok(claim.name.clone());
        }
        let name = Name::read(typed)?;
        self.zones.allow(&name)?;
        Ok(name)
    }

    fn named(&self, typed: &str, name: &Name, claims: &[Claim], progress: &[Progress]) -> Named {
        let progress = progress.iter().find(|progress| progress.name == name.as_str());
        match claims.iter().find(|claim| claim.name == *name) {
            Some(claim) => told::of(typed, claim, &self.zones, progress, self.clock.now()),
            None => told::too_many(typed),
        }
    }
}

#[async_trait]
impl Domains for Register {
    async fn take_charge(&self, epoch: Epoch) {
        let mut state = self.state.lock().await;
        // What was open is of the epoch before.
        *state = State { epoch: Some(epoch), opened: state.opened, ..State::default() };
        drop(state);
        // Where it cannot be reached now, it is opened when it is needed.
        match timeout(NAMES_DEADLINE, self.open()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "names wait"),
            Err(_) => tracing::warn!("names wait: their database does not answer"),
        }
    }

    async fn keep(&self, wish: &Wish) -> Result<Kept, DomainsError> {
        self.done(async |conn| self.kept(conn, wish).await).await
    }

    async fn quiet_since(&self, uid: Uuid) -> Result<Option<Timestamp>, DomainsError> {
        let now = self.clock.now();
        self.done(async |conn| Ok(served::quiet_since(conn, uid, now).await?)).await
    }

    async fn let_sleep(&self, uid: Uuid, quiet: Timestamp) -> Result<bool, DomainsError> {
        let now = self.clock.now();
        self.done(async |conn| Ok(served::let_sleep(conn, uid, quiet, now).await?)).await
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
        if fenced(&error).is_some() {
            return Self::Fenced;
        }
        match &error {
            // What one platform asked for and the database did not take concerns no other.
            sqlx::Error::Database(refused) if !is_about_the_server(refused.code().as_deref()) => {
                Self::Failed(error.to_string())
            }
            _ => unreachable(error),
        }
    }
}

/// Connections, resources, an operator of the server who intervened: classes 08, 53, 57 and 58.
fn is_about_the_server(code: Option<&str>) -> bool {
    code.is_some_and(|code| ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class)))
}

impl From<claims::Error> for DomainsError {
    fn from(error: claims::Error) -> Self {
        match error {
            claims::Error::Database(error) => error.into(),
            claims::Error::BadName(..) | claims::Error::TooMany => Self::Failed(error.to_string()),
        }
    }
}
