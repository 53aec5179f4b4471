//! A database and its roles per tenant, on any server an [`Admin`] reaches.
//!
//! ```text
//! tenant_vN            template: every table, no row; cloned, never connected to
//! t_NAME               the tenant's database, owned by t_NAME_owner
//! t_NAME_owner         no login; migrations and exports run as this role
//! t_NAME_app           login for the runtime: reads and writes rows, 8 connections
//! t_NAME_read          login for reading only, 2 connections
//! t_NAME_app_b, _read_b  take turns with those two when passwords are changed
//! ```
//! Nobody else may connect to the database: isolation is Postgres' and not a WHERE clause.
//! Every statement is repeatable after a crash, and what carries another owner's name but not
//! our marker is never touched.

mod lock;
mod logins;
mod marker;
mod migrate;
mod names;
pub(crate) mod password;
mod privileges;
mod provision;
mod remove;
mod roles;
mod steps;
mod template;

use std::fmt;
use std::time::Duration;

use blueprint::BlueprintName;
pub use logins::{close_old, close_old_by};
pub use migrate::{Migrated, migrate};
pub use provision::{access, database_name, provision, provision_by};
pub use remove::{drop_by, drop_tenant};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgConnection, PgPool};
pub use steps::Steps;

pub(crate) use lock::hold;
pub(crate) use marker::{Marker, of_tenant as marker_of};
pub(crate) use names::Names;
pub(crate) use provision::provision_held;
pub(crate) use remove::drop_held;

use crate::{Admin, Unreachable};

/// Connections of a runtime's pool at most: two copies of it may run at once.
pub const APP_POOL: u32 = 4;
/// The same for the role that only reads.
pub const READ_POOL: u32 = 1;

/// The tables every tenant has.
#[derive(Clone, Copy, Debug)]
pub struct TenantSchema {
    /// Names the template databases: `tenant`.
    pub name: &'static str,
    /// Grows by one with each change that a runtime must know of.
    pub version: i32,
    /// Whose tables, in the order in which they are made.
    pub migrators: &'static [&'static Migrator],
    /// The Postgres schemas that the reading role sees; not those that hold secrets.
    pub readable: &'static [&'static str],
}

/// A tenant's database, and the way in.
#[derive(Clone)]
pub struct TenantDatabase {
    /// Its name on the server.
    pub database: String,
    /// The version of its tables; may be older than the program's until [`migrate()`] ran.
    pub version: i32,
    /// The number of its passwords: grows by one with each change.
    pub number: u32,
    /// URL of the role that reads and writes rows. It holds the password.
    pub app: SecretString,
    /// URL of the role that only reads.
    pub read: SecretString,
}

/// A tenant's database could not be brought to where it should be. Running the same again goes
/// on where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// Under the name is something that is not ours.
    #[error(
        "{what} exists but was not made for this: it is left alone; rename or drop it, then run again"
    )]
    Foreign {
        /// What it is.
        what: String,
    },
    /// A database of ours has rows but lost its marker.
    #[error(
        "the database `{database}` holds rows but has lost the comment that says what it is: it is left alone; restore the comment, or export and drop it"
    )]
    Unmarked {
        /// Which one.
        database: String,
    },
    /// Somebody else works on the same.
    #[error("another process works on {what}: try again in a minute")]
    Busy {
        /// What is held.
        what: String,
    },
    /// The tenant has none.
    #[error("{0} has no database here: provision it first")]
    Missing(BlueprintName),
    /// Its tables are newer than this program.
    #[error(
        "the database of {name} has schema version {found} and this program knows {known}: use a newer program"
    )]
    Newer {
        /// Whose it is.
        name: BlueprintName,
        /// What it has.
        found: i32,
        /// What we have.
        known: i32,
    },
    /// A statement failed.
    #[error("cannot {step}: {source}")]
    Step {
        /// What it was for.
        step: &'static str,
        /// What Postgres said.
        source: sqlx::Error,
    },
    /// A migration failed; it left nothing behind.
    #[error("cannot bring the tables of {database} up to date: {source}")]
    Migration {
        /// Which database.
        database: String,
        /// What went wrong.
        source: sqlx::migrate::MigrateError,
    },
    /// [`Steps::stop_after`] was reached.
    #[error("stopped, as asked for")]
    Stopped,
}

impl TenantDatabase {
    /// The pool of a runtime: none to four connections, none while nobody asks.
    ///
    /// # Errors
    /// [`sqlx::Error::Configuration`] when the URL was taken apart and put together wrongly.
    pub fn pool(&self) -> sqlx::Result<PgPool> {
        pool(&self.app)
    }
}

impl fmt::Debug for TenantDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantDatabase({}, version {})", self.database, self.version)
    }
}

/// Whether a database stands under the tenant's name, whoever made it.
pub async fn exists(admin: &Admin, name: &BlueprintName) -> Result<bool, Error> {
    stands(&mut admin.connect().await?, name).await
}

pub(crate) async fn stands(conn: &mut PgConnection, name: &BlueprintName) -> Result<bool, Error> {
    let found = marker::database(conn, &Names::of(name).database).await;
    Ok(found.map_err(steps::reading("look for the database"))?.is_some())
}

/// The pool for a tenant's URL: opened when first asked, closed after a minute of quiet, and a
/// clear error after five seconds without a free connection.
///
/// # Errors
/// [`sqlx::Error::Configuration`] when it is no Postgres URL.
pub fn pool(url: &SecretString) -> sqlx::Result<PgPool> {
    Ok(pool_options().connect_lazy_with(connect_options(url)?))
}

pub(crate) fn pool_options() -> PgPoolOptions {
    PgPoolOptions::new()
        .min_connections(0)
        .max_connections(APP_POOL)
        .idle_timeout(Duration::from_mins(1))
        .max_lifetime(Duration::from_mins(30))
        .acquire_timeout(Duration::from_secs(5))
}

/// One connection of a tenant's URL; a pool of them is [`pool`].
///
/// # Errors
/// [`sqlx::Error::Configuration`] when it is no Postgres URL.
pub fn connect_options(url: &SecretString) -> sqlx::Result<PgConnectOptions> {
    let text = url.expose_secret();
    // A URL of anything would be taken for one of Postgres.
    if !["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
        return Err(sqlx::Error::Configuration("no Postgres URL".into()));
    }
    let options: PgConnectOptions = text.parse()?;
    Ok(options.application_name("soulfra tenant"))
}

/// The schema version of the database at the other end; any role of the tenant may ask. `None`
/// where none of our databases is. A runtime serves tables of its own version and of the next one.
pub async fn version(conn: &mut PgConnection) -> sqlx::Result<Option<i32>> {
    let database: String =
        sqlx::query_scalar("SELECT current_database()::text").fetch_one(&mut *conn).await?;
    let seen = marker::database(conn, &database).await?;
    Ok(seen.and_then(|seen| seen.marker).and_then(|marker| marker.version))
}
