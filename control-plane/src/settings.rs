//! The one file that the control plane is told everything by.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sqlx::postgres::PgConnectOptions;
use url::Url;
use web::serve::Networks;
use work::settings::{self, SettingsError};

/// What it is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// Where the API is. Something before it ends TLS.
    #[serde(default = "nine_thousand_five_hundred")]
    pub listen: SocketAddr,
    /// The file that holds the URL of the database `control`.
    pub database: PathBuf,
    /// Where people meet it: `https://console.example`, or on one machine `http://127.0.0.1:9500`.
    pub url: Url,
    /// Where proxies of yours are that callers come through, as networks or addresses: whom a request
    /// is from is what they say in `X-Forwarded-For`.
    #[serde(default)]
    pub trusted_proxies: Networks,
}

fn nine_thousand_five_hundred() -> SocketAddr {
    SocketAddr::from((Ipv6Addr::UNSPECIFIED, 9_500))
}

impl Settings {
    /// Reads the file.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub fn read(file: &Path) -> Result<Self, SettingsError> {
        let text = settings::text("--settings", file)?;
        let refused = |why| SettingsError::Content { file: file.to_owned(), why };
        let settings: Self =
            serde_saphyr::from_str(&text).map_err(|error| refused(error.to_string()))?;
        let url = &settings.url;
        let is_met = matches!(url.scheme(), "https" | "http") && url.path() == "/";
        if !is_met || url.query().is_some() || url.fragment().is_some() {
            let why = "url: only where it is met, such as https://console.example";
            return Err(refused(why.to_owned()));
        }
        Ok(settings)
    }

    /// The database.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub fn database(&self) -> Result<PgConnectOptions, SettingsError> {
        settings::database("database", &self.database)
    }
}
