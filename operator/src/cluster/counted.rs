//! The API server, with every answer to a write counted.

use async_trait::async_trait;
use plan::decide::GpuNodes;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use serde_json::Value;

use super::{At, CallError, Cluster, Found, OwnDatabase, Told, Write};
use crate::seen::{ChildId, News, Resource};

/// Writes to the API server, by what came of them.
pub type Answers = Family<ByAnswer, Counter>;

/// What came of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ByAnswer {
    answer: &'static str,
}

/// The same, with every answer to a write counted.
pub struct Counted<C> {
    cluster: C,
    answers: Answers,
}

impl<C> Counted<C> {
    /// Counts them here.
    pub fn new(cluster: C, answers: Answers) -> Self {
        Self { cluster, answers }
    }

    fn count<T>(&self, answer: Result<T, CallError>) -> Result<T, CallError> {
        let word = answer.as_ref().map_or_else(CallError::word, |_| "done");
        self.answers.get_or_create(&ByAnswer { answer: word }).inc();
        answer
    }
}

#[async_trait]
impl<C: Cluster> Cluster for Counted<C> {
    async fn home(&self, tenant: &str) -> Result<Found, CallError> {
        self.cluster.home(tenant).await
    }

    async fn blueprint(&self, name: &str) -> Result<Option<News>, CallError> {
        self.cluster.blueprint(name).await
    }

    async fn own_database(&self, tenant: &str) -> Result<Option<OwnDatabase>, CallError> {
        self.cluster.own_database(tenant).await
    }

    async fn apply(&self, write: Write<'_>) -> Result<News, CallError> {
        self.count(self.cluster.apply(write).await)
    }

    async fn remove(&self, tenant: &str, id: &ChildId, at: At) -> Result<Option<News>, CallError> {
        self.count(self.cluster.remove(tenant, id, at).await)
    }

    async fn status(&self, name: &str, at: At, status: &Value) -> Result<News, CallError> {
        self.count(self.cluster.status(name, at, status).await)
    }

    async fn hold(&self, name: &str, at: At, held: bool) -> Result<News, CallError> {
        self.count(self.cluster.hold(name, at, held).await)
    }

    async fn has_gpus(&self, wanted: &GpuNodes) -> Result<Option<bool>, CallError> {
        self.cluster.has_gpus(wanted).await
    }

    async fn tell(&self, name: &str, about: &Resource, told: Told) {
        self.cluster.tell(name, about, told).await;
    }
}
