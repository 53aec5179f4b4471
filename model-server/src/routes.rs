//! The engines of the models that are not, or not only, here: in order, each with a breaker.

use std::collections::BTreeMap;
use std::sync::Arc;

use inference::Engine;
use inference::prices::Prices;
use inference::route::{Fuse, PriceTable, Priced, Retries, Route, Unpriced};
use inference::upstream;

use crate::config::{ConfigError, Upstream, UpstreamModel};

/// Why a model of others cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// What the configuration says.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What an upstream's configuration says.
    #[error(transparent)]
    Upstream(#[from] upstream::ConfigError),
    /// It has no price.
    #[error(transparent)]
    Unpriced(#[from] Unpriced),
}

struct Table<'a>(&'a Prices);

impl PriceTable for Table<'_> {
    fn has(&self, entry: &str) -> bool {
        self.0.of(entry).is_ok()
    }
}

/// The models that the upstreams offer, each once, in the order of the file.
pub fn offered(upstreams: &[Upstream]) -> Vec<&str> {
    let mut ids = Vec::new();
    for model in upstreams.iter().flat_map(|upstream| &upstream.models) {
        if !ids.contains(&model.id.as_str()) {
            ids.push(model.id.as_str());
        }
    }
    ids
}

/// An engine that answers for `model`: `here`, if it is here too, then each upstream that offers
/// it. Whoever answers, the model has one price. Must be called from within a runtime.
pub fn route(
    model: &str,
    here: Option<Arc<dyn Engine>>,
    upstreams: &[Upstream],
    prices: &Prices,
) -> Result<Option<Arc<dyn Engine>>, RouteError> {
    let table = Table(prices);
    let mut legs = Vec::new();
    if let Some(here) = here {
        let entries = BTreeMap::from([(model.to_owned(), model.to_owned())]);
        legs.push(Priced::engine("here", here, entries, &table)?);
    }
    for upstream in upstreams {
        let is_it = |offered: &&UpstreamModel| offered.id == model;
        for offered in upstream.models.iter().filter(is_it) {
            let upstream = upstream::Upstream::new(upstream.of(offered)?)?;
            legs.push(Priced::upstream(upstream, &table)?);
        }
    }
    // The waits only have to differ between servers.
    let seed = u64::from(std::process::id());
    let route = Route::new(legs, Fuse::default(), Retries::default(), seed);
    Ok(route.map(|route| Arc::new(route) as Arc<dyn Engine>))
}
