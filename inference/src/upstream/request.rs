//! From a job to the body of a request.

use serde_json::{Map, Value, json};

use super::config::{Dialect, UpstreamModel};
use super::failure::Failure;
use crate::engine::{EngineError, Job, Message, Prompt, Role, Shape};

/// The body. Streamed always, with the usage at the end.
pub(super) fn body(
    job: &Job,
    model: &UpstreamModel,
    dialect: Dialect,
) -> Result<Map<String, Value>, Failure> {
    let mut body = Map::new();
    let mut set = |name: &str, value: Value| {
        body.insert(name.to_owned(), value);
    };
    set("model", json!(model.upstream_id));
    set("stream", json!(true));
    set("stream_options", json!({"include_usage": true}));
    let is_chat = match &job.prompt {
        Prompt::Chat(messages) => {
            set("messages", messages.iter().map(message).collect());
            true
        }
        Prompt::Text(text) => {
            set("prompt", json!(text));
            false
        }
    };
    let max_tokens = match dialect {
        Dialect::OpenAi if is_chat => "max_completion_tokens",
        _ => "max_tokens",
    };
    set(max_tokens, json!(job.max_tokens));
    if let Some(temperature) = job.temperature {
        set("temperature", json!(temperature));
    }
    if let Some(top_p) = job.top_p {
        set("top_p", json!(top_p));
    }
    if let Some(seed) = job.seed {
        // As the client sent it: it was signed there.
        set("seed", json!(seed.cast_signed()));
    }
    if !job.stop.is_empty() {
        set("stop", json!(split_stops(job).0));
    }
    match job.logprobs {
        Some(others) if is_chat => {
            set("logprobs", json!(true));
            set("top_logprobs", json!(others));
        }
        Some(others) => set("logprobs", json!(others)),
        None => {}
    }
    match response_format(&job.shape) {
        Some(_) if !is_chat => {
            return Err(Failure::refused(EngineError::Unsupported("response_format for text")));
        }
        Some(format) => set("response_format", format),
        None => {}
    }
    Ok(body)
}

fn message(message: &Message) -> Value {
    let role = match message.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    json!({"role": role, "content": message.content})
}

fn response_format(shape: &Shape) -> Option<Value> {
    match shape {
        Shape::Free => None,
        Shape::Json => Some(json!({"type": "json_object"})),
        Shape::Schema(schema) => Some(json!({
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": true, "schema": schema},
        })),
    }
}

/// The stops that a server of others is not told: it takes no more than four, and refuses the whole
/// request otherwise.
pub(super) fn own_stops(job: &Job) -> &[String] {
    split_stops(job).1
}

fn split_stops(job: &Job) -> (&[String], &[String]) {
    const MOST: usize = 4;
    job.stop.split_at(job.stop.len().min(MOST))
}

/// About as many tokens as the prompt has: four bytes each, and a few round each message.
pub(super) fn estimate(prompt: &Prompt) -> usize {
    const ROUND: usize = 4;
    match prompt {
        Prompt::Chat(messages) => {
            messages.iter().map(|message| message.content.len().div_ceil(4) + ROUND).sum()
        }
        Prompt::Text(text) => text.len().div_ceil(4),
    }
}

/// More tokens than the prompt can have: a token is at least a byte, templates of others are
/// unknown, and a schema is put into the prompt.
pub(super) fn at_most(job: &Job) -> usize {
    const TEMPLATE: usize = 64;
    let schema = match &job.shape {
        Shape::Schema(schema) => schema.to_string().len(),
        Shape::Free | Shape::Json => 0,
    };
    let prompt = match &job.prompt {
        Prompt::Chat(messages) => {
            messages.iter().map(|message| message.content.len() + TEMPLATE).sum()
        }
        Prompt::Text(text) => text.len(),
    };
    prompt + schema + 4 * TEMPLATE
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn model() -> UpstreamModel {
        UpstreamModel {
            id: "ours".to_owned(),
            title: "Ours".to_owned(),
            upstream_id: "theirs/large".to_owned(),
            context_tokens: 4096,
            price: "theirs-large".to_owned(),
        }
    }

    #[test]
    fn a_conversation_with_everything_set() {
        let messages = vec![
            Message { role: Role::System, content: "Be kind.".to_owned() },
            Message { role: Role::User, content: "Hi".to_owned() },
        ];
        let schema = Arc::new(json!({"type": "object"}));
        let job = Job {
            temperature: Some(0.5),
            top_p: Some(0.25),
            seed: Some(u64::MAX),
            stop: vec!["END".to_owned()],
            logprobs: Some(2),
            shape: Shape::Schema(Arc::clone(&schema)),
            ..Job::new("ours", Prompt::Chat(messages), 9)
        };
        let expected = json!({
            "model": "theirs/large", "stream": true, "stream_options": {"include_usage": true},
            "messages": [
                {"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"},
            ],
            "max_tokens": 9, "temperature": 0.5, "top_p": 0.25, "seed": -1, "stop": ["END"],
            "logprobs": true, "top_logprobs": 2,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": true, "schema": schema},
            },
        });
        assert_eq!(Value::Object(body(&job, &model(), Dialect::Common).unwrap()), expected);
        let newer = body(&job, &model(), Dialect::OpenAi).unwrap();
        assert_eq!((newer.get("max_tokens"), &newer["max_completion_tokens"]), (None, &json!(9)));
    }

    #[test]
    fn a_text_to_go_on_with_says_only_what_was_asked_and_takes_no_shape() {
        let job = Job::new("ours", Prompt::Text("Once".to_owned()), 5);
        let expected = json!({
            "model": "theirs/large", "stream": true, "stream_options": {"include_usage": true},
            "prompt": "Once", "max_tokens": 5,
        });
        assert_eq!(Value::Object(body(&job, &model(), Dialect::OpenAi).unwrap()), expected);
        let shaped = Job { shape: Shape::Json, ..job };
        assert!(body(&shaped, &model(), Dialect::Common).is_err());
    }

    #[test]
    fn the_estimate_is_below_the_bound() {
        for text in ["", "a", "a longer question about nothing"] {
            for prompt in [Prompt::question(text), Prompt::Text(text.to_owned())] {
                let job = Job::new("ours", prompt, 1);
                assert!(estimate(&job.prompt) <= at_most(&job), "{job:?}");
            }
        }
    }
}
