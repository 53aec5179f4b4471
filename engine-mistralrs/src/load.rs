//! From a GGUF file to a running engine. Touches no network: the file's path is given to the
//! engine's loader as it is, past the code that knows Hugging Face.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use candle_core::Device;
use inference::ModelCard;
use inference::lanes::{Lanes, Open};
use inference::models::gguf;
use inference::sampling::Unset;
use mistralrs::core::{
    AdapterPaths, DefaultSchedulerMethod, DeviceMapMetadata, DeviceMapSetting, GGUFLoaderBuilder,
    GGUFSpecificConfig, LocalModelPaths, MistralRs, MistralRsBuilder, ModelDType, ModelPaths,
    SchedulerConfig,
};
use tokio::task::{JoinError, spawn_blocking};

use crate::device::device;
use crate::engine::MistralEngine;
use crate::gguf::Header;
use crate::memory;
use crate::reencode::{Encoding, reencoded};

/// How to load a model.
#[derive(Debug, Clone)]
pub struct Options {
    /// The name for people.
    pub title: String,
    /// Where a re-encoded copy is kept.
    pub cache: PathBuf,
    /// What is done to the model's tensors; [`Encoding::best_for`] its size if not set.
    pub encoding: Option<Encoding>,
    /// What is computed in between the tensors.
    pub precision: Precision,
    /// For jobs that do not say; 0 to 2.
    pub temperature: f32,
    /// For jobs that do not say; above 0, at most 1.
    pub top_p: f32,
    /// How much less likely a token gets that the answer has used of late; 1 changes nothing.
    pub repetition: f32,
    /// Answers at once, at most, of a model small enough to be unpacked; each of them holds a
    /// copy of the model in memory while more than one is needed. Larger models answer one at a
    /// time.
    pub at_once: usize,
    /// The longest prompt that is read, in tokens; longer ones are refused. Reading cannot be
    /// interrupted, and takes more than twice as long for twice the length: 523 tokens 1.6 s,
    /// 1,023 tokens 4.4 s, 3,023 tokens 55 s (SmolLM2-135M, two cores).
    pub prompt_tokens: usize,
}

impl Options {
    /// What measured best and what small models are best drawn with.
    pub fn new(title: impl Into<String>, cache: impl Into<PathBuf>) -> Self {
        Self {
            title: title.into(),
            cache: cache.into(),
            encoding: None,
            precision: Precision::default(),
            temperature: 0.2,
            top_p: 0.9,
            repetition: 1.15,
            at_once: 4,
            prompt_tokens: 1024,
        }
    }
}

/// The numbers between the tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// 32 bits: measured faster on processors, the more so the longer the conversation.
    #[default]
    F32,
    /// 16 bits: half the memory for conversations.
    F16,
}

/// Why a model could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is not a model this engine runs.
    #[error("{} cannot be used: {}", path.display(), first_line(cause))]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: anyhow::Error,
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

/// The engine puts a backtrace into its errors if the environment asks for one.
fn first_line(cause: &anyhow::Error) -> String {
    format!("{cause:#}").lines().next().unwrap_or_default().to_owned()
}

impl MistralEngine {
    /// Loads the model at `path` under the name `id`. Takes a second for a small model, and some
    /// more the first time, when a faster copy of it is written.
    pub async fn load(path: &Path, id: &str, options: Options) -> Result<Self, LoadError> {
        let unusable = |cause| LoadError::Unusable { path: path.to_owned(), cause };
        let broke =
            |error: JoinError| LoadError::Broke { path: path.to_owned(), what: last_words(error) };
        let Options { title, cache, encoding, precision, at_once, prompt_tokens, .. } = options;
        let Options { temperature, top_p, repetition, .. } = options;

        // The engine's loader panics on files that are not what they say, hence the tasks.
        let source = path.to_owned();
        let prepared = spawn_blocking(move || {
            let header = Header::read(&source)?;
            let encoding = encoding.unwrap_or_else(|| Encoding::best_for(header.parameters));
            let copy = reencoded(&source, &cache, encoding).and_then(|copy| {
                gguf::check(&copy)?;
                Ok(copy)
            });
            let file = copy.unwrap_or_else(|error| {
                // A full disk, say: slower is better than not at all.
                tracing::warn!("no faster copy of the model: {error:#}");
                source
            });
            anyhow::Ok((header, encoding, file))
        });
        let (header, encoding, file) = prepared.await.map_err(broke)?.map_err(unusable)?;
        let device = spawn_blocking(device).await.map_err(broke)?;
        tracing::info!(model = id, on = ?device.location(), "loading a model");
        let opener = Opener { file, precision, device, bytes: 4 * header.parameters as u64 };
        let runner = opener.runner().await.map_err(broke)?.map_err(unusable)?;

        let prompt_tokens = prompt_tokens.min(header.context_tokens);
        let card = ModelCard { id: id.to_owned(), title, context_tokens: prompt_tokens };
        let unset = Unset { temperature, top_p, repetition };
        // Copies of a large model would fill a laptop.
        let most = if encoding == Encoding::Unpacked { at_once.max(1) } else { 1 };
        Ok(Self::new(Lanes::new(runner, opener, most), card, header, unset))
    }
}

/// Opens lanes of one model.
pub(crate) struct Opener {
    file: PathBuf,
    precision: Precision,
    device: Device,
    /// Memory for one, roughly: its numbers, unpacked.
    bytes: u64,
}

impl Opener {
    /// What is left to everything else when one more lane is open.
    const SPARE: u64 = 1 << 30;

    async fn runner(&self) -> Result<anyhow::Result<Arc<MistralRs>>, JoinError> {
        let (file, precision) = (self.file.clone(), self.precision);
        let device = self.device.clone();
        let opened = spawn_blocking(move || pipeline(file, precision, &device));
        let pipeline = match opened.await? {
            Ok(pipeline) => pipeline,
            Err(error) => return Ok(Err(error)),
        };
        // One sequence at a time: turning to another costs it a copy of the whole conversation,
        // and whenever one ends it reads the prompts of all others again. On a GPU it could page
        // several, and would forget and read again those of other lengths at each token.
        let method = DefaultSchedulerMethod::Fixed(NonZeroUsize::MIN);
        let runner = MistralRsBuilder::new(
            pipeline,
            SchedulerConfig::DefaultScheduler { method },
            false,
            None,
        )
        // Its prefix cache is shared by all callers and never shrinks on a processor.
        .with_no_prefix_cache(true);
        // Returns after a first token, so a loaded engine is a working one.
        Ok(Ok(tokio::spawn(async move { runner.build().await }).await?))
    }
}

#[async_trait]
impl Open for Opener {
    type Runner = Arc<MistralRs>;

    async fn open(&self) -> Result<Arc<MistralRs>, String> {
        let available = memory::available().unwrap_or_default();
        if available < self.bytes + Self::SPARE {
            return Err(format!("{} MiB of memory are free", available >> 20));
        }
        match self.runner().await {
            Ok(runner) => runner.map_err(|error| first_line(&error)),
            Err(error) => Err(last_words(error)),
        }
    }
}

type Pipeline = Arc<tokio::sync::Mutex<dyn mistralrs::core::Pipeline + Send + Sync>>;

fn pipeline(file: PathBuf, precision: Precision, device: &Device) -> anyhow::Result<Pipeline> {
    let folder = file.parent().unwrap_or(Path::new(".")).to_string_lossy().into_owned();
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let config = GGUFSpecificConfig { topology: None };
    let loader =
        GGUFLoaderBuilder::new(None, None, folder, vec![name], config, false, None).build();
    // Empty paths: tokenizer and template are in the file.
    let paths: Box<dyn ModelPaths> = Box::new(LocalModelPaths {
        tokenizer_filename: PathBuf::new(),
        config_filename: PathBuf::new(),
        template_filename: None,
        filenames: vec![file],
        adapter_paths: AdapterPaths::None,
        gen_conf: None,
        preprocessor_config: None,
        processor_config: None,
        chat_template_json_filename: None,
    });
    let dtype = match precision {
        Precision::F32 => ModelDType::F32,
        Precision::F16 => ModelDType::F16,
    };
    loader.load_model_from_path(
        &paths,
        &dtype,
        device,
        true,
        DeviceMapSetting::Map(DeviceMapMetadata::dummy()),
        None,
        None,
    )
}

fn last_words(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|&words| words.to_owned()))
            .unwrap_or_default(),
        Err(cancelled) => cancelled.to_string(),
    }
}
