//! The words that labels may have as values.

use std::fmt::Error;
use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};

use crate::engine::BreakerState;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// With an answer, whole or cut at its tokens.
    Answered,
    /// The client left.
    Cancelled,
    /// The engine could not go on.
    Failed,
    /// The safety rules ended the answer, or refused the prompt.
    Filtered,
    /// Nobody who may ask.
    Unauthorized,
    /// A request that cannot be answered.
    BadRequest,
    /// No place in the queue.
    QueueFull,
    /// No money or no tokens.
    NoBudget,
    /// No engine, or one without room.
    Unavailable,
}

impl Outcome {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::Answered,
        Self::Cancelled,
        Self::Failed,
        Self::Filtered,
        Self::Unauthorized,
        Self::BadRequest,
        Self::QueueFull,
        Self::NoBudget,
        Self::Unavailable,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Filtered => "filtered",
            Self::Unauthorized => "unauthorized",
            Self::BadRequest => "bad-request",
            Self::QueueFull => "queue-full",
            Self::NoBudget => "no-budget",
            Self::Unavailable => "unavailable",
        }
    }
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), Error> {
        self.word().encode(encoder)
    }
}

/// What a token was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Of a prompt, and read.
    Prompt,
    /// Of a prompt, and read before.
    Cached,
    /// Made.
    Completion,
}

impl EncodeLabelValue for Kind {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), Error> {
        let word = match self {
            Self::Prompt => "prompt",
            Self::Cached => "cached",
            Self::Completion => "completion",
        };
        word.encode(encoder)
    }
}

/// All that a breaker can be doing.
pub(super) const STATES: [BreakerState; 3] =
    [BreakerState::Closed, BreakerState::HalfOpen, BreakerState::Open];

impl EncodeLabelValue for BreakerState {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), Error> {
        let word = match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half-open",
            Self::Open => "open",
        };
        word.encode(encoder)
    }
}

/// One of [`Words`]; made nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Word(Arc<str>);

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), Error> {
        self.0.as_ref().encode(encoder)
    }
}

/// A list of words, and `other` for the rest.
#[derive(Debug)]
pub(super) struct Words {
    known: Vec<Word>,
    other: Word,
}

impl Words {
    pub(super) fn new(words: impl IntoIterator<Item: Into<String>>) -> Self {
        let word = |word: String| Word(word.into());
        Self {
            known: words.into_iter().map(Into::into).map(word).collect(),
            other: Word("other".into()),
        }
    }

    /// Adds a word unless it is there, or there are so many already.
    pub(super) fn add(&mut self, word: &str, most: usize) {
        if self.known.len() < most && self.find(word) == self.other {
            self.known.push(Word(word.into()));
        }
    }

    pub(super) fn find(&self, word: &str) -> Word {
        let found = self.known.iter().find(|known| known.0.as_ref() == word);
        found.unwrap_or(&self.other).clone()
    }
}
