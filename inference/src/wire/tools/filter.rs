//! Picks calls out of text that arrives in bits, and shows the rest.

use super::call::Call;
use super::declared::Function;

const OPEN: &str = "<tool_call>";
pub(super) const CLOSE: &str = "</tool_call>";

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Text for people.
    Text(String),
    /// A call.
    Call(Call),
}

/// Reads an answer. Text that may be the start of a tag is held back until that is decided.
#[derive(Debug)]
pub(crate) struct CallFilter {
    functions: Vec<Function>,
    /// What the ids of calls begin with.
    id: String,
    calls: usize,
    held: String,
    is_inside: bool,
    /// Between calls there is white space for the model's sake only.
    is_after_call: bool,
}

impl CallFilter {
    /// A filter for calls of these functions. `id` is that of the answer.
    pub(crate) fn new(functions: Vec<Function>, id: &str) -> Self {
        Self {
            functions,
            id: format!("call_{id}"),
            calls: 0,
            held: String::new(),
            is_inside: false,
            is_after_call: false,
        }
    }

    /// Takes the next bit of text.
    pub(crate) fn push(&mut self, text: &str) -> Vec<Heard> {
        self.held.push_str(text);
        let mut heard = Vec::new();
        loop {
            let tag = if self.is_inside { CLOSE } else { OPEN };
            let Some(at) = self.held.find(tag) else { break };
            let rest = self.held.split_off(at + tag.len());
            let mut before = std::mem::replace(&mut self.held, rest);
            before.truncate(at);
            heard.extend(if self.is_inside { self.close(&before) } else { self.shown(before) });
            self.is_inside = !self.is_inside;
        }
        if !self.is_inside {
            let keep = self.held.split_off(self.held.len() - doubt(&self.held, OPEN));
            let show = std::mem::replace(&mut self.held, keep);
            heard.extend(self.shown(show));
        }
        heard
    }

    /// What was held back, once no more text can come. A call whose closing tag was left out
    /// counts if it is whole, for there models like to stop.
    pub(crate) fn rest(&mut self) -> Vec<Heard> {
        let held = std::mem::take(&mut self.held);
        if !self.is_inside {
            return self.shown(held).into_iter().collect();
        }
        self.is_inside = false;
        self.call(&held).map(Heard::Call).into_iter().collect()
    }

    /// The whole text as one call.
    pub(crate) fn call(&mut self, text: &str) -> Option<Call> {
        let call = Call::written(text, &self.functions, format!("{}_{}", self.id, self.calls))?;
        self.calls += 1;
        self.is_after_call = true;
        Some(call)
    }

    /// What stood between two tags. What only looks like a call is shown as the model wrote it,
    /// for whoever wonders why nothing was called.
    fn close(&mut self, inside: &str) -> Option<Heard> {
        match self.call(inside) {
            Some(call) => Some(Heard::Call(call)),
            None => self.shown(format!("{OPEN}{inside}{CLOSE}")),
        }
    }

    fn shown(&mut self, mut text: String) -> Option<Heard> {
        if self.is_after_call {
            text.drain(..text.len() - text.trim_start().len());
        }
        if text.is_empty() {
            return None;
        }
        self.is_after_call = false;
        Some(Heard::Text(text))
    }
}

/// How many bytes at the end of the text may be the beginning of the tag.
fn doubt(text: &str, tag: &str) -> usize {
    (1..tag.len()).rev().find(|&bytes| text.ends_with(&tag[..bytes])).unwrap_or(0)
}
