//! mistral.rs as it comes, with the weights that our engine gives it: all that is asked goes
//! straight into its own queue.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use mistralrs::core::{
    AdapterPaths, DeviceMapMetadata, GGUFLoaderBuilder, GGUFSpecificConfig, LocalModelPaths,
    MistralRs, MistralRsBuilder, ModelPaths, SchedulerConfig,
};
use mistralrs::{
    DefaultSchedulerMethod, Device, DeviceMapSetting, ModelDType, NormalRequest, Request,
    RequestMessage, Response, SamplingParams,
};
use tokio::sync::mpsc::channel;

use crate::Error;

/// A loaded model.
pub(crate) struct Plain(Arc<MistralRs>);

/// An answer, and when it came.
pub(crate) struct Took {
    pub(crate) first: Duration,
    pub(crate) rest: Duration,
    pub(crate) tokens: usize,
}

impl Plain {
    pub(crate) async fn load(file: &Path, at_once: usize) -> Result<Self, Error> {
        let file = file.to_owned();
        let pipeline = tokio::task::spawn_blocking(move || {
            let folder = file.parent().unwrap_or(Path::new(".")).to_string_lossy().into_owned();
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let config = GGUFSpecificConfig { topology: None };
            let loader =
                GGUFLoaderBuilder::new(None, None, folder, vec![name], config, false, None).build();
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
            let map = DeviceMapSetting::Map(DeviceMapMetadata::dummy());
            let (dtype, cpu) = (ModelDType::F32, Device::Cpu);
            loader.load_model_from_path(&paths, &dtype, &cpu, true, map, None, None)
        });
        let pipeline = pipeline.await?.map_err(|error| error.to_string())?;
        let at_once = NonZeroUsize::new(at_once).ok_or("none at once")?;
        let method = DefaultSchedulerMethod::Fixed(at_once);
        let scheduler = SchedulerConfig::DefaultScheduler { method };
        let builder = MistralRsBuilder::new(pipeline, scheduler, false, None);
        Ok(Self(builder.with_no_prefix_cache(true).build().await))
    }

    /// Goes on with a text.
    pub(crate) async fn answer(&self, text: &str, tokens: usize) -> Result<Took, Error> {
        let (response, mut responses) = channel(tokens + 16);
        let prompt =
            RequestMessage::Completion { text: text.to_owned(), echo_prompt: false, best_of: None };
        let sampling = SamplingParams {
            temperature: Some(0.0),
            max_len: Some(tokens),
            ..SamplingParams::neutral()
        };
        let id = self.0.next_request_id();
        let mut request = NormalRequest::new_simple(prompt, sampling, response, id, None, None);
        request.is_streaming = true;
        let begun = Instant::now();
        let sender = self.0.get_sender(None).map_err(|error| error.to_string())?;
        sender.send(Request::Normal(Box::new(request))).await.map_err(|error| error.to_string())?;
        let (mut first, mut made) = (None, 0);
        while let Some(response) = responses.recv().await {
            match response {
                Response::CompletionChunk(_) => {
                    first.get_or_insert_with(|| begun.elapsed());
                    made += 1;
                }
                Response::CompletionDone(_) | Response::Done(_) => {}
                _ => return Err("mistral.rs failed".into()),
            }
        }
        let first = first.ok_or("mistral.rs said nothing")?;
        Ok(Took { first, rest: begun.elapsed().saturating_sub(first), tokens: made })
    }

    /// All at once; tokens of all.
    pub(crate) async fn together(&self, texts: &[String], tokens: usize) -> Result<usize, Error> {
        let mut made = 0;
        for answer in join_all(texts.iter().map(|text| self.answer(text, tokens))).await {
            made += answer?.tokens;
        }
        Ok(made)
    }
}
