//! Questions to the DNS.

mod resolver;

use std::net::IpAddr;

use async_trait::async_trait;

pub use resolver::Resolver;

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
