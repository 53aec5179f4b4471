//! From a GGUF file to a running engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inference::ModelCard;
use inference::models::gguf::{self, Gguf};
use inference::sampling::Unset;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::spawn_blocking;

use crate::backend::backend;
use crate::context::Sizes;
use crate::cores::cores;
use crate::engine::{LlamaEngine, Model};
use crate::reencode::reencoded;
use crate::shape::Shapes;
use crate::tokenizer::Tokenizer;
use crate::worker;

/// How to load a model.
#[derive(Debug, Clone)]
pub struct Options {
    /// The name for people.
    pub title: String,
    /// Where a faster copy is kept.
    pub cache: PathBuf,
    /// For jobs that do not say; 0 to 2.
    pub temperature: f32,
    /// For jobs that do not say; above 0, at most 1.
    pub top_p: f32,
    /// How much less likely a token gets that the answer has used of late; 1 changes nothing.
    pub repetition: f32,
    /// Answers at once; 1 to 64.
    pub at_once: usize,
    /// The longest conversation, prompt and answer together, in tokens. Models that were made for
    /// shorter ones have theirs.
    pub context_tokens: usize,
    /// The longest prompt that is read, in tokens; longer ones are refused.
    pub prompt_tokens: usize,
    /// Bytes of memory for the conversations at work. There is always room for one of 2,048
    /// tokens, whatever this says.
    pub working_memory: usize,
    /// Bytes of memory for what has been read and may be needed again. 0 keeps nothing.
    pub kept_memory: usize,
    /// Threads that compute; as many as there are cores if not set. They wait for each other without
    /// giving the processor away: where others want it all the time, one thread is quicker.
    pub threads: Option<usize>,
}

impl Options {
    /// What measured best and what small models are best drawn with.
    pub fn new(title: impl Into<String>, cache: impl Into<PathBuf>) -> Self {
        Self {
            title: title.into(),
            cache: cache.into(),
            temperature: 0.2,
            top_p: 0.9,
            repetition: 1.15,
            at_once: 8,
            context_tokens: 4096,
            prompt_tokens: 3072,
            working_memory: 256 << 20,
            kept_memory: 256 << 20,
            threads: None,
        }
    }
}

/// Why a model could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is not a model this engine runs.
    #[error("{} cannot be used: {why}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The engine's own code gave up; mostly a file that is not what it says.
    #[error("the engine broke while it loaded {}: {what}", path.display())]
    Broke {
        /// The file.
        path: PathBuf,
        /// Its last words.
        what: String,
    },
}

/// Kinds of vocabulary of models that one can talk to. llama.cpp ends the process if it is asked
/// for tokens of a model without one.
const VOCABULARIES: [&str; 4] = ["gpt2", "llama", "plamo2", "rwkv"];

/// Room for a conversation that there is always memory for.
const LEAST_CONTEXT: usize = 2048;

impl LlamaEngine {
    /// Loads the model at `path` under the name `id`. Takes a second for a small model, and some
    /// more the first time, when a faster copy of it is written. The file, or the copy, is read
    /// where it lies, so it must stay.
    pub async fn load(path: &Path, id: &str, options: Options) -> Result<Self, LoadError> {
        let unusable = |why| LoadError::Unusable { path: path.to_owned(), why };
        let broke = |what| LoadError::Broke { path: path.to_owned(), what };
        let backend = backend().ok_or_else(|| broke("llama.cpp is in use already".to_owned()))?;
        let (file, cache) = (path.to_owned(), options.cache.clone());
        let opened = spawn_blocking(move || {
            let checked = gguf::check(&file).map_err(|error| error.to_string())?;
            let model = Arc::new(open(&file, &cache, &checked)?);
            let tokenizer = Tokenizer::new(&model)?;
            Ok::<_, String>((checked, model, tokenizer))
        });
        let opened = opened.await.map_err(|error| broke(last_words(error)))?;
        let (checked, model, tokenizer) = opened.map_err(unusable)?;

        let (sizes, context) = sizes(&checked, &options);
        let (jobs, to_do) = mpsc::channel(sizes.places);
        let (ready, is_ready) = oneshot::channel();
        let room = watch::Sender::new(sizes.places);
        let shapes = Shapes::new(Arc::clone(&model));
        let work = move || worker::work(backend, &model, &sizes, to_do, ready);
        let thread = std::thread::Builder::new().name("llama.cpp".to_owned()).spawn(work);
        thread.map_err(|error| broke(error.to_string()))?;
        is_ready.await.map_err(|_| broke("its thread has ended".to_owned()))?.map_err(unusable)?;

        let Options { title, temperature, top_p, repetition, prompt_tokens, .. } = options;
        let context_tokens = prompt_tokens.min(context - 1);
        let card = ModelCard { id: id.to_owned(), title, context_tokens };
        let unset = Unset { temperature, top_p, repetition };
        let model = Arc::new(Model { card, context, tokenizer, shapes, unset });
        Ok(Self { model, jobs, room })
    }
}

fn open(path: &Path, cache: &Path, checked: &Gguf) -> Result<LlamaModel, String> {
    let backend = backend().ok_or("llama.cpp is in use already")?;
    let path = reencoded(path, cache, checked).unwrap_or_else(|error| {
        // A full disk, say: slower is better than not at all.
        tracing::warn!(%error, "no faster copy of the model");
        path.to_owned()
    });
    let model = LlamaModel::load_from_file(backend, path, &LlamaModelParams::default());
    let model = model.map_err(|_| "llama.cpp does not take it for a model".to_owned())?;
    let vocabulary = model.meta_val_str("tokenizer.ggml.model").unwrap_or_default();
    if !VOCABULARIES.contains(&vocabulary.as_str()) {
        return Err(format!("models with a vocabulary of the kind {vocabulary:?} do not chat"));
    }
    Ok(model)
}

/// How large everything is, and how long a conversation can get.
fn sizes(checked: &Gguf, options: &Options) -> (Sizes, usize) {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    // Two bytes for each number.
    let bytes_per_token = number(checked.blocks * checked.kept_per_token * 2).max(1);
    let wanted = options.context_tokens.clamp(2, number(checked.context_tokens).max(2));
    let places = options.at_once.clamp(1, 64);
    let fit = (options.working_memory / bytes_per_token).max(LEAST_CONTEXT);
    let cells = fit.min(places * wanted);
    let sizes = Sizes {
        places,
        cells,
        bytes_per_token,
        kept_bytes: options.kept_memory,
        threads: options.threads.unwrap_or_else(cores).max(1),
    };
    (sizes, wanted.min(cells))
}

fn last_words(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|&words| words.to_owned()))
            .unwrap_or_default(),
        Err(cancelled) => cancelled.to_string(),
    }
}
