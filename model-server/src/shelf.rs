//! From the name of a model to its engine: the catalogue, the store, the engine.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use engine_embeddings::MiniLm;
use inference::embedding::Embedder;
use inference::models::{EmbeddingModel, Entry, Progress, Store, embedding_models, find};
use inference::prices::Prices;
use inference::{Engine, LoadFailed, Loader};

use crate::config::Upstream;
use crate::engines::{self, Choice};
use crate::routes::{offered, route};

/// Where models are, and how they are opened.
#[derive(Debug, Clone)]
pub struct Shelf {
    store: Store,
    upstreams: Vec<Upstream>,
    prices: Prices,
    choice: Choice,
}

impl Shelf {
    /// Models of this store, and of the catalogue that fills it; where one fails, upstreams that
    /// offer the same one stand in.
    pub fn new(store: Store, upstreams: Vec<Upstream>, prices: Prices, choice: Choice) -> Self {
        Self { store, upstreams, prices, choice }
    }

    /// The model of this name that turns texts into vectors.
    pub async fn embedder(&self, model: &str) -> Result<Arc<dyn Embedder>, LoadFailed> {
        let all = embedding_models();
        let found = all.into_iter().find(|known| known.numbers.id == model);
        let EmbeddingModel { numbers, tokenizer } =
            found.ok_or_else(|| LoadFailed::Unknown(model.to_owned()))?;
        let numbers_file = self.file(&numbers).await?;
        let tokenizer_file = self.file(&tokenizer).await?;
        let Entry { id, title, .. } = numbers;
        let load = move || MiniLm::load(&numbers_file, &tokenizer_file, &id, &title);
        let loaded = tokio::task::spawn_blocking(load).await;
        Ok(Arc::new(loaded.map_err(|error| broken(&error))?.map_err(|error| broken(&error))?))
    }

    /// The path of the entry's file, fetched if need be.
    async fn file(&self, entry: &Entry) -> Result<PathBuf, LoadFailed> {
        let model = entry.id.as_str();
        let told = |progress| match progress {
            Progress::Asking(source) => tracing::info!(model, source, "fetching a model"),
            Progress::Failed(source, why) => tracing::warn!(model, source, why, "a source failed"),
            Progress::Checking | Progress::Fetching { .. } => {}
        };
        self.store.ensure(entry, &told).await.map_err(|error| broken(&error))
    }
}

fn broken(error: &dyn std::fmt::Display) -> LoadFailed {
    LoadFailed::Broken(error.to_string())
}

#[async_trait]
impl Loader for Shelf {
    /// By a name of the catalogue, or the path of a file.
    async fn load(&self, model: &str) -> Result<Arc<dyn Engine>, LoadFailed> {
        let entry = find(model).map_err(|error| {
            tracing::info!(%error, "asked for an unknown model");
            LoadFailed::Unknown(model.to_owned())
        })?;
        let file = self.file(&entry).await?;
        let engine = engines::open(&entry, &file, self.store.folder(), self.choice).await;
        let engine = engine.map_err(|error| broken(&error))?;
        let is_it = |offered: &&str| **offered == *model;
        if !offered(&self.upstreams).iter().any(is_it) {
            return Ok(engine);
        }
        let route = route(model, Some(engine), &self.upstreams, &self.prices);
        let gone = || LoadFailed::Unknown(model.to_owned());
        route.map_err(|error| broken(&error))?.ok_or_else(gone)
    }
}
