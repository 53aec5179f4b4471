//! The conversation of a chat: who said what, which tools were called, and what they returned.

use std::collections::HashSet;

use serde_json::Value;

use super::asked::Bounds;
use super::fields::Fields;
use super::refusal::{Refusal, clipped};
use super::tools::Call;
use crate::engine::{Message, Role};

/// One step of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    /// Somebody said something.
    Said(Message),
    /// The model said something, perhaps nothing, and called tools.
    Called(String, Vec<Call>),
    /// A tool returned this.
    Returned(String),
}

/// Reads `messages`.
pub(super) fn read(fields: &mut Fields, bounds: &Bounds) -> Result<Vec<Turn>, Refusal> {
    let list = fields.list("messages")?.ok_or_else(|| fields.missing("messages"))?;
    in_bounds("messages", list.len(), bounds)?;
    let mut called = Called::default();
    let turn = |(at, message)| turn(Fields::of(message, format!("messages[{at}]"))?, &mut called);
    list.into_iter().enumerate().map(turn).collect()
}

/// Refuses a conversation of nothing, or of too much.
pub(super) fn in_bounds(at: &str, turns: usize, bounds: &Bounds) -> Result<(), Refusal> {
    let most = bounds.messages;
    if (1..=most).contains(&turns) {
        return Ok(());
    }
    Err(Refusal::out_of_range(at, &format!("there must be from 1 to {most} of them.")))
}

/// Who speaks under this name.
pub(super) fn role(at: &str, name: &str) -> Result<Role, Refusal> {
    match name {
        "system" | "developer" => Ok(Role::System),
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        other => {
            let known = format!("{} is none of system, user, assistant, tool.", clipped(other));
            Err(Refusal::of(at, "unknown-role", "A role is unknown.", &known))
        }
    }
}

/// A text, or a list of parts that are each text, as the `types` of them allow.
pub(super) fn text(at: &str, content: Value, types: &[&str]) -> Result<String, Refusal> {
    let parts = match content {
        Value::String(text) => return Ok(text),
        Value::Array(parts) => parts,
        _ => return Err(Refusal::not_text(at)),
    };
    let mut all = String::new();
    for (number, part) in parts.into_iter().enumerate() {
        let at = format!("{at}[{number}]");
        let mut part = Fields::of(part, &at).map_err(|_| Refusal::not_text(&at))?;
        let is_text = part.text("type")?.is_some_and(|kind| types.contains(&kind.as_str()));
        let said = if is_text { part.take("text").or_else(|| part.take("refusal")) } else { None };
        let Some(Value::String(said)) = said else { return Err(Refusal::not_text(&at)) };
        all.push_str(&said);
        // What a model wrote comes back with these, and they say nothing.
        part.skip(&["annotations", "logprobs"]);
        part.end()?;
    }
    Ok(all)
}

/// The calls until now, each of which may be answered.
#[derive(Debug, Default)]
pub(super) struct Called(HashSet<String>);

impl Called {
    /// Takes note of a call.
    pub(super) fn note(&mut self, call: &Call) {
        self.0.insert(call.id.clone());
    }

    /// Refuses what answers no call.
    pub(super) fn check(&self, at: &str, id: &str) -> Result<(), Refusal> {
        if self.0.contains(id) {
            return Ok(());
        }
        let detail = "it answers no call before it; send the message that called the tool too.";
        Err(Refusal::of(at, "unknown-tool-call", "A result belongs to no call.", detail))
    }
}

fn turn(mut message: Fields, called: &mut Called) -> Result<Turn, Refusal> {
    let role_name = message.needed_text("role")?;
    let at = message.at("content");
    if role_name == "tool" {
        let id = message.needed_text("tool_call_id")?;
        called.check(&message.at("tool_call_id"), &id)?;
        let content = message.take("content").ok_or_else(|| Refusal::not_text(&at))?;
        message.skip(&["name"]);
        message.end()?;
        return Ok(Turn::Returned(text(&at, content, &["text"])?));
    }
    let role = role(&message.at("role"), &role_name)?;
    // Who asks is said by the token.
    message.skip(&["name"]);
    let mut calls = Vec::new();
    if role == Role::Assistant {
        calls = read_calls(&mut message)?;
        for call in &calls {
            called.note(call);
        }
        message.absent(&["audio", "function_call"])?;
        // An answer that came from here may be sent back as it is.
        message.skip(&["annotations", "refusal"]);
    }
    let content = match message.take("content") {
        None if !calls.is_empty() => String::new(),
        content => text(&at, content.unwrap_or_default(), &["text", "refusal"])?,
    };
    message.end()?;
    if calls.is_empty() {
        return Ok(Turn::Said(Message { role, content }));
    }
    Ok(Turn::Called(content, calls))
}

fn read_calls(message: &mut Fields) -> Result<Vec<Call>, Refusal> {
    let list = message.list("tool_calls")?.unwrap_or_default();
    let at = message.at("tool_calls");
    let call = |(number, call)| {
        let mut call = Fields::of(call, format!("{at}[{number}]"))?;
        let id = call.needed_text("id")?;
        call.neutral("type", |kind| kind == "function", "only functions can be called.")?;
        call.skip(&["index"]);
        let mut function = call.object("function")?.ok_or_else(|| call.missing("function"))?;
        call.end()?;
        let read = Call::read(id, &mut function)?;
        function.end()?;
        Ok(read)
    };
    list.into_iter().enumerate().map(call).collect()
}
