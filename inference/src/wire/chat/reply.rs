//! What a chat's client reads.

use axum::response::sse::Event;
use serde_json::{Value, json};

use crate::engine::{TokenChances, Usage};
use crate::wire::answer::{self, Bit, Finish, Form};
use crate::wire::asked::Head;
use crate::wire::logprobs;
use crate::wire::refusal::Refusal;
use crate::wire::tools::Call;

/// One answer.
pub(super) struct Reply {
    head: Head,
    /// Whether a stream tells its usage.
    usage: bool,
    has_logprobs: bool,
    /// Calls until now.
    calls: usize,
}

impl Reply {
    pub(super) fn new(head: Head, usage: bool, logprobs: Option<usize>) -> Self {
        Self { head, usage, has_logprobs: logprobs.is_some(), calls: 0 }
    }

    fn chunk(&self, delta: &Value, finish: Option<Finish>) -> Value {
        let mut chunk = self.head("chat.completion.chunk");
        let finish = finish.map(Finish::name);
        chunk["choices"] = json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
        chunk
    }

    fn head(&self, object: &str) -> Value {
        let Head { request_id, model, created } = &self.head;
        let id = format!("chatcmpl-{request_id}");
        json!({"id": id, "object": object, "created": created, "model": model})
    }
}

impl Form for Reply {
    fn opening(&mut self) -> Vec<Event> {
        vec![answer::event(&self.chunk(&json!({"role": "assistant", "content": ""}), None))]
    }

    fn more(&mut self, bit: &Bit) -> Vec<Event> {
        match bit {
            Bit::Text(text, tokens) => {
                let mut chunk = self.chunk(&json!({ "content": text }), None);
                if self.has_logprobs {
                    chunk["choices"][0]["logprobs"] = told(tokens);
                }
                vec![answer::event(&chunk)]
            }
            // First who is called, then with what.
            Bit::Call(Call { id, name, arguments }) => {
                let index = self.calls;
                self.calls += 1;
                let head = json!({
                    "index": index, "id": id, "type": "function",
                    "function": {"name": name, "arguments": ""},
                });
                let rest = json!({"index": index, "function": {"arguments": arguments}});
                let event =
                    |part| answer::event(&self.chunk(&json!({ "tool_calls": [part] }), None));
                vec![event(head), event(rest)]
            }
        }
    }

    fn ending(&mut self, finish: Finish, usage: Usage) -> Vec<Event> {
        let mut events = vec![answer::event(&self.chunk(&json!({}), Some(finish)))];
        if self.usage {
            let mut last = self.head("chat.completion.chunk");
            last["choices"] = json!([]);
            last["usage"] = answer::usage_json(usage);
            events.push(answer::event(&last));
        }
        events.push(answer::done());
        events
    }

    /// The refusal takes the place of a chunk, and no `[DONE]` comes.
    fn breaking(&mut self, refusal: &Refusal) -> Vec<Event> {
        vec![answer::event(&refusal.in_stream())]
    }

    fn whole(self: Box<Self>, bits: Vec<Bit>, finish: Finish, usage: Usage) -> Value {
        let (text, tokens, calls) = answer::parts(bits);
        let mut message = json!({"role": "assistant", "content": text, "refusal": null});
        if !calls.is_empty() {
            if text.trim().is_empty() {
                message["content"] = Value::Null;
            }
            message["tool_calls"] = calls.iter().map(called).collect();
        }
        let logprobs = if self.has_logprobs { told(&tokens) } else { Value::Null };
        let mut whole = self.head("chat.completion");
        whole["choices"] = json!([{
            "index": 0, "message": message, "logprobs": logprobs, "finish_reason": finish.name(),
        }]);
        whole["usage"] = answer::usage_json(usage);
        whole
    }
}

fn told(tokens: &[TokenChances]) -> Value {
    json!({"content": tokens.iter().map(logprobs::token).collect::<Vec<_>>(), "refusal": null})
}

fn called(Call { id, name, arguments }: &Call) -> Value {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}
