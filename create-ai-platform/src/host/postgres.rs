//! The host's Postgres: the embedded one, or one that is there already.

use database::Admin;
use database::embedded::{Installation, Options, Phase, Server};
use secrecy::SecretString;

use crate::failure::{Failure, Kind, Result};
use crate::home::Home;
use crate::printer::Printer;

/// A Postgres to work with; the embedded one ends with it.
pub struct Postgres {
    /// Its administrator.
    pub admin: Admin,
    /// The same as a URL.
    pub url: SecretString,
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

    /// Whether it is not ours to start and stop.
    pub fn is_external(&self) -> bool {
        self.server.is_none()
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
    Ok(Postgres { admin: server.admin(), url: server.url(), server: Some(server) })
}

async fn reach(url: &str) -> Result<Postgres> {
    let url = SecretString::from(url);
    let hint = "Check --database-url: postgres://user:password@host:port/postgres";
    let admin = Admin::from_url(&url).map_err(|error| {
        Failure::new(Kind::Database, format!("read --database-url: {error}"), hint)
    })?;
    admin.connect().await.map_err(|error| Failure::new(Kind::Database, error.to_string(), hint))?;
    Ok(Postgres { admin, url, server: None })
}
