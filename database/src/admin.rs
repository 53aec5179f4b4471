//! The connection that may create databases and roles.

use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

/// How long a connection may take.
const WITHIN: Duration = Duration::from_secs(10);

/// Who creates tenants: the embedded server's superuser, or any role with `CREATEDB` and
/// `CREATEROLE` (Postgres 16 and later).
#[derive(Clone)]
pub struct Admin {
    options: PgConnectOptions,
}

/// No connection as administrator. The cause names no password.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot connect to Postgres as `{user}` to database `{database}`: {source}; is the server running, and is the database URL right?"
)]
pub struct Unreachable {
    user: String,
    database: String,
    source: sqlx::Error,
}

impl Admin {
    /// An administrator by connection options; their database is only used to stand in.
    pub fn new(options: PgConnectOptions) -> Self {
        let options = options
            .application_name("soulfra admin")
            .options([("statement_timeout", "60s"), ("lock_timeout", "30s")])
            // Statements here may carry password verifiers.
            .disable_statement_logging();
        Self { options }
    }

    /// An administrator by URL: `postgres://user:password@host/postgres`.
    ///
    /// # Errors
    /// [`sqlx::Error::Configuration`] when it is no such URL.
    pub fn from_url(url: &SecretString) -> sqlx::Result<Self> {
        Ok(Self::new(url.expose_secret().parse()?))
    }

    /// One new connection to the database of the options.
    pub async fn connect(&self) -> Result<PgConnection, Unreachable> {
        connect(self.options.clone()).await
    }

    /// One new connection to another database of the same server.
    pub async fn connect_to(&self, database: &str) -> Result<PgConnection, Unreachable> {
        connect(self.options.clone().database(database)).await
    }

    /// How to reach the same server; the login is the administrator's.
    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.options
    }
}

async fn connect(options: PgConnectOptions) -> Result<PgConnection, Unreachable> {
    let unreachable = |source| Unreachable {
        user: options.get_username().to_owned(),
        database: options.get_database().unwrap_or("postgres").to_owned(),
        source,
    };
    match tokio::time::timeout(WITHIN, PgConnection::connect_with(&options)).await {
        Ok(connected) => connected.map_err(unreachable),
        Err(_) => Err(unreachable(sqlx::Error::PoolTimedOut)),
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("user", &self.options.get_username()).finish_non_exhaustive()
    }
}
