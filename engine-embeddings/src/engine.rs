//! The network, the thread and the tokens behind one trait.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use inference::embedding::{EmbedError, Embedder, Embedding, EmbeddingCard, OnDemand, Turns};
use inference::models::{BadFile, EmbeddingModel, Progress, Store, safetensors};

use crate::batches::Batches;
use crate::bert::{Bert, Build};
use crate::text::Texts;
use crate::worker::Worker;

/// As all-MiniLM-L6-v2 was built.
const BUILD: Build = Build { heads: 12, epsilon: 1e-12 };

/// The longest text, in tokens: what sentence-transformers reads of one. The network would take
/// more, but was not trained on it.
const LIMIT: usize = 256;

/// Numbers of a vector.
const DIMENSIONS: usize = 384;

/// all-MiniLM-L6-v2.
pub struct MiniLm {
    card: EmbeddingCard,
    texts: Arc<Texts>,
    worker: Worker,
}

/// Why the model could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file with the numbers is not sound.
    #[error("{} cannot be used: {cause}", path.display())]
    Unsound {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: BadFile,
    },
    /// The files are no such model.
    #[error("{} cannot be used: {why}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// There was no thread to be had.
    #[error("no thread for embeddings: {0}")]
    NoThread(#[from] std::io::Error),
}

impl MiniLm {
    /// Loads the model under the name `id` from its numbers (safetensors) and its vocabulary
    /// (`tokenizer.json`). Blocks, for half a second.
    pub fn load(
        numbers: &Path,
        tokenizer: &Path,
        id: &str,
        title: &str,
    ) -> Result<Self, LoadError> {
        let unusable = |path: &Path, why: String| LoadError::Unusable { path: path.into(), why };
        safetensors::check(numbers)
            .map_err(|cause| LoadError::Unsound { path: numbers.into(), cause })?;
        let bert = Bert::load(numbers, BUILD)
            .map_err(|error| unusable(numbers, first_line(&error.to_string())))?;
        let shape = || Ok((bert.dimensions()?, bert.vocabulary()?, bert.longest()?));
        let (dimensions, vocabulary, longest) =
            shape().map_err(|error: candle_core::Error| unusable(numbers, error.to_string()))?;
        if dimensions != DIMENSIONS || longest < LIMIT {
            let why = format!("{dimensions} numbers for texts of {longest} tokens at most");
            return Err(unusable(numbers, why));
        }
        let texts = Texts::load(tokenizer, LIMIT).map_err(|why| unusable(tokenizer, why))?;
        if texts.vocabulary() > vocabulary {
            let why = format!("{} tokens for a network of {vocabulary}", texts.vocabulary());
            return Err(unusable(tokenizer, why));
        }
        let compute = move |texts: &[&[u32]]| {
            bert.vectors(texts).map_err(|error| first_line(&error.to_string()))
        };
        Ok(Self {
            card: card(id, title),
            texts: Arc::new(texts),
            worker: Worker::start(Box::new(compute))?,
        })
    }
}

fn card(id: &str, title: &str) -> EmbeddingCard {
    EmbeddingCard {
        id: id.to_owned(),
        title: title.to_owned(),
        dimensions: DIMENSIONS,
        max_tokens: LIMIT,
    }
}

/// The model out of a store, which fetches it when the first text comes.
pub fn on_demand(model: EmbeddingModel, store: Store) -> OnDemand {
    let card = card(&model.numbers.id, &model.numbers.title);
    OnDemand::new(card, move || bring(model.clone(), store.clone()))
}

async fn bring(model: EmbeddingModel, store: Store) -> Result<Arc<dyn Embedder>, String> {
    let told = |progress| match progress {
        Progress::Asking(source) => tracing::info!(source, "fetching the embedding model"),
        Progress::Failed(source, why) => tracing::warn!(source, why, "a source failed"),
        Progress::Checking | Progress::Fetching { .. } => {}
    };
    let files = store.ensure_embeddings(&model, &told).await;
    let (numbers, tokenizer) = files.map_err(|error| error.to_string())?;
    let load = move || {
        let about = &model.numbers;
        MiniLm::load(&numbers, &tokenizer, &about.id, &about.title)
    };
    let loaded = tokio::task::spawn_blocking(load).await.map_err(|error| error.to_string())?;
    Ok(Arc::new(loaded.map_err(|error| error.to_string())?))
}

/// The library puts a backtrace into its errors if the environment asks for one.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[async_trait]
impl Embedder for MiniLm {
    fn models(&self) -> Vec<EmbeddingCard> {
        vec![self.card.clone()]
    }

    async fn embed(
        &self,
        model: &str,
        texts: Vec<String>,
        turns: &mut Turns,
    ) -> Result<Vec<Embedding>, EmbedError> {
        if model != self.card.id {
            return Err(EmbedError::UnknownModel(model.to_owned()));
        }
        let nobody_waits = turns.left().child_token();
        // Cancels when this future is dropped, too.
        let _waiting = nobody_waits.clone().drop_guard();
        let tokenizer = Arc::clone(&self.texts);
        let tokens = tokio::task::spawn_blocking(move || tokenizer.tokens(&texts, &nobody_waits))
            .await
            .map_err(|error| EmbedError::Broken(error.to_string()))??;
        if turns.left().is_cancelled() {
            return Err(EmbedError::Left);
        }
        let empty = |tokens: &Vec<u32>| Embedding { vector: Vec::new(), tokens: tokens.len() };
        let mut made: Vec<_> = tokens.iter().map(empty).collect();
        let mut batches = Batches::of(tokens);
        while let Some(batch) = batches.next() {
            let (places, texts): (Vec<_>, Vec<_>) = batch.iter().cloned().unzip();
            let tokens = texts.iter().map(Vec::len).sum();
            turns.next().await?;
            let vectors = self.worker.vectors(texts).await?;
            turns.read(tokens);
            for (place, vector) in places.into_iter().zip(vectors) {
                made[place].vector = vector;
            }
        }
        Ok(made)
    }
}
