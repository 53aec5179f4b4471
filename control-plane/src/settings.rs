//! The one file that the control plane is told everything by.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sqlx::postgres::PgConnectOptions;

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

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file cannot be read.
    #[error("cannot read {file}: {cause}", file = file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// What went wrong.
        cause: std::io::Error,
    },
    /// It says something that cannot be.
    #[error("{file} cannot be used: {why}", file = file.display())]
    Content {
        /// Which.
        file: PathBuf,
        /// What is wrong, and where.
        why: String,
    },
}

impl Settings {
    /// Reads the file.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub fn read(file: &Path) -> Result<Self, SettingsError> {
        let text = text_of(file)?;
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
        // Never repeated: a password may be in it.
        let why = || "not a URL such as postgres://user:password@host:5432/control".to_owned();
        let options = text_of(&self.database)?.trim().parse();
        options.map_err(|_| SettingsError::Content { file: self.database.clone(), why: why() })
    }
}

fn text_of(file: &Path) -> Result<String, SettingsError> {
    std::fs::read_to_string(file)
        .map_err(|cause| SettingsError::File { file: file.to_owned(), cause })
}
