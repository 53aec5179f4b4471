//! Which engine runs a model, and what happens when it dies; and which one makes vectors.
//!
//! llama.cpp, where it was compiled in and no GPU is used: on processors it is several times faster,
//! and answers many people in one go. Else, and for files that it does not take, mistral.rs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use engine_mistralrs::{MistralEngine, Options, has_gpu};
use inference::Engine;
use inference::embedding::Embedder;
use inference::models::{Entry, Store, embedding_models};
use inference::watchdog::{Load, Vigilance, Watched};
use serde::Deserialize;

/// Which engine runs models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Choice {
    /// The fastest of those that were compiled in and take the model.
    #[default]
    Fastest,
    /// mistral.rs, which is always there.
    MistralRs,
}

/// Why no engine runs a model; the text is for whoever chose it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OpenError(String);

/// Opens the model in `file` with the engine that suits it, and again should that die. `cache` is
/// where an engine keeps a copy of the model that it reads faster. Must be called from within a
/// runtime.
pub async fn open(
    entry: &Entry,
    file: &Path,
    cache: &Path,
    choice: Choice,
) -> Result<Arc<dyn Engine>, OpenError> {
    let (entry, file, cache) = (entry.clone(), file.to_owned(), cache.to_owned());
    let again = Again { entry, file, cache, choice };
    let engine = again.engine().await?;
    Ok(Arc::new(Watched::new(engine, again, Vigilance::default())))
}

/// How to open a model once more.
struct Again {
    entry: Entry,
    file: PathBuf,
    cache: PathBuf,
    choice: Choice,
}

impl Again {
    async fn engine(&self) -> Result<Arc<dyn Engine>, OpenError> {
        let Self { entry, file, cache, choice } = self;
        if *choice == Choice::Fastest
            && !has_gpu()
            && let Some(engine) = faster(entry, file, cache).await
        {
            return Ok(engine);
        }
        let options = Options::new(&entry.title, cache);
        match MistralEngine::load(file, &entry.id, options).await {
            Ok(engine) => Ok(Arc::new(engine)),
            Err(error) => Err(OpenError(error.to_string())),
        }
    }
}

#[cfg(feature = "llamacpp")]
async fn faster(entry: &Entry, file: &Path, cache: &Path) -> Option<Arc<dyn Engine>> {
    use engine_llamacpp::{LlamaEngine, Options};

    match LlamaEngine::load(file, &entry.id, Options::new(&entry.title, cache)).await {
        Ok(engine) => Some(Arc::new(engine)),
        Err(error) => {
            tracing::warn!(model = entry.id, %error, "llama.cpp does not run it");
            None
        }
    }
}

#[cfg(not(feature = "llamacpp"))]
#[expect(clippy::unused_async, reason = "the same as where there is one")]
async fn faster(_: &Entry, _: &Path, _: &Path) -> Option<Arc<dyn Engine>> {
    None
}

#[async_trait]
impl Load for Again {
    async fn load(&self) -> Result<Arc<dyn Engine>, String> {
        self.engine().await.map_err(|error| error.to_string())
    }
}

/// What makes vectors of texts, for local mode. It is fetched into the store and loaded when the
/// first text comes.
pub fn embedder(store: &Store) -> Option<Arc<dyn Embedder>> {
    let model = embedding_models().into_iter().next()?;
    Some(Arc::new(engine_embeddings::on_demand(model, store.clone())))
}
