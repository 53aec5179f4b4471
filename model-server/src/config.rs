//! The one file that a model server is told everything by.
//!
//! `docs/model-server.yaml` is a whole one, `docs/model-server.md` tells each field.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use blueprint::{Currency, Money};
use inference::Limits;
use inference::budget::{Remote, RemoteError};
use inference::models::{NoSuchModel, find};
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
    /// Who knows the budgets and takes in what was used; this process alone if not set.
    pub control_plane: Option<ControlPlane>,
    /// What each model costs.
    pub prices: Prices,
    /// Servers of others.
    #[serde(default)]
    pub upstreams: Vec<Upstream>,
    /// Who may ask.
    #[serde(default)]
    pub tenants: Vec<Tenant>,
}

/// A control plane that leases money to this model server.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ControlPlane {
    /// Where people meet it: `https://`, or on this machine.
    pub url: Url,
    /// Holds the key that `control-plane model-server add` printed.
    pub key_file: PathBuf,
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
    /// What all its answers of a month may cost; no limit if not set. Where a control plane leases
    /// money, the tenant's blueprint says it.
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
    /// Answers it may be asked for at once, of all its models together.
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
    /// A model of which nothing is known.
    #[error(transparent)]
    NoSuchModel(#[from] NoSuchModel),
    /// Two models of one place would answer under one name.
    #[error("the model {0} is named twice in one list; keep one")]
    ModelTwice(String),
    /// One of the two would be forgotten.
    #[error("the tenant {0} is named twice below tenants; keep one")]
    TenantTwice(String),
    /// A tenant would be served as the lowest.
    #[error("the tenant {tenant} has the class {class}, which is none; there are: {known}")]
    Class {
        /// Whose.
        tenant: String,
        /// As it is written.
        class: String,
        /// Those that there are.
        known: String,
    },
    /// Every request of a tenant would be refused.
    #[error(
        "the tenant {tenant} has a budget in {currency}, and no price below prices is in \
         {currency}; state both in one currency"
    )]
    BudgetCurrency {
        /// Whose.
        tenant: String,
        /// Of the budget.
        currency: Currency,
    },
    /// Two would say it, and one of them in vain.
    #[error(
        "the tenant {0} has a monthlyBudget, and controlPlane is set; its budget is ai.monthlyBudget of its \
         blueprint then: take it out here"
    )]
    BudgetElsewhere(String),
    /// The control plane cannot be asked so.
    #[error("controlPlane cannot be used: {0}")]
    ControlPlane(#[from] RemoteError),
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
        let here = self.models.iter().map(|model| find(model).map(|entry| entry.id));
        let here = here.collect::<Result<Vec<_>, _>>()?;
        let of = |upstream: &Upstream| -> Vec<_> {
            upstream.models.iter().map(|model| model.id.clone()).collect()
        };
        let lists: Vec<_> = std::iter::once(here).chain(self.upstreams.iter().map(of)).collect();
        for list in &lists {
            if let Some(id) = twice(list) {
                return Err(ConfigError::ModelTwice(id.to_owned()));
            }
        }
        let ids: Vec<_> = lists.iter().flatten().collect();
        if ids.is_empty() {
            return Err(ConfigError::NoModels);
        }
        let mut currencies = Vec::new();
        for id in ids.into_iter().chain(&self.embeddings) {
            currencies.push(self.prices.of(id)?.currency);
        }
        self.check_tenants(&currencies)
    }

    fn check_tenants(&self, currencies: &[Currency]) -> Result<(), ConfigError> {
        let classes = Limits::default().policy.classes;
        if let Some(name) = twice(self.tenants.iter().map(|tenant| &tenant.name)) {
            return Err(ConfigError::TenantTwice(name.to_owned()));
        }
        for Tenant { name, class, monthly_budget, .. } in &self.tenants {
            if classes.find(class).is_none() {
                return Err(ConfigError::Class {
                    tenant: name.clone(),
                    class: class.clone(),
                    known: classes.names().collect::<Vec<_>>().join(", "),
                });
            }
            if self.control_plane.is_some() && monthly_budget.is_some() {
                return Err(ConfigError::BudgetElsewhere(name.clone()));
            }
            let currency = monthly_budget.map(Money::currency);
            if let Some(currency) = currency.filter(|currency| !currencies.contains(currency)) {
                return Err(ConfigError::BudgetCurrency { tenant: name.clone(), currency });
            }
        }
        Ok(())
    }
}

impl ControlPlane {
    /// The way to it; asks nobody yet.
    pub fn remote(&self) -> Result<Remote, ConfigError> {
        let key = read(&self.key_file)?.trim().to_owned().into();
        Ok(Remote::new(&self.url, &key)?)
    }
}

impl Upstream {
    fn at_once() -> usize {
        16
    }

    /// Its configuration.
    pub fn config(&self) -> Result<UpstreamConfig, ConfigError> {
        let key = self.key_file.as_deref().map(read).transpose()?;
        let model = |model: &UpstreamModel| {
            let UpstreamModel { id, upstream_id, title, context_tokens } = model.clone();
            let price = id.clone();
            upstream::UpstreamModel { id, title, upstream_id, context_tokens, price }
        };
        Ok(UpstreamConfig {
            name: self.name.clone(),
            base_url: self.base_url.clone(),
            key: key.map(|key| key.trim().to_owned().into()),
            models: self.models.iter().map(model).collect(),
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

/// The first name that was there before.
fn twice<'a>(names: impl IntoIterator<Item = &'a String>) -> Option<&'a str> {
    let mut seen = BTreeSet::new();
    names.into_iter().find(|name| !seen.insert(*name)).map(String::as_str)
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|cause| ConfigError::File { path: path.to_owned(), cause })
}

#[cfg(test)]
mod tests;
