//! What every body becomes, whatever its form.

use super::answer::Form;
use super::tools::Calls;
use crate::engine::Job;

/// How much one request may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes of the body.
    pub body_bytes: usize,
    /// Messages in the conversation.
    pub messages: usize,
    /// Tokens of the answer if the request does not say.
    pub default_max_tokens: usize,
    /// Tokens of the answer at most.
    pub max_tokens: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { body_bytes: 512 * 1024, messages: 256, default_max_tokens: 512, max_tokens: 4096 }
    }
}

/// What an answer says of itself in every part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// The request's id, which the ids in the answer are made of.
    pub(crate) request_id: String,
    /// Who answers.
    pub(crate) model: String,
    /// The second in which it was asked.
    pub(crate) created: i64,
}

/// A request that was understood.
pub(crate) struct Asked {
    /// What is to be computed. Whose it is, is not known here, and an empty name of a model stands
    /// for the default.
    pub(crate) job: Job,
    /// Whether the messages are those of the request, one for one: with tools some are joined, so
    /// that nobody can say any more whose the first so many are.
    pub(crate) is_verbatim: bool,
    /// Whether the answer is wanted as server-sent events.
    pub(crate) is_streamed: bool,
    /// What in the answer is a call of a tool.
    pub(crate) calls: Calls,
    /// How the answer is written, once it is known what it says of itself.
    pub(crate) form: Box<dyn FnOnce(Head) -> Box<dyn Form> + Send>,
}
