//! From the name of a model to its engine: the catalogue, the store, the engine.

use std::sync::Arc;

use async_trait::async_trait;
use inference::models::{Progress, Store, find};
use inference::{Engine, LoadFailed, Loader};

use crate::engines;

/// Where models are, and how they are opened.
#[derive(Debug, Clone)]
pub struct Shelf {
    store: Store,
}

impl Shelf {
    /// Models of this store, and of the catalogue that fills it.
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

#[async_trait]
impl Loader for Shelf {
    /// By a name of the catalogue, or the path of a file.
    async fn load(&self, model: &str) -> Result<Arc<dyn Engine>, LoadFailed> {
        let entry = find(model).map_err(|error| {
            tracing::info!(%error, "asked for an unknown model");
            LoadFailed::Unknown(model.to_owned())
        })?;
        let told = |progress| match progress {
            Progress::Asking(source) => tracing::info!(model, source, "fetching a model"),
            Progress::Failed(source, why) => tracing::warn!(model, source, why, "a source failed"),
            Progress::Checking | Progress::Fetching { .. } => {}
        };
        let broken = |error: &dyn std::fmt::Display| LoadFailed::Broken(error.to_string());
        let file = self.store.ensure(&entry, &told).await.map_err(|error| broken(&error))?;
        let engine = engines::open(&entry, &file, self.store.folder()).await;
        engine.map_err(|error| broken(&error))
    }
}
