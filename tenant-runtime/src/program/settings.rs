//! What the program is told at its start.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use database::follow::{self, FollowError, Followed};
use database::tenant::APP_POOL;
use url::Url;
use web::token::Credential;

use crate::model_server::ModelServer;

/// What the program is told at its start, as environment or as options.
#[derive(Clone, Debug, Args)]
pub struct Settings {
    /// The file of the blueprint; entitlements.json lies beside it, and control-plane.json where
    /// there is one.
    #[arg(long, env = "SOULFRA_BLUEPRINT")]
    pub blueprint: PathBuf,
    /// The file that holds the URL of the platform's database.
    #[arg(long, env = "SOULFRA_DATABASE_URL_FILE")]
    pub database_url_file: PathBuf,
    /// Where the edge asks.
    #[arg(long, env = "SOULFRA_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// The model server.
    #[arg(long, env = "SOULFRA_MODELS_URL")]
    pub models_url: Url,
    /// The file that holds the secret which the platform's tokens for the model server are signed
    /// with.
    #[arg(long, env = "SOULFRA_MODELS_CREDENTIAL_FILE")]
    pub models_credential_file: PathBuf,
    /// The domain below which each platform has its first name.
    #[arg(long, env = "SOULFRA_PLATFORM_DOMAIN")]
    pub platform_domain: String,
}

/// Why the program could not begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file.
    #[error("could not read {}: {cause}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// What is in a file.
    #[error("{} cannot be used: {why}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong with it; nothing of what it holds where that is secret.
        why: String,
    },
    /// The way to the database.
    #[error(transparent)]
    Database(#[from] FollowError),
    /// The port.
    #[error("could not listen on {address}: {cause}")]
    Port {
        /// Which.
        address: SocketAddr,
        /// Why.
        cause: io::Error,
    },
    /// Something of ours that should not happen.
    #[error("something unexpected happened: {0}")]
    Unexpected(String),
}

impl Settings {
    /// The platform's database, by the login that the file names at any time; connected to when
    /// it is first needed.
    pub(super) async fn database(&self) -> Result<Followed, StartError> {
        Ok(Followed::open(&self.database_url_file, APP_POOL, follow::EVERY).await?)
    }

    /// The platform's way to its models.
    pub(super) fn model_server(&self) -> Result<ModelServer, StartError> {
        let secret = read(&self.models_credential_file)?;
        let client = web::client::internal()
            .map_err(|error| StartError::Unexpected(format!("make the HTTP client: {error}")))?;
        let credential = Credential::new(secret.trim());
        Ok(ModelServer::new(self.models_url.clone(), credential, client))
    }
}

pub(super) fn read(path: &Path) -> Result<String, StartError> {
    std::fs::read_to_string(path).map_err(|cause| StartError::File { path: path.to_owned(), cause })
}
