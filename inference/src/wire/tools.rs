//! Tools, for engines that know only text and the shape of an answer.
//!
//! What may be called is told to the model in its instructions, in the form that Hermes and Qwen
//! were trained on. Where it may choose, its calls are picked out of its text; where it must call,
//! the answer has the shape of a call and can be nothing else. What people and tools say cannot
//! pass for a call: the tags of the form are broken up in it.

mod call;
mod declared;
mod filter;
mod prompt;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Value, json};

pub(crate) use call::Call;
pub(super) use declared::{Choice, Function, Nesting, Tools};
pub(super) use filter::{CallFilter, Heard};

use super::conversation::Turn;
use super::refusal::Refusal;
use crate::engine::{Message, Shape};

/// What in an answer is a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Calls {
    /// Nothing.
    Never,
    /// What the model marks as one, if it is one of these functions.
    Chosen(Vec<Function>),
    /// The whole of it.
    Forced(Vec<Function>),
}

/// A conversation as engines read it, and how the answer to it is to be read.
#[derive(Debug)]
pub(super) struct Applied {
    pub(super) messages: Vec<Message>,
    pub(super) shape: Shape,
    pub(super) calls: Calls,
    /// Whether each turn is one message still, and nothing was put to them.
    pub(super) is_verbatim: bool,
    /// Ends the answer early, besides what was asked for.
    pub(super) stop: Option<String>,
}

impl Tools {
    /// Tells the model what it may call. `shape` is what an answer without calls must look like,
    /// and `format` the field that said so.
    pub(super) fn apply(
        self,
        turns: Vec<Turn>,
        shape: Shape,
        format: &str,
    ) -> Result<Applied, Refusal> {
        let Self { functions, choice, is_parallel } = self;
        let functions = match &choice {
            Choice::Named(name) => {
                functions.into_iter().filter(|function| function.name == *name).collect()
            }
            Choice::Never => Vec::new(),
            Choice::Free | Choice::Required => functions,
        };
        let is_said = |turn: &Turn| matches!(turn, Turn::Said(_));
        let is_verbatim = functions.is_empty() && turns.iter().all(is_said);
        let messages = prompt::messages(turns, &functions, choice != Choice::Free);
        let calls = Calls::Never;
        let applied = Applied { messages, shape, calls, is_verbatim, stop: None };
        if functions.is_empty() {
            return Ok(applied);
        }
        if choice != Choice::Free {
            let shape = Shape::Schema(Arc::new(call_schema(&functions)));
            return Ok(Applied { shape, calls: Calls::Forced(functions), ..applied });
        }
        if applied.shape != Shape::Free {
            let instead = "an answer of that shape can call no tool; set tool_choice to none or \
                           required.";
            return Err(Refusal::unsupported(format, instead));
        }
        // The first call is then the last: nothing after it would be handed on.
        let stop = (!is_parallel).then(|| filter::CLOSE.to_owned());
        Ok(Applied { calls: Calls::Chosen(functions), stop, ..applied })
    }
}

/// What a call of one of these must look like.
fn call_schema(functions: &[Function]) -> Value {
    let call = |function: &Function, place: &str| {
        let arguments = moved(&function.parameters, &format!("{place}/properties/arguments"));
        json!({
            "type": "object",
            "properties": {"name": {"const": function.name}, "arguments": arguments},
            "required": ["name", "arguments"],
            "additionalProperties": false,
        })
    };
    if let [function] = functions {
        return call(function, "");
    }
    let calls = functions.iter().enumerate().map(|(at, one)| call(one, &format!("/anyOf/{at}")));
    json!({"anyOf": calls.collect::<Vec<_>>()})
}

/// The same schema at another place of a document: what it says of itself moves with it. At most
/// as deep as a checked schema is.
fn moved(schema: &Value, place: &str) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(|item| moved(item, place)).collect(),
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| {
                let value = match value.as_str().and_then(|target| target.strip_prefix('#')) {
                    Some(target)
                        if key == "$ref" && (target.is_empty() || target.starts_with('/')) =>
                    {
                        json!(format!("#{place}{target}"))
                    }
                    _ => moved(value, place),
                };
                (key.clone(), value)
            };
            members.iter().map(member).collect::<serde_json::Map<_, _>>().into()
        }
        other => other.clone(),
    }
}
