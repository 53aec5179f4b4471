//! One job: its prompt in tokens, its shape as a grammar, and off to the thread that computes.

use std::sync::Arc;

use async_trait::async_trait;
use inference::engine::{TokenStream, token_stream};
use inference::sampling::{Sampling, Unset};
use inference::stop::StopFilter;
use inference::{Engine, EngineError, Job, Meter, ModelCard};
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::drawing::Drawing;
use crate::sequence::Begin;
use crate::shape::Shapes;
use crate::tokenizer::{Tokenizer, Tokens};

/// Longer prompts are not counted exactly before their turn, since that takes a while.
const QUICKLY_COUNTED: usize = 16 << 10;

/// A loaded model. Dropping it frees the model once its last answer is done.
pub struct LlamaEngine {
    pub(crate) model: Arc<Model>,
    pub(crate) jobs: Sender<Begin>,
    pub(crate) room: watch::Sender<usize>,
}

/// What is known of a model outside of its thread.
pub(crate) struct Model {
    pub(crate) card: ModelCard,
    /// Tokens of prompt and answer together, at most.
    pub(crate) context: usize,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) shapes: Shapes,
    pub(crate) unset: Unset,
}

impl Model {
    fn tokens(&self, job: &Job) -> Result<Tokens, EngineError> {
        let limit = self.card.context_tokens;
        if self.tokenizer.is_longer_than(limit, &job.prompt) {
            return Err(EngineError::PromptTooLong { limit });
        }
        let tokens = self.tokenizer.tokens(&job.prompt, job.owner.shared_messages);
        let tokens = tokens.map_err(EngineError::Refused)?;
        if tokens.all.len() > limit {
            return Err(EngineError::PromptTooLong { limit });
        }
        Ok(tokens)
    }

    /// Makes a job ready, and the stream that it will be answered on.
    fn begin(&self, job: Job, meter: Meter) -> Result<(Begin, TokenStream), EngineError> {
        let prompt = self.tokens(&job)?;
        let shape = self.shapes.matcher(&job.shape)?;
        let sampling = Sampling::of(&job, self.unset);
        let (out, stream) = token_stream();
        let most = prompt.all.len().saturating_add(job.max_tokens).min(self.context);
        let drawing = Drawing::new(sampling, shape, StopFilter::new(job.stop), job.logprobs);
        Ok((Begin { out, meter, owner: job.owner, prompt, most, drawing }, stream))
    }
}

#[async_trait]
impl Engine for LlamaEngine {
    fn models(&self) -> Vec<ModelCard> {
        vec![self.model.card.clone()]
    }

    fn room(&self) -> watch::Receiver<usize> {
        self.room.subscribe()
    }

    fn prompt_at_most(&self, job: &Job) -> usize {
        let bound = job.prompt.tokens_at_most();
        if bound > QUICKLY_COUNTED {
            return bound;
        }
        self.model.tokens(job).map_or(bound, |tokens| tokens.all.len())
    }

    async fn generate(&self, job: Job, meter: Meter) -> Result<TokenStream, EngineError> {
        if job.model != self.model.card.id {
            return Err(EngineError::UnknownModel(job.model));
        }
        let model = Arc::clone(&self.model);
        let made = spawn_blocking(move || model.begin(job, meter)).await;
        let (begin, stream) = made.map_err(|error| EngineError::Broken(error.to_string()))??;
        self.jobs.send(begin).await.map_err(|_| EngineError::Gone)?;
        Ok(stream)
    }
}
