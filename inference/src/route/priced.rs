//! No model without a price: an engine gets into a route only with an entry of the price table for
//! each of its models.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::breaker::Breaker;
use crate::engine::{Engine, EngineError, Job, Meter, TokenStream};
use crate::upstream::{Failure, Kind, Upstream};

/// Knows what there is a price for.
pub trait PriceTable {
    /// Whether the table has this entry.
    fn has(&self, entry: &str) -> bool;
}

/// A model that nobody could be charged for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{model} of {engine} has no price: {}", missing(entry.as_deref()))]
pub struct Unpriced {
    /// The engine's name.
    pub engine: String,
    /// The model.
    pub model: String,
    /// The entry that the price table does not have; `None` if none was named.
    pub entry: Option<String>,
}

fn missing(entry: Option<&str>) -> String {
    match entry {
        Some(entry) => format!("add {entry} to the price table"),
        None => "name an entry of the price table for it".to_owned(),
    }
}

/// What can be tried: an engine, or a server of others, which says more of why it failed.
#[async_trait]
pub(super) trait Candidate: Send + Sync {
    fn engine(&self) -> &dyn Engine;

    /// Begins to answer. Dropping the future gives up; the meter then knows what that used.
    async fn begin(&self, job: &Job, meter: Meter) -> Result<TokenStream, Failure>;
}

/// An engine all of whose models have a price.
#[derive(Clone)]
pub struct Priced {
    pub(super) name: String,
    pub(super) candidate: Arc<dyn Candidate>,
    pub(super) breaker: Option<Breaker>,
    prices: BTreeMap<String, String>,
}

impl Priced {
    /// An engine, with the price entry of each of its models by the model's name.
    pub fn engine(
        name: impl Into<String>,
        engine: Arc<dyn Engine>,
        prices: BTreeMap<String, String>,
        table: &dyn PriceTable,
    ) -> Result<Self, Unpriced> {
        Self::checked(name.into(), Arc::new(Local(engine)), prices, table)
    }

    /// An upstream, whose configuration names the price entries.
    pub fn upstream(upstream: Upstream, table: &dyn PriceTable) -> Result<Self, Unpriced> {
        let own = |(model, entry): (&str, &str)| (model.to_owned(), entry.to_owned());
        let prices = upstream.prices().map(own).collect();
        Self::checked(upstream.name().to_owned(), Arc::new(upstream), prices, table)
    }

    /// The same with this breaker: routes that share an engine share what is known of it.
    #[must_use]
    pub fn with_breaker(self, breaker: Breaker) -> Self {
        Self { breaker: Some(breaker), ..self }
    }

    /// The same for this one of its models, if it has it.
    #[must_use]
    pub fn only(mut self, model: &str) -> Option<Self> {
        self.prices.retain(|known, _| known == model);
        (!self.prices.is_empty()).then_some(self)
    }

    pub(super) fn checked(
        name: String,
        candidate: Arc<dyn Candidate>,
        prices: BTreeMap<String, String>,
        table: &dyn PriceTable,
    ) -> Result<Self, Unpriced> {
        for card in candidate.engine().models() {
            let entry = prices.get(&card.id).cloned();
            if !entry.as_deref().is_some_and(|entry| table.has(entry)) {
                return Err(Unpriced { engine: name, model: card.id, entry });
            }
        }
        Ok(Self { name, candidate, breaker: None, prices })
    }

    /// Whether it answers for this model. One that came to the engine later has no price.
    pub(super) fn has(&self, model: &str) -> bool {
        self.prices.contains_key(model)
            && self.candidate.engine().models().iter().any(|card| card.id == model)
    }
}

impl fmt::Debug for Priced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, candidate: _, breaker: _, prices } = self;
        f.debug_struct("Priced").field("name", name).field("prices", prices).finish()
    }
}

struct Local(Arc<dyn Engine>);

#[async_trait]
impl Candidate for Local {
    fn engine(&self) -> &dyn Engine {
        self.0.as_ref()
    }

    async fn begin(&self, job: &Job, meter: Meter) -> Result<TokenStream, Failure> {
        self.0.generate(job.clone(), meter).await.map_err(Failure::of_engine)
    }
}

#[async_trait]
impl Candidate for Upstream {
    fn engine(&self) -> &dyn Engine {
        self
    }

    async fn begin(&self, job: &Job, meter: Meter) -> Result<TokenStream, Failure> {
        let begun = Upstream::begin(self, job, &meter).await?;
        Ok(self.follow(begun, job, meter))
    }
}

impl Failure {
    /// What helps after an error of an engine that says no more.
    pub(super) fn of_engine(error: EngineError) -> Self {
        let kind = match error {
            EngineError::Busy { after } => Kind::Busy(after),
            EngineError::Broken(_) | EngineError::Gone => Kind::Broken,
            _ => Kind::Refused,
        };
        Self { error, kind }
    }
}
