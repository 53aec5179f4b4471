//! From the name of a model to its engine: the catalogue, the store, the engine.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use engine_embeddings::MiniLm;
use inference::embedding::Embedder;
use inference::models::{EmbeddingModel, Entry, Progress, Store, embedding_models, find};
use inference::{Engine, LoadFailed, Loader};

use crate::engines::{self, Choice};
use crate::routes::Offers;

/// Where models are, and how they are opened.
#[derive(Debug, Clone)]
pub struct Shelf {
    store: Store,
    offers: Offers,
    choice: Choice,
}

impl Shelf {
    /// Models of this store, and of the catalogue that fills it; where one fails, upstreams that
    /// offer the same one stand in.
    pub fn new(store: Store, offers: Offers, choice: Choice) -> Self {
        Self { store, offers, choice }
    }

    /// What upstreams offer.
    pub fn offers(&self) -> &Offers {
        &self.offers
    }

    /// The model that is here, opened.
    async fn here(&self, entry: &Entry) -> Result<Arc<dyn Engine>, LoadFailed> {
        let file = self.file(entry).await?;
        let engine = engines::open(entry, &file, self.store.folder(), self.choice).await;
        engine.map_err(|error| broken(&error))
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
    /// By a name of the catalogue, the path of a file, or the name of an upstream's model.
    async fn load(&self, model: &str) -> Result<Arc<dyn Engine>, LoadFailed> {
        let id = self.id_of(model);
        let is_offered = self.offers.ids().any(|offered| offered == id);
        let here = match find(model) {
            Ok(entry) => Some(self.here(&entry).await?),
            Err(_) if is_offered => None,
            Err(error) => {
                tracing::info!(%error, "asked for an unknown model");
                None
            }
        };
        if !is_offered {
            return here.ok_or_else(|| LoadFailed::Unknown(model.to_owned()));
        }
        let route = self.offers.route(&id, here).map_err(|error| broken(&error))?;
        route.ok_or_else(|| LoadFailed::Unknown(model.to_owned()))
    }

    fn id_of(&self, model: &str) -> String {
        find(model).map_or_else(|_| model.to_owned(), |entry| entry.id)
    }
}

#[cfg(test)]
mod tests {
    use inference::prices::Prices;

    use super::*;

    #[tokio::test]
    async fn a_model_of_an_upstream_comes_back_by_its_name() {
        let price = "{large: {currency: USD, prompt: 0, cachedPrompt: 0, completion: 0}}";
        let prices: Prices = serde_saphyr::from_str(price).unwrap();
        let upstreams: Vec<crate::config::Upstream> = serde_saphyr::from_str(
            "- {name: other, baseUrl: 'http://127.0.0.1:9/v1', models: [
                {id: large, upstreamId: l, title: L, contextTokens: 64}]}",
        )
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let offers = Offers::new(&upstreams, prices).unwrap();
        let shelf = Shelf::new(Store::new(folder.path()), offers, Choice::default());
        let large = shelf.load("large").await.unwrap();
        assert_eq!(large.models()[0].id, "large");
        let unknown = shelf.load("larger").await.map(drop);
        assert_eq!(unknown, Err(LoadFailed::Unknown("larger".to_owned())));
    }

    #[test]
    fn a_file_answers_under_its_name_and_not_under_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.gguf");
        std::fs::write(&file, "GGUF").unwrap();
        let offers = Offers::new(&[], Prices::default()).unwrap();
        let shelf = Shelf::new(Store::new(folder.path()), offers, Choice::default());
        assert_eq!(shelf.id_of(file.to_str().unwrap()), "mine");
        assert_eq!(shelf.id_of("smollm2-135m"), "smollm2-135m");
    }
}
