//! The seam between the server and whatever computes tokens.
//!
//! An [`Engine`] takes a [`Job`] and answers with a [`TokenStream`] that it fills without ever
//! waiting for the reader. Dropping the stream stops the work; reading it to the end tells what
//! the work used, also when it was cancelled or failed.

use async_trait::async_trait;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Computes answers. Engines run what they are given at once: whose turn it is was decided before.
#[async_trait]
pub trait Engine: Send + Sync {
    /// The models that can be asked for now, the default first.
    fn models(&self) -> Vec<ModelCard>;

    /// How many jobs it works on at once now; at least 1. Further ones are kept waiting outside.
    fn room(&self) -> watch::Receiver<usize>;

    /// Starts one job. Text arrives on the stream as it is made.
    async fn generate(&self, job: Job) -> Result<TokenStream, EngineError>;
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

/// One answer to compute. Bounds were checked by whoever made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// One of [`Engine::models`].
    pub model: String,
    /// The conversation, oldest first; at least one message.
    pub messages: Vec<Message>,
    /// The answer ends after this many tokens at the latest; at least 1.
    pub max_tokens: usize,
    /// 0 takes the likeliest token each time, 2 is wild; the engine's own choice if not set.
    pub temperature: Option<f32>,
    /// Only the likeliest tokens that together reach this share, above 0 and at most 1.
    pub top_p: Option<f32>,
    /// The same seed, prompt and model give the same answer again on the same machine.
    pub seed: Option<u64>,
    /// The answer ends before the first of these.
    pub stop: Vec<String>,
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
    /// Tokens made, the one that ends the answer included.
    pub completion_tokens: usize,
}

/// What arrives on a [`TokenStream`]: text, then exactly one end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A bit of the answer; never empty, always whole characters.
    Text(String),
    /// Nothing follows.
    End {
        /// Why it ended.
        reason: Reason,
        /// What it used.
        usage: Usage,
    },
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The model was done, or a stop sequence came.
    Stop,
    /// No tokens left: `max_tokens` or the model's context.
    Length,
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
    /// The engine broke; the text is for the log.
    #[error("the engine failed: {0}")]
    Broken(String),
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
    /// as [`EngineError::Broken`] with no usage.
    pub async fn next(&mut self) -> Option<Piece> {
        if self.ended {
            return None;
        }
        let piece = self.pieces.recv().await.unwrap_or_else(|| Piece::End {
            reason: Reason::Failed(EngineError::Broken("it went away".to_owned())),
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
