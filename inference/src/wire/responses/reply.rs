//! What a client of responses reads: items, and events that tell how they come about.

use axum::response::sse::Event;
use serde_json::{Value, json};

use crate::engine::{TokenChances, Usage};
use crate::wire::answer::{Bit, Finish, Form};
use crate::wire::asked::Head;
use crate::wire::logprobs;
use crate::wire::refusal::Refusal;
use crate::wire::tools::Call;

/// One answer.
pub(super) struct Reply {
    request_id: String,
    /// All but status, output and usage.
    head: Value,
    /// The number of the next event.
    number: usize,
    /// The items that are finished.
    output: Vec<Value>,
    /// The message that is being written.
    open: Option<Open>,
}

#[derive(Default)]
struct Open {
    text: String,
    logprobs: Vec<Value>,
}

impl Reply {
    /// An answer that tells back what it was asked with.
    pub(super) fn new(of: Head, settings: Value) -> Self {
        let Head { request_id, model, created } = of;
        let mut head = settings;
        head["id"] = json!(format!("resp_{request_id}"));
        head["object"] = json!("response");
        head["created_at"] = json!(created);
        head["model"] = json!(model);
        head["store"] = json!(false);
        head["background"] = json!(false);
        head["truncation"] = json!("disabled");
        for unset in ["error", "incomplete_details", "previous_response_id", "usage"] {
            head[unset] = Value::Null;
        }
        Self { request_id, head, number: 0, output: Vec::new(), open: None }
    }

    fn response(&self, status: &str) -> Value {
        let mut response = self.head.clone();
        response["status"] = json!(status);
        response["output"] = json!(self.output);
        response
    }

    fn event(&mut self, kind: &str, mut data: Value) -> Event {
        data["type"] = json!(kind);
        data["sequence_number"] = json!(self.number);
        self.number += 1;
        Event::default().event(kind).data(data.to_string())
    }

    /// An event about the item that is being written.
    fn item_event(&mut self, kind: &str, mut data: Value, item_id: &str) -> Event {
        data["item_id"] = json!(item_id);
        data["output_index"] = json!(self.output.len());
        self.event(kind, data)
    }

    fn message_id(&self) -> String {
        format!("msg_{}_{}", self.request_id, self.output.len())
    }

    fn text(&mut self, text: &str, tokens: &[TokenChances]) -> Vec<Event> {
        let mut events = Vec::new();
        let id = self.message_id();
        if self.open.is_none() {
            self.open = Some(Open::default());
            let item = message(&id, "in_progress", &[]);
            let index = self.output.len();
            let added = json!({"item": item, "output_index": index});
            events.push(self.event("response.output_item.added", added));
            let part = json!({"content_index": 0, "part": part(&Open::default())});
            events.push(self.item_event("response.content_part.added", part, &id));
        }
        let told: Vec<_> = tokens.iter().map(logprobs::token).collect();
        let delta = json!({"content_index": 0, "delta": text, "logprobs": told});
        events.push(self.item_event("response.output_text.delta", delta, &id));
        if let Some(open) = &mut self.open {
            open.text.push_str(text);
            open.logprobs.extend(told);
        }
        events
    }

    /// Ends the message that is being written, if one is.
    fn close(&mut self, status: &str) -> Vec<Event> {
        let Some(open) = self.open.take() else { return Vec::new() };
        let id = self.message_id();
        let Open { text, logprobs } = &open;
        let done = json!({"content_index": 0, "text": text, "logprobs": logprobs});
        let done = self.item_event("response.output_text.done", done, &id);
        let part = part(&open);
        let part_done = json!({"content_index": 0, "part": part});
        let part_done = self.item_event("response.content_part.done", part_done, &id);
        vec![done, part_done, self.finish_item(message(&id, status, &[part]))]
    }

    fn call(&mut self, call: &Call) -> Vec<Event> {
        let Call { id: call_id, name, arguments } = call;
        let mut events = self.close("completed");
        let id = format!("fc_{}_{}", self.request_id, self.output.len());
        let item = |status: &str, arguments: &str| {
            json!({
                "id": id, "type": "function_call", "status": status, "call_id": call_id,
                "name": name, "arguments": arguments,
            })
        };
        let added = json!({"item": item("in_progress", ""), "output_index": self.output.len()});
        events.push(self.event("response.output_item.added", added));
        let kind = "response.function_call_arguments";
        let delta = json!({ "delta": arguments });
        events.push(self.item_event(&format!("{kind}.delta"), delta, &id));
        let done = json!({"arguments": arguments, "name": name});
        events.push(self.item_event(&format!("{kind}.done"), done, &id));
        events.push(self.finish_item(item("completed", arguments)));
        events
    }

    fn finish_item(&mut self, item: Value) -> Event {
        let done = json!({"item": item, "output_index": self.output.len()});
        self.output.push(item);
        self.event("response.output_item.done", done)
    }

    /// The events that end all, and the response that they end.
    fn end(&mut self, finish: Finish, usage: Usage) -> (Vec<Event>, Value) {
        let (status, why) = match finish {
            Finish::Stop | Finish::Calls => ("completed", None),
            Finish::Length => ("incomplete", Some("max_output_tokens")),
            Finish::Filtered => ("incomplete", Some("content_filter")),
        };
        let mut events = self.close(status);
        let mut response = self.response(status);
        if let Some(why) = why {
            response["incomplete_details"] = json!({ "reason": why });
        }
        response["usage"] = usage_json(usage);
        let last = json!({ "response": response });
        events.push(self.event(&format!("response.{status}"), last));
        (events, response)
    }
}

impl Form for Reply {
    fn opening(&mut self) -> Vec<Event> {
        let response = json!({ "response": self.response("in_progress") });
        let created = self.event("response.created", response.clone());
        vec![created, self.event("response.in_progress", response)]
    }

    fn more(&mut self, bit: &Bit) -> Vec<Event> {
        match bit {
            Bit::Text(text, tokens) => self.text(text, tokens),
            Bit::Call(call) => self.call(call),
        }
    }

    fn ending(&mut self, finish: Finish, usage: Usage) -> Vec<Event> {
        self.end(finish, usage).0
    }

    fn breaking(&mut self, refusal: &Refusal) -> Vec<Event> {
        let mut response = self.response("failed");
        let error = json!({"code": refusal.problem.code, "message": refusal.message()});
        response["error"] = error;
        vec![self.event("response.failed", json!({ "response": response }))]
    }

    fn whole(mut self: Box<Self>, bits: Vec<Bit>, finish: Finish, usage: Usage) -> Value {
        for bit in &bits {
            self.more(bit);
        }
        self.end(finish, usage).1
    }
}

fn message(id: &str, status: &str, content: &[Value]) -> Value {
    json!({
        "id": id, "type": "message", "status": status, "role": "assistant", "content": content,
    })
}

fn part(Open { text, logprobs }: &Open) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs})
}

fn usage_json(usage: Usage) -> Value {
    let Usage { prompt_tokens, cached_tokens, completion_tokens } = usage;
    json!({
        "input_tokens": prompt_tokens, "output_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "input_tokens_details": {"cached_tokens": cached_tokens, "cache_write_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    })
}
