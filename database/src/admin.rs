//! The connection that may create databases and roles.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, PgPool};

use crate::doors;
use crate::fence::{Fence, Fenced};

/// How long a connection may take.
const WITHIN: Duration = Duration::from_secs(10);

/// Who creates tenants: the embedded server's superuser, or any role with `CREATEDB` and
/// `CREATEROLE` (Postgres 16 and later).
#[derive(Clone)]
pub struct Admin {
    options: PgConnectOptions,
    fence: Option<Fence>,
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

impl Unreachable {
    /// Whether the server was reached, and somebody newer is in charge of it: who.
    pub fn fenced(&self) -> Option<Fenced> {
        fenced(&self.source)
    }
}

impl Admin {
    /// An administrator by connection options; their database is only used to stand in.
    pub fn new(options: PgConnectOptions) -> Self {
        let options = options
            .application_name("soulfra admin")
            .options([("statement_timeout", "60s"), ("lock_timeout", "30s")])
            // Statements here may carry password verifiers.
            .disable_statement_logging();
        Self { options, fence: None }
    }

    /// An administrator of the server at this host and port.
    pub fn at(host: &str, port: u16, user: &str, password: &SecretString) -> Self {
        let options = PgConnectOptions::new_without_pgpass().host(host).port(port);
        let options = options.username(user).password(password.expose_secret());
        Self::new(options.database("postgres"))
    }

    /// The same, as long as nobody newer is in charge.
    pub fn behind(self, fence: Fence) -> Self {
        Self { fence: Some(fence), ..self }
    }

    /// Keeps older ones of the same fence away from the server from now on.
    ///
    /// # Errors
    /// Where the server cannot be reached, or somebody newer is in charge.
    pub async fn take_charge(&self) -> Result<(), Unreachable> {
        let mut conn = self.connect().await?;
        match &self.fence {
            Some(fence) => fence.raise(&mut conn).await.map_err(|source| self.unreachable(source)),
            None => Ok(()),
        }
    }

    /// Closes the databases that every server comes with to everybody who has no right of their
    /// own there. Returns those that are still open to every login, tenants' too: they are of
    /// others, who have to `REVOKE ALL ON DATABASE name FROM PUBLIC`.
    ///
    /// # Errors
    /// Where the server cannot be reached, or somebody newer is in charge.
    pub async fn close_to_tenants(&self) -> Result<Vec<String>, Unreachable> {
        let mut conn = self.connect().await?;
        doors::close(&mut conn).await.map_err(|source| self.unreachable(source))
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
        self.open(self.options.clone()).await
    }

    /// One new connection to another database of the same server.
    pub async fn connect_to(&self, database: &str) -> Result<PgConnection, Unreachable> {
        self.open(self.options.clone().database(database)).await
    }

    async fn open(&self, options: PgConnectOptions) -> Result<PgConnection, Unreachable> {
        let Some(fence) = &self.fence else { return connect(options).await };
        let mut conn = connect(options.application_name(&fence.application_name())).await?;
        fence.check(&mut conn).await.map_err(|source| self.unreachable(source))?;
        Ok(conn)
    }

    /// Connections to another database of the same server that are used again, `most` at once.
    /// Each is made when it is needed, and as [`Admin::connect`] makes one: an older process has none
    /// any more once a newer one is in charge.
    pub fn pool(&self, database: &str, most: u32) -> PgPool {
        let mut options = self.options.clone().database(database);
        let mut pool = PgPoolOptions::new().max_connections(most).acquire_timeout(WITHIN);
        if let Some(fence) = self.fence.clone() {
            options = options.application_name(&fence.application_name());
            let fence = Arc::new(fence);
            pool = pool.after_connect(move |conn, _| {
                let fence = fence.clone();
                Box::pin(async move { fence.check(conn).await })
            });
        }
        pool.connect_lazy_with(options)
    }

    fn unreachable(&self, source: sqlx::Error) -> Unreachable {
        unreachable(&self.options, source)
    }

    /// How to reach the same server; the login is the administrator's.
    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.options
    }
}

/// Whether this says that somebody newer is in charge of the server: who.
pub fn fenced(error: &sqlx::Error) -> Option<Fenced> {
    match error {
        sqlx::Error::Configuration(cause) => cause.downcast_ref().copied(),
        _ => None,
    }
}

async fn connect(options: PgConnectOptions) -> Result<PgConnection, Unreachable> {
    match tokio::time::timeout(WITHIN, PgConnection::connect_with(&options)).await {
        Ok(connected) => connected.map_err(|source| unreachable(&options, source)),
        Err(_) => Err(unreachable(&options, sqlx::Error::PoolTimedOut)),
    }
}

fn unreachable(options: &PgConnectOptions, source: sqlx::Error) -> Unreachable {
    Unreachable {
        user: options.get_username().to_owned(),
        database: options.get_database().unwrap_or("postgres").to_owned(),
        source,
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("user", &self.options.get_username()).finish_non_exhaustive()
    }
}
