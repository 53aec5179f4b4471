//! What an operator says about an upstream, and the check of it.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Semaphore, watch};
use url::Url;

use super::Inner;
use super::address::{Address, Networks};

/// A server of others, from the operator's configuration.
#[derive(Debug)]
pub struct UpstreamConfig {
    /// For logs and metrics, like `openrouter`.
    pub name: String,
    /// What comes before `/chat/completions`, like `https://api.example.com/v1`.
    pub base_url: Url,
    /// Sent as a bearer token; servers on this machine may need none.
    pub key: Option<SecretString>,
    /// Those of its models that are offered; at least one.
    pub models: Vec<UpstreamModel>,
    /// How many answers it may be asked for at once, of all its models together; at least 1. Further
    /// ones wait.
    pub at_once: usize,
    /// How it wants to be spoken to.
    pub dialect: Dialect,
    /// Where it may be.
    pub networks: Networks,
    /// How long it may take.
    pub patience: Patience,
}

/// A model of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamModel {
    /// Our name for it.
    pub id: String,
    /// The name for people.
    pub title: String,
    /// The upstream's name for it.
    pub upstream_id: String,
    /// The longest prompt it reads, in tokens.
    pub context_tokens: usize,
    /// The entry of the price table that it is charged by. There is no model without one.
    pub price: String,
}

/// What differs between servers that speak the API.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dialect {
    /// `max_tokens`, which all but the newest models of `OpenAI` itself take.
    #[default]
    Common,
    /// `max_completion_tokens`.
    OpenAi,
}

/// How long an upstream may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until it is connected.
    pub connect: Duration,
    /// From the request to the first byte of the answer, connecting included; and before that, for
    /// one of its places.
    pub first_byte: Duration,
    /// Between two chunks.
    pub silence: Duration,
    /// The whole answer.
    pub whole: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_mins(1),
            silence: Duration::from_secs(30),
            whole: Duration::from_mins(10),
        }
    }
}

/// What is wrong with the configuration of an upstream.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The address.
    #[error("the address {url} cannot be used: {why}")]
    Address {
        /// As it was given, without what should not have been in it.
        url: String,
        /// Why not, and what can.
        why: &'static str,
    },
    /// No model, or one without a name, a context or a price.
    #[error("model {0:?} of the upstream needs a name there, a context and a price")]
    Model(String),
    /// None are offered.
    #[error("the upstream offers no model: list at least one")]
    NoModels,
    /// None could run.
    #[error("the upstream may be asked for no answer at once: let it be at least 1")]
    NoRoom,
    /// It cannot be a header.
    #[error("the key has characters that no key has, like line ends")]
    Key,
    /// TLS or the like.
    #[error("no HTTP client can be made: {0}")]
    Client(String),
}

impl UpstreamConfig {
    pub(super) fn into_inner(self) -> Result<Inner, ConfigError> {
        let address = Address::check(self.base_url, self.networks)?;
        if self.models.is_empty() {
            return Err(ConfigError::NoModels);
        }
        let is_whole = |model: &&UpstreamModel| {
            let names = [&model.id, &model.upstream_id, &model.price];
            names.iter().all(|name| !name.trim().is_empty()) && model.context_tokens > 0
        };
        if let Some(model) = self.models.iter().find(|model| !is_whole(model)) {
            return Err(ConfigError::Model(model.id.clone()));
        }
        if self.at_once == 0 {
            return Err(ConfigError::NoRoom);
        }
        let client = client(&address, &self.patience)
            .map_err(|error| ConfigError::Client(error.without_url().to_string()))?;
        Ok(Inner {
            name: self.name,
            client,
            chat: address.join(&["chat", "completions"]),
            text: address.join(&["completions"]),
            authorization: self.key.as_ref().map(bearer).transpose()?,
            models: self.models,
            dialect: self.dialect,
            patience: self.patience,
            places: Arc::new(Semaphore::new(self.at_once.min(Semaphore::MAX_PERMITS))),
            room: watch::Sender::new(self.at_once),
            estimated: 0.into(),
        })
    }
}

fn bearer(key: &SecretString) -> Result<HeaderValue, ConfigError> {
    let value = format!("Bearer {}", key.expose_secret());
    let mut value = HeaderValue::from_str(&value).map_err(|_| ConfigError::Key)?;
    value.set_sensitive(true);
    Ok(value)
}

/// A client that goes where the address says and nowhere else: no redirects, no proxies of the
/// environment, and only addresses that the networks allow.
fn client(address: &Address, patience: &Patience) -> reqwest::Result<Client> {
    Client::builder()
        .connect_timeout(patience.connect)
        .pool_idle_timeout(Duration::from_secs(30))
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .tcp_nodelay(true)
        .https_only(address.is_https())
        .dns_resolver(address.resolver())
        .user_agent(concat!("soulfra/", env!("CARGO_PKG_VERSION")))
        .build()
}
