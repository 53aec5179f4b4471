//! The host's Postgres: the embedded one, or one that is there already.

use database::Admin;
use database::embedded::{Installation, Options, Phase, Server};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;

use super::records::Kept;
use crate::failure::{Failure, Kind, Result};
use crate::home::Home;
use crate::printer::Printer;

/// A Postgres to work with; the embedded one ends with it.
pub struct Postgres {
    /// Its administrator.
    pub admin: Admin,
    /// The same as a URL.
    pub url: SecretString,
    /// Which server it is.
    pub kept: Kept,
    server: Option<Server>,
}

impl Postgres {
    /// Starts the embedded server, or reaches the one at `url`.
    pub async fn start(home: &Home, url: Option<&str>, printer: &Printer) -> Result<Self> {
        let phase = printer.phase("database");
        let started = match url {
            Some(url) => reach(url).await,
            None => embedded(home, printer).await,
        };
        match &started {
            Ok(Self { server: Some(_), .. }) => phase.done("Postgres 17 is up"),
            Ok(_) => phase.done("your Postgres answers"),
            Err(failure) => phase.failed(&failure.what),
        }
        started
    }

    /// Ends the embedded server.
    pub async fn stop(self) {
        if let Some(server) = self.server
            && let Err(error) = server.stop().await
        {
            tracing::error!("stop Postgres: {error}");
        }
    }
}

async fn embedded(home: &Home, printer: &Printer) -> Result<Postgres> {
    let tell = printer.clone();
    let installation = Installation::fetch(&home.cache, move |phase| {
        if phase == Phase::Downloading {
            tell.note("fetching Postgres 17 (15 MB, once)");
        }
    })
    .await
    .map_err(|error| {
        Failure::new(
            Kind::Database,
            error.to_string(),
            "With a Postgres of your own: --database-url postgres://user:password@host/postgres",
        )
    })?;
    let server =
        Server::start(&installation, Options::new(home.postgres())).await.map_err(|error| {
            Failure::new(
                Kind::Database,
                error.to_string(),
                "Nothing was lost. Mend the cause and run the same command again.",
            )
        })?;
    let kept = Kept { external: false, server: None };
    Ok(Postgres { admin: server.admin(), url: server.url(), kept, server: Some(server) })
}

async fn reach(url: &str) -> Result<Postgres> {
    let url = SecretString::from(url);
    let hint = "Check --database-url: postgres://user:password@host:port/postgres";
    let admin = Admin::from_url(&url).map_err(|error| {
        Failure::new(Kind::Database, format!("read --database-url: {error}"), hint)
    })?;
    let mut db = admin
        .connect()
        .await
        .map_err(|error| Failure::new(Kind::Database, error.to_string(), hint))?;
    let kept = Kept { external: true, server: Some(identity(&mut db, &url).await) };
    Ok(Postgres { admin, url, kept, server: None })
}

/// What tells this server from others: the number it was given when it was made, else where it
/// is.
async fn identity(db: &mut PgConnection, url: &SecretString) -> String {
    let number = sqlx::query_scalar("SELECT system_identifier FROM pg_control_system()");
    match number.fetch_one(db).await {
        Ok(number) => format!("number {}", i64::cast_unsigned(number)),
        Err(error) => {
            tracing::info!(%error, "this role may not read the server's number; its address counts");
            address(url)
        }
    }
}

/// The host and the port, with no name and no password.
fn address(url: &SecretString) -> String {
    url.expose_secret().parse::<PgConnectOptions>().map_or_else(
        |_| "unknown address".to_owned(),
        |options| format!("{}:{}", options.get_host(), options.get_port()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_tells_no_secret() {
        let url = "postgres://ada:secret@db.example:5433/postgres?application_name=x";
        assert_eq!(address(&url.into()), "db.example:5433");
    }
}
