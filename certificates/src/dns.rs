//! Questions to the DNS, and texts in a zone of ours.

mod resolver;
mod update;

use std::net::IpAddr;

use async_trait::async_trait;

pub use resolver::Resolver;
pub use update::{Algorithm, Key, Primary, Update};

/// No server gave an answer that can be counted on: there may be records or not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the DNS gave no answer about {name}: {why}")]
pub struct NoAnswer {
    /// What was asked about.
    pub name: String,
    /// What came instead.
    pub why: String,
}

/// Whom the DNS is asked through. No records are an answer too: an empty one.
#[async_trait]
pub trait Dns: Send + Sync {
    /// The texts of a name, each with its parts put together.
    async fn texts(&self, name: &str) -> Result<Vec<String>, NoAnswer>;
    /// What a name is another name of, in lower case and without a last dot; one step.
    async fn alias(&self, name: &str) -> Result<Option<String>, NoAnswer>;
    /// The addresses of a name, whatever it is another name of.
    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, NoAnswer>;
}

/// A text is not in the zone, as far as anybody knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} cannot be set in the DNS: {why}")]
pub struct NotSet {
    /// Where it belongs.
    pub name: String,
    /// What stands against it.
    pub why: String,
}

/// Who sets texts in a zone of ours. Whatever it is asked for twice is as it was after the first
/// time.
#[async_trait]
pub trait Editor: std::fmt::Debug + Send + Sync {
    /// Sets the one text of a name, in place of those it had, and returns once whoever asks any
    /// server of the zone is given it.
    async fn set(&self, name: &str, text: &str) -> Result<(), NotSet>;
    /// Removes the texts of a name.
    async fn clear(&self, name: &str) -> Result<(), NotSet>;
}
