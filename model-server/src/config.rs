//! The one file that a model server is told everything by.
//!
//! ```yaml
//! listen: 127.0.0.1:9000        # for tenants
//! admin: 127.0.0.1:9001         # for operators: health, models, metrics
//! models: [smollm2-135m]        # the first answers who names none
//! embeddings: all-minilm-l6-v2
//! engine: fastest               # or mistralRs
//! guard: qwen2.5-1.5b           # judges prompts and answers beside the rules; may be left out
//! usage: /var/lib/models/usage  # what was used, until it is told
//! prices:                       # millionths for a million tokens; a model without one is refused
//!   smollm2-135m: {currency: USD, prompt: 0, cachedPrompt: 0, completion: 0}
//! tenants:
//!   - name: acme
//!     secretFile: /run/secrets/acme
//!     class: business
//!     safety: high
//!     monthlyBudget: {amount: 10000, currency: USD}
//!     perUserDailyTokens: 100000
//! upstreams:                    # asked in order, after a model of the same name here
//!   - name: example
//!     baseUrl: https://api.example.com/v1
//!     keyFile: /run/secrets/example
//!     models:
//!       - {id: large, upstreamId: example-large-2, title: Large, contextTokens: 32768}
//! ```

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use blueprint::Money;
use inference::prices::{Prices, Unpriced};
use inference::safety::Level;
use inference::upstream::{self, Dialect, Networks, Patience, UpstreamConfig};
use serde::Deserialize;
use url::Url;

use crate::engines::Choice;

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
    #[serde(default)]
    pub models: Vec<String>,
    /// The model that turns texts into vectors; none if not set.
    pub embeddings: Option<String>,
    /// Which engine runs them.
    #[serde(default)]
    pub engine: Choice,
    /// The model that judges prompts and answers beside the rules; none if not set. It is loaded for
    /// that alone, once more if it is among `models` too.
    pub guard: Option<String>,
    /// A folder of this process alone, for what was used.
    pub usage: PathBuf,
    /// What each model costs.
    pub prices: Prices,
    /// Servers of others.
    #[serde(default)]
    pub upstreams: Vec<Upstream>,
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
    /// What is not answered.
    #[serde(default)]
    pub safety: Safety,
    /// What all its answers of a month may cost; no limit if not set.
    pub monthly_budget: Option<Money>,
    /// Tokens that one of its people may use in a day (UTC); no limit if not set.
    pub per_user_daily_tokens: Option<u64>,
}

/// How strict a tenant is.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Safety {
    /// What harms.
    #[default]
    Moderate,
    /// Also what may hurt some.
    High,
    /// Also what is for adults.
    Maximum,
}

impl From<Safety> for Level {
    fn from(safety: Safety) -> Self {
        match safety {
            Safety::Moderate => Self::Moderate,
            Safety::High => Self::High,
            Safety::Maximum => Self::Maximum,
        }
    }
}

/// A server of others that speaks the OpenAI API.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Upstream {
    /// For logs and metrics.
    pub name: String,
    /// What comes before `/chat/completions`.
    pub base_url: Url,
    /// Holds the key it wants; some on the same machine want none.
    pub key_file: Option<PathBuf>,
    /// Answers it may be asked for at once.
    #[serde(default = "Upstream::at_once")]
    pub at_once: usize,
    /// It is `OpenAI` itself, whose newest models want another field for the longest answer.
    #[serde(default)]
    pub open_ai: bool,
    /// It may be in a private network, also without TLS.
    #[serde(default)]
    pub private_network: bool,
    /// What is offered of it.
    pub models: Vec<UpstreamModel>,
}

/// A model of an upstream.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpstreamModel {
    /// Our name for it, which is also its price's.
    pub id: String,
    /// The upstream's name for it.
    pub upstream_id: String,
    /// The name for people.
    pub title: String,
    /// The longest prompt it reads, in tokens.
    pub context_tokens: usize,
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
    /// A model that nobody could be charged for.
    #[error("{0}; state it below prices")]
    Unpriced(#[from] Unpriced),
    /// Nothing would answer.
    #[error("there is no model: name one below models or upstreams")]
    NoModels,
}

impl Config {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = read(path)?;
        let config: Self = serde_saphyr::from_str(&text).map_err(|error| ConfigError::Text {
            path: path.to_owned(),
            what: error.to_string(),
        })?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let others = self.upstreams.iter().flat_map(|upstream| &upstream.models);
        let ids: Vec<_> = self.models.iter().chain(others.map(|model| &model.id)).collect();
        if ids.is_empty() {
            return Err(ConfigError::NoModels);
        }
        for id in ids.into_iter().chain(&self.embeddings) {
            self.prices.of(id)?;
        }
        Ok(())
    }
}

impl Upstream {
    fn at_once() -> usize {
        16
    }

    /// Its configuration for this one of its models.
    pub fn of(&self, model: &UpstreamModel) -> Result<UpstreamConfig, ConfigError> {
        let key = self.key_file.as_deref().map(read).transpose()?;
        let UpstreamModel { id, upstream_id, title, context_tokens } = model.clone();
        let price = id.clone();
        Ok(UpstreamConfig {
            name: self.name.clone(),
            base_url: self.base_url.clone(),
            key: key.map(|key| key.trim().to_owned().into()),
            models: vec![upstream::UpstreamModel { id, title, upstream_id, context_tokens, price }],
            at_once: self.at_once,
            dialect: if self.open_ai { Dialect::OpenAi } else { Dialect::Common },
            networks: if self.private_network { Networks::Private } else { Networks::Public },
            patience: Patience::default(),
        })
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
