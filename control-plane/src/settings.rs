//! The one file that the control plane is told everything by.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sqlx::postgres::PgConnectOptions;
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
        serde_saphyr::from_str(&text).map_err(|error| SettingsError::Content {
            file: file.to_owned(),
            why: error.to_string(),
        })
    }

    /// The database.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub fn database(&self) -> Result<PgConnectOptions, SettingsError> {
        settings::database("database", &self.database)
    }
}
