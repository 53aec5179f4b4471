//! Which engine runs a model.

use std::path::Path;
use std::sync::Arc;

use engine_mistralrs::{LoadError, MistralEngine, Options};
use inference::Engine;
use inference::models::Entry;

/// Opens the model in `file` with the engine that suits it. `cache` is where an engine keeps a
/// copy of the model that it reads faster.
pub async fn open(entry: &Entry, file: &Path, cache: &Path) -> Result<Arc<dyn Engine>, LoadError> {
    let options = Options::new(&entry.title, cache);
    Ok(Arc::new(MistralEngine::load(file, &entry.id, options).await?))
}
