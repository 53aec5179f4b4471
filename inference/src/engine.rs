//! The seam between the server and whatever computes tokens.
//!
//! An [`Engine`] takes a [`Job`] and answers with a [`TokenStream`] that it fills without ever
//! waiting for the reader. Dropping the stream stops the work; reading it to the end tells what
//! the work used, also when it was cancelled or failed. What it uses is told to a [`Meter`] token
//! by token meanwhile, so that it is known even of an engine that dies.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use crate::meter::{Charge, Meter};
pub use crate::route::BreakerState;

/// Computes answers. Engines run what they are given at once: whose turn it is was decided before.
#[async_trait]
pub trait Engine: Send + Sync {
    /// The models that can be asked for now, the default first.
    fn models(&self) -> Vec<ModelCard>;

    /// How many jobs it works on at once now; at least 1. Further ones are kept waiting outside.
    fn room(&self) -> watch::Receiver<usize>;

    /// The most tokens that the prompt of this job can have. Cheap: asked before its turn.
    fn prompt_at_most(&self, job: &Job) -> usize {
        job.prompt.tokens_at_most()
    }

    /// How it has fared so far. Cheap: asked at each scrape of the numbers.
    fn health(&self) -> Health {
        Health::default()
    }

    /// How long it may tell its meter nothing while it reads the prompt of this job, beside what
    /// any engine may: nothing, unless it reads a prompt in one piece. Generous, since one that
    /// reads slowly is taken for dead beyond it.
    fn reads_silently(&self, _job: &Job) -> Duration {
        Duration::ZERO
    }

    /// Starts one job. Text arrives on the stream as it is made, and each token is told to the
    /// meter before its text is sent.
    async fn generate(&self, job: Job, meter: Meter) -> Result<TokenStream, EngineError>;
}

/// What a model is, for lists and for callers that cut their prompt to size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelCard {
    /// The name in requests, like `smollm2-135m`.
    pub id: String,
    /// The name for people.
    pub title: String,
    /// The longest prompt it reads, in tokens.
    pub context_tokens: usize,
}

/// How an engine has fared, for those who watch it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// How often it died and was given up for another.
    pub deaths: u64,
    /// What each breaker does now, by the name that the operators gave to the engine behind it.
    pub breakers: Vec<(String, BreakerState)>,
}

/// One answer to compute. Bounds were checked by whoever made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// One of [`Engine::models`].
    pub model: String,
    /// What is to be answered or continued.
    pub prompt: Prompt,
    /// The answer ends after this many tokens at the latest; at least 1.
    pub max_tokens: usize,
    /// 0 takes the likeliest token each time, 2 is wild; the engine's own choice if not set.
    pub temperature: Option<f32>,
    /// Only the likeliest tokens that together reach this share, above 0 and at most 1.
    pub top_p: Option<f32>,
    /// The same seed, prompt and model give the same answer again on the same machine. Where an
    /// engine computes several answers in one go, what else it computes can change the last
    /// digits, and so, now and then, a token.
    pub seed: Option<u64>,
    /// The answer ends before the first of these.
    pub stop: Vec<String>,
    /// Tells each token and so many likelier ones, as [`Piece::Token`], if set.
    pub logprobs: Option<usize>,
    /// What the answer must look like.
    pub shape: Shape,
    /// Whose text it is.
    pub owner: Owner,
}

impl Job {
    /// A job that asks for nothing special, of nobody.
    pub fn new(model: impl Into<String>, prompt: Prompt, max_tokens: usize) -> Self {
        Self {
            model: model.into(),
            prompt,
            max_tokens,
            temperature: None,
            top_p: None,
            seed: None,
            stop: Vec::new(),
            logprobs: None,
            shape: Shape::Free,
            owner: Owner::default(),
        }
    }
}

/// What a job is to answer or continue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// A conversation, oldest first; at least one message. The model's template is put round it.
    Chat(Vec<Message>),
    /// Text to go on with, as it is.
    Text(String),
}

/// What an answer must look like, whatever the model would rather say.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Anything.
    Free,
    /// One JSON object.
    Json,
    /// JSON that this schema allows.
    Schema(Arc<Value>),
}

/// Whose text a job reads. Engines that keep what they have read give it to nobody else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owner {
    /// The tenant: nothing is ever shared between two.
    pub tenant: String,
    /// The person, within the tenant.
    pub user: String,
    /// So many of the first messages are the platform's own, the same for all of its people, who
    /// may share what was read of them. What follows is the person's alone.
    pub shared_messages: usize,
}

impl Prompt {
    /// A conversation of one question.
    pub fn question(text: impl Into<String>) -> Self {
        Self::Chat(vec![Message { role: Role::User, content: text.into() }])
    }

    /// About how many tokens it has: four bytes each, which is how English comes out.
    pub fn tokens_about(&self) -> usize {
        self.tokens_at_most() / 4
    }

    /// No prompt has more tokens: a token is at least a byte, and a template puts a few round each
    /// message.
    pub fn tokens_at_most(&self) -> usize {
        const TEMPLATE: usize = 32;
        let of = |message: &Message| message.content.len() + TEMPLATE;
        match self {
            Self::Chat(messages) => messages.iter().map(of).sum::<usize>() + TEMPLATE,
            Self::Text(text) => text.len() + 1,
        }
    }
}

/// Who said a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The instructions.
    System,
    /// A person.
    User,
    /// The model.
    Assistant,
}

/// One message of a conversation: text only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who said it.
    pub role: Role,
    /// What was said.
    pub content: String,
}

/// Tokens read and tokens made, counted by the engine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, template included.
    pub prompt_tokens: usize,
    /// Those of them that had been read before, for an earlier job of the same owner.
    pub cached_tokens: usize,
    /// Tokens made, the one that ends the answer included.
    pub completion_tokens: usize,
}

/// What arrives on a [`TokenStream`]: text, then exactly one end.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// A bit of the answer; never empty, always whole characters.
    Text(String),
    /// One token and its chances, before the text that it ends up in. Only where asked for.
    Token(Box<TokenChances>),
    /// Nothing follows.
    End {
        /// Why it ended.
        reason: Reason,
        /// What it used.
        usage: Usage,
    },
}

/// A token that was drawn, and the likeliest at its place.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenChances {
    /// The one that was drawn.
    pub chosen: Chance,
    /// The likeliest ones, likeliest first.
    pub others: Vec<Chance>,
}

/// One token and how likely the model found it.
#[derive(Debug, Clone, PartialEq)]
pub struct Chance {
    /// What it says. A token may be a part of a character, which this shows as U+FFFD.
    pub text: String,
    /// The very bytes.
    pub bytes: Vec<u8>,
    /// The natural logarithm of its chance before temperature and all else; at most 0.
    pub logprob: f32,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The model was done, or a stop sequence came.
    Stop,
    /// No tokens left: `max_tokens` or the model's context.
    Length,
    /// What came next is not to be said here: the safety rules, or those of an upstream.
    Filtered,
    /// Nobody reads any more.
    Cancelled,
    /// The engine could not go on.
    Failed(EngineError),
}

/// Why an engine could not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// No such model here.
    #[error("no model named {0} is loaded")]
    UnknownModel(String),
    /// The prompt does not fit.
    #[error("the prompt is longer than the {limit} tokens that the model reads")]
    PromptTooLong {
        /// The longest prompt, in tokens.
        limit: usize,
    },
    /// The answer cannot be given that shape; the text says why, in words for who asked.
    #[error("an answer of that shape cannot be made: {0}")]
    BadShape(String),
    /// It is not this engine's to do; the text names what, like `logprobs`.
    #[error("this engine has no {0}")]
    Unsupported(&'static str),
    /// The prompt cannot be read, as by a model whose template wants its roles in turns; the text
    /// says why, in words for who asked.
    #[error("the prompt is refused: {0}")]
    Refused(String),
    /// It has no room for this job now.
    #[error("the engine has no room; it should have some in {} s", after.as_secs())]
    Busy {
        /// When it should have some.
        after: Duration,
    },
    /// The engine broke; the text is for the log.
    #[error("the engine failed: {0}")]
    Broken(String),
    /// The engine died, and nothing can be asked of it any more.
    #[error("the engine went away")]
    Gone,
}

/// What an [`EngineError::BadShape`] says of a grammar that gave up in the middle of an answer.
pub const TOO_COMPLEX: &str = "its rules became too complex to follow; write simpler patterns";

impl EngineError {
    /// Whether another request would help: nothing is wrong here.
    pub(crate) fn is_refusal(&self) -> bool {
        !matches!(self, Self::Busy { .. } | Self::Broken(_) | Self::Gone)
    }
}

/// The reader's half of an answer. Dropping it cancels the work.
#[derive(Debug)]
pub struct TokenStream {
    pieces: UnboundedReceiver<Piece>,
    cancel: CancellationToken,
    ended: bool,
}

/// The engine's half of an answer.
#[derive(Debug)]
pub struct PieceSender {
    pieces: UnboundedSender<Piece>,
    cancel: CancellationToken,
}

/// A fresh answer: the engine's half and the reader's.
pub fn token_stream() -> (PieceSender, TokenStream) {
    let (sender, pieces) = unbounded_channel();
    let cancel = CancellationToken::new();
    let engine = PieceSender { pieces: sender, cancel: cancel.clone() };
    (engine, TokenStream { pieces, cancel, ended: false })
}

impl TokenStream {
    /// The next piece; `None` after the end. An engine that dies without a word ends the stream
    /// as [`EngineError::Gone`] with no usage.
    pub async fn next(&mut self) -> Option<Piece> {
        if self.ended {
            return None;
        }
        let piece = self.pieces.recv().await.unwrap_or_else(|| Piece::End {
            reason: Reason::Failed(EngineError::Gone),
            usage: Usage::default(),
        });
        self.ended = matches!(piece, Piece::End { .. });
        Some(piece)
    }

    /// Stops the work; the end still arrives, with what was used until then.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }
}

impl Drop for TokenStream {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl PieceSender {
    /// Hands over a token and its chances; never waits.
    pub fn token(&self, chances: TokenChances) {
        let _ = self.pieces.send(Piece::Token(Box::new(chances)));
    }

    /// Hands over text; never waits. Empty text is left out.
    pub fn text(&self, text: String) {
        if !text.is_empty() {
            // A reader who left is told apart by `is_cancelled`.
            let _ = self.pieces.send(Piece::Text(text));
        }
    }

    /// Ends the answer.
    pub fn end(self, reason: Reason, usage: Usage) {
        let _ = self.pieces.send(Piece::End { reason, usage });
    }

    /// Whether the work should stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Waits until the work should stop.
    pub async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }

    /// The same signal, for a place that is not this sender.
    pub fn cancellation(&self) -> CancellationToken {
        self.cancel.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_engine_that_vanishes_ends_the_stream() {
        let (engine, mut stream) = token_stream();
        engine.text("half".to_owned());
        drop(engine);
        assert_eq!(stream.next().await, Some(Piece::Text("half".to_owned())));
        let end = stream.next().await;
        assert!(matches!(end, Some(Piece::End { reason: Reason::Failed(_), .. })), "{end:?}");
        assert_eq!(stream.next().await, None);
    }

    #[tokio::test]
    async fn dropping_the_stream_asks_the_engine_to_stop() {
        let (engine, stream) = token_stream();
        assert!(!engine.is_cancelled());
        drop(stream);
        assert!(engine.is_cancelled());
    }
}
