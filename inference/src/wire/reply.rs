//! From what the engine gave to what the client reads.

use axum::http::StatusCode;
use axum::response::sse::Event;
use serde::Serialize;
use serde_json::{Value, json};
use web::Problem;

use crate::engine::{EngineError, ModelCard, Reason, Usage};

/// An answer in one piece.
#[derive(Debug, Serialize)]
pub struct ChatCompletion {
    id: String,
    object: &'static str,
    created: i64,
    model: String,
    choices: Value,
    usage: Value,
}

/// Every model that can be asked for.
#[derive(Debug, Serialize)]
pub struct ModelList {
    object: &'static str,
    data: Vec<Value>,
}

impl ModelList {
    /// The list of these. `context_length` is ours: the longest prompt, in tokens.
    pub fn new(models: Vec<ModelCard>) -> Self {
        let entry = |card: ModelCard| {
            json!({
                "id": card.id, "object": "model", "created": 0, "owned_by": "platform",
                "title": card.title, "context_length": card.context_tokens,
            })
        };
        Self { object: "list", data: models.into_iter().map(entry).collect() }
    }
}

/// Writes one answer: its id, its model and its second stay the same in all parts.
#[derive(Debug, Clone)]
pub struct Writer {
    id: String,
    model: String,
    created: i64,
    usage: bool,
}

impl Writer {
    /// A writer for the answer to request `request_id`, begun in second `created`; `usage` adds
    /// the last event of a stream.
    pub fn new(request_id: &str, model: &str, created: i64, usage: bool) -> Self {
        Self { id: format!("chatcmpl-{request_id}"), model: model.to_owned(), created, usage }
    }

    /// The whole answer.
    pub fn whole(self, text: &str, finish: &'static str, usage: Usage) -> ChatCompletion {
        ChatCompletion {
            id: self.id,
            object: "chat.completion",
            created: self.created,
            model: self.model,
            choices: json!([{
                "index": 0, "finish_reason": finish,
                "message": {"role": "assistant", "content": text},
            }]),
            usage: usage_json(usage),
        }
    }

    /// The first event of a stream: who speaks.
    pub fn opening(&self) -> Event {
        self.chunk(&json!({"role": "assistant", "content": ""}), None)
    }

    /// More text.
    pub fn text(&self, text: &str) -> Event {
        self.chunk(&json!({ "content": text }), None)
    }

    /// A line that clients skip: how many answers begin before this one does.
    pub fn position(&self, position: usize) -> Event {
        Event::default().comment(format!("position {position}"))
    }

    /// The last events of a stream.
    pub fn ending(&self, reason: &Reason, usage: Usage) -> Vec<Event> {
        let mut events = Vec::new();
        match finish(reason) {
            Ok(finish) => events.push(self.chunk(&json!({}), Some(finish))),
            // Too late for a status: the problem takes the place of a chunk, and no [DONE] comes.
            Err(problem) => return vec![event(&json!({ "error": problem }))],
        }
        if self.usage {
            let mut last = self.head();
            last["choices"] = json!([]);
            last["usage"] = usage_json(usage);
            events.push(event(&last));
        }
        events.push(Event::default().data("[DONE]"));
        events
    }

    fn chunk(&self, delta: &Value, finish: Option<&str>) -> Event {
        let mut chunk = self.head();
        chunk["choices"] = json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
        event(&chunk)
    }

    fn head(&self) -> Value {
        json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created,
            "model": self.model,
        })
    }
}

/// The `finish_reason` of an answer that is one, or the problem of one that is not.
pub(crate) fn finish(reason: &Reason) -> Result<&'static str, Problem> {
    match reason {
        Reason::Stop => Ok("stop"),
        Reason::Length => Ok("length"),
        Reason::Filtered => Ok("content_filter"),
        Reason::Cancelled => Err(Problem::internal()),
        Reason::Failed(error) => Err(problem_of(error)),
    }
}

/// What a client is told about an engine's error; the cause stays in the log.
pub fn problem_of(error: &EngineError) -> Problem {
    match error {
        EngineError::UnknownModel(model) => {
            Problem::not_found("model-not-found", "There is no such model here.")
                .detail(format!("{model} is not loaded; GET /v1/models lists those that are."))
        }
        EngineError::PromptTooLong { limit } => {
            Problem::bad_request("prompt-too-long", "The conversation is too long for the model.")
                .detail(format!("Prompt and answer have {limit} tokens together; send less."))
        }
        EngineError::BadShape(why) => {
            Problem::bad_request("unusable-schema", "The answer cannot be given that shape.")
                .detail(why.clone())
        }
        EngineError::Unsupported(what) => {
            Problem::bad_request("unsupported-field", format!("{what} cannot be set here."))
                .detail("The model that was asked for cannot do it; leave it out.")
        }
        EngineError::Busy { after } => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "engine-busy",
            "The model has no room for further answers now.",
        )
        .detail("It should have some after the seconds in retry_after.")
        .retry_after(after.as_secs().clamp(1, 600)),
        EngineError::Broken(_) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "engine-failed",
            "The model could not finish the answer.",
        )
        .detail("It has been logged. Trying again in a moment may help.")
        .retry_after(5),
    }
}

fn usage_json(usage: Usage) -> Value {
    let Usage { prompt_tokens, cached_tokens, completion_tokens } = usage;
    json!({
        "prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": cached_tokens},
    })
}

fn event(data: &Value) -> Event {
    Event::default().data(data.to_string())
}
