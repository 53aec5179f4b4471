//! From what an engine says to what the forms write: text, calls, and an end.

use axum::response::sse::Event;
use serde_json::Value;

use super::refusal::{Refusal, problem_of, stopping};
use super::tools::{Call, CallFilter, Calls, Heard};
use crate::engine::{EngineError, Reason, TokenChances, Usage};

/// A piece of an answer, in any form.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Bit {
    /// More text, never empty, and the tokens that it ends.
    Text(String, Vec<TokenChances>),
    /// A whole call.
    Call(Call),
}

/// Why an answer is over that is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    /// The model was done.
    Stop,
    /// There was no room for more.
    Length,
    /// What came next is not to be said here.
    Filtered,
    /// The client is to call something.
    Calls,
}

/// Writes one answer: its id, its model and its second stay the same in all parts.
pub(crate) trait Form: Send {
    /// The first events of a stream.
    fn opening(&mut self) -> Vec<Event>;

    /// More of it.
    fn more(&mut self, bit: &Bit) -> Vec<Event>;

    /// The last events of a stream.
    fn ending(&mut self, finish: Finish, usage: Usage) -> Vec<Event>;

    /// The last events of a stream that broke.
    fn breaking(&mut self, refusal: &Refusal) -> Vec<Event>;

    /// An answer in one piece.
    fn whole(self: Box<Self>, bits: Vec<Bit>, finish: Finish, usage: Usage) -> Value;
}

/// Reads an engine's words.
pub(crate) struct Bits {
    reading: Reading,
    tokens: Vec<TokenChances>,
    has_called: bool,
}

enum Reading {
    Plain,
    Calls(CallFilter),
    Forced(CallFilter, String),
}

impl Bits {
    /// A reader of the answer to request `request_id`.
    pub(crate) fn new(calls: Calls, request_id: &str) -> Self {
        let reading = match calls {
            Calls::Never => Reading::Plain,
            Calls::Chosen(functions) => Reading::Calls(CallFilter::new(functions, request_id)),
            Calls::Forced(functions) => {
                Reading::Forced(CallFilter::new(functions, request_id), String::new())
            }
        };
        Self { reading, tokens: Vec::new(), has_called: false }
    }

    /// A token, before the text that it ends up in.
    pub(crate) fn token(&mut self, token: TokenChances) {
        self.tokens.push(token);
    }

    /// More text.
    pub(crate) fn text(&mut self, text: String) -> Vec<Bit> {
        match &mut self.reading {
            Reading::Plain => vec![Bit::Text(text, std::mem::take(&mut self.tokens))],
            Reading::Calls(filter) => {
                let heard = filter.push(&text);
                self.heard(heard)
            }
            Reading::Forced(_, call) => {
                call.push_str(&text);
                Vec::new()
            }
        }
    }

    /// The end: what was held back, and whether the answer is one.
    pub(crate) fn end(&mut self, reason: &Reason) -> Result<(Vec<Bit>, Finish), Refusal> {
        let finish = match reason {
            Reason::Stop => Finish::Stop,
            Reason::Length => Finish::Length,
            Reason::Filtered => Finish::Filtered,
            // Who asked is still there, so it is the server that stops.
            Reason::Cancelled => return Err(stopping().into()),
            Reason::Failed(error) => return Err(problem_of(error).into()),
        };
        let bits = match &mut self.reading {
            Reading::Plain => Vec::new(),
            Reading::Calls(filter) => {
                let heard = filter.rest();
                self.heard(heard)
            }
            Reading::Forced(filter, text) => match filter.call(text) {
                Some(call) => self.heard(vec![Heard::Call(call)]),
                // Half a call is of no use.
                None if finish != Finish::Stop => Vec::new(),
                None => {
                    let why = "the answer does not have the shape that it was given".to_owned();
                    return Err(problem_of(&EngineError::Broken(why)).into());
                }
            },
        };
        let finish = if self.has_called && finish == Finish::Stop { Finish::Calls } else { finish };
        Ok((bits, finish))
    }

    fn heard(&mut self, heard: Vec<Heard>) -> Vec<Bit> {
        let bit = |heard| match heard {
            Heard::Text(text) => Bit::Text(text, Vec::new()),
            Heard::Call(call) => Bit::Call(call),
        };
        let bits: Vec<_> = heard.into_iter().map(bit).collect();
        self.has_called |= bits.iter().any(|bit| matches!(bit, Bit::Call(_)));
        bits
    }
}

/// What a whole answer is made of: its text, its tokens and its calls.
pub(super) fn parts(bits: Vec<Bit>) -> (String, Vec<TokenChances>, Vec<Call>) {
    let (mut all, mut tokens, mut calls) = (String::new(), Vec::new(), Vec::new());
    for bit in bits {
        match bit {
            Bit::Text(text, more) => {
                all.push_str(&text);
                tokens.extend(more);
            }
            Bit::Call(call) => calls.push(call),
        }
    }
    (all, tokens, calls)
}

/// An event without a name.
pub(super) fn event(data: &Value) -> Event {
    Event::default().data(data.to_string())
}

/// The last event of a stream, but for those of responses.
pub(super) fn done() -> Event {
    Event::default().data("[DONE]")
}

/// What was used, as the older forms tell it.
pub(super) fn usage_json(usage: Usage) -> Value {
    let Usage { prompt_tokens, cached_tokens, completion_tokens } = usage;
    serde_json::json!({
        "prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": cached_tokens},
    })
}

impl Finish {
    /// Its name in the older forms.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::Filtered => "content_filter",
            Self::Calls => "tool_calls",
        }
    }
}
