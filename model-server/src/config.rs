//! The one file that a model server is told everything by.
//!
//! ```yaml
//! listen: 127.0.0.1:9000        # for tenants
//! admin: 127.0.0.1:9001         # for operators: health, models, metrics
//! models: [smollm2-135m]        # the first answers who names none
//! tenants:
//!   - name: acme
//!     secretFile: /run/secrets/acme
//!     class: business
//! ```

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Everything that can be said.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// Where tenants ask.
    pub listen: SocketAddr,
    /// Where operators ask; no tenant must reach it.
    pub admin: SocketAddr,
    /// Where model files are kept; the person's cache folder if not set.
    pub cache: Option<PathBuf>,
    /// Names of the catalogue or paths of files, loaded at start in this order.
    pub models: Vec<String>,
    /// Who may ask.
    #[serde(default)]
    pub tenants: Vec<Tenant>,
}

/// A tenant and what it is allowed.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tenant {
    /// As its tokens name it.
    pub name: String,
    /// Holds the secret that it signs tokens with; at least 32 bytes.
    pub secret_file: PathBuf,
    /// Its class of service, which its plan buys: `enterprise`, `business` or `starter`.
    pub class: String,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file could not be read.
    #[error("could not read {}: {cause}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The text is not a configuration.
    #[error("{} is not a configuration: {what}", path.display())]
    Text {
        /// Which.
        path: PathBuf,
        /// What is wrong, with its place.
        what: String,
    },
    /// A secret that can be guessed.
    #[error("the secret in {} is shorter than 32 bytes", .0.display())]
    ShortSecret(PathBuf),
}

impl Config {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = read(path)?;
        serde_saphyr::from_str(&text)
            .map_err(|error| ConfigError::Text { path: path.to_owned(), what: error.to_string() })
    }
}

impl Tenant {
    /// The secret, without the line end that editors leave.
    pub fn secret(&self) -> Result<secrecy::SecretString, ConfigError> {
        let text = read(&self.secret_file)?;
        let secret = text.trim();
        if secret.len() < 32 {
            return Err(ConfigError::ShortSecret(self.secret_file.clone()));
        }
        Ok(secret.to_owned().into())
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|cause| ConfigError::File { path: path.to_owned(), cause })
}
