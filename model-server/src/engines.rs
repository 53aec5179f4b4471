//! Which engine runs a model, and what happens when it dies.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use engine_mistralrs::{LoadError, MistralEngine, Options};
use inference::Engine;
use inference::models::Entry;
use inference::watchdog::{Load, Vigilance, Watched};

/// Opens the model in `file` with the engine that suits it, and again should that die. `cache` is
/// where an engine keeps a copy of the model that it reads faster. Must be called from within a
/// runtime.
pub async fn open(entry: &Entry, file: &Path, cache: &Path) -> Result<Arc<dyn Engine>, LoadError> {
    let again = Again { entry: entry.clone(), file: file.to_owned(), cache: cache.to_owned() };
    let engine = again.engine().await?;
    Ok(Arc::new(Watched::new(engine, again, Vigilance::default())))
}

/// How to open a model once more.
struct Again {
    entry: Entry,
    file: PathBuf,
    cache: PathBuf,
}

impl Again {
    async fn engine(&self) -> Result<Arc<dyn Engine>, LoadError> {
        let Self { entry, file, cache } = self;
        let options = Options::new(&entry.title, cache);
        Ok(Arc::new(MistralEngine::load(file, &entry.id, options).await?))
    }
}

#[async_trait]
impl Load for Again {
    async fn load(&self) -> Result<Arc<dyn Engine>, String> {
        self.engine().await.map_err(|error| error.to_string())
    }
}
