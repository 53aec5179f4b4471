//! From a request body to a [`Job`], or the reason why not.

use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use web::Problem;

use crate::engine::{Job, Message, Owner, Prompt, Role, Shape};

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

/// How the answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// In one piece.
    Whole,
    /// As server-sent events.
    Stream {
        /// With a last event that tells the usage.
        usage: bool,
    },
}

const MAX_STOPS: usize = 4;
const MAX_STOP_BYTES: usize = 128;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(default)]
    model: Option<String>,
    messages: Vec<RawMessage>,
    #[serde(default)]
    max_tokens: Option<usize>,
    #[serde(default)]
    max_completion_tokens: Option<usize>,
    #[serde(default)]
    temperature: Option<f32>,
    #[serde(default)]
    top_p: Option<f32>,
    #[serde(default)]
    seed: Option<i64>,
    #[serde(default)]
    stop: Option<Stops>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    // Clients send these by habit; fine as long as they ask for nothing.
    #[serde(default)]
    n: Option<u64>,
    #[serde(default)]
    presence_penalty: Option<f32>,
    #[serde(default)]
    frequency_penalty: Option<f32>,
    // Who asks is said by the token, so these change nothing.
    #[serde(default, rename = "user")]
    _user: IgnoredAny,
    #[serde(default, rename = "metadata")]
    _metadata: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMessage {
    role: String,
    content: Value,
    #[serde(default, rename = "name")]
    _name: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Stops {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

/// Reads a body. `default_model` answers requests that name none.
pub fn read(body: &[u8], default_model: &str, bounds: &Bounds) -> Result<(Job, Delivery), Problem> {
    let body: Body = serde_json::from_slice(body).map_err(|error| {
        Problem::bad_request("unreadable-request", "The request could not be read.")
            .detail(error.to_string())
    })?;
    let delivery = delivery(&body);
    let job = Job {
        max_tokens: max_tokens(&body, bounds)?,
        temperature: within(body.temperature, "temperature", 0.0, 2.0)?,
        top_p: within(body.top_p, "top_p", f32::MIN_POSITIVE, 1.0)?,
        prompt: Prompt::Chat(messages(&body.messages, bounds)?),
        // The sign only makes room for every number a client may send.
        seed: body.seed.map(i64::cast_unsigned),
        stop: stops(body.stop)?,
        logprobs: None,
        shape: Shape::Free,
        owner: Owner::default(),
        model: body.model.unwrap_or_else(|| default_model.to_owned()),
    };
    neutral(body.n.is_none_or(|n| n == 1), "n", "Only 1 answer a request is made.")?;
    let none = |penalty: Option<f32>| penalty.is_none_or(|penalty| penalty == 0.0);
    neutral(none(body.presence_penalty), "presence_penalty", "Leave it out or set it to 0.")?;
    neutral(none(body.frequency_penalty), "frequency_penalty", "Leave it out or set it to 0.")?;
    Ok((job, delivery))
}

fn delivery(body: &Body) -> Delivery {
    if body.stream != Some(true) {
        return Delivery::Whole;
    }
    let usage = body.stream_options.as_ref().and_then(|options| options.include_usage);
    Delivery::Stream { usage: usage == Some(true) }
}

fn max_tokens(body: &Body, bounds: &Bounds) -> Result<usize, Problem> {
    let asked = body.max_completion_tokens.or(body.max_tokens);
    let max = asked.unwrap_or(bounds.default_max_tokens);
    if (1..=bounds.max_tokens).contains(&max) {
        return Ok(max);
    }
    Err(out_of_range("max_tokens", format!("It must be from 1 to {}.", bounds.max_tokens)))
}

fn within(value: Option<f32>, name: &str, low: f32, high: f32) -> Result<Option<f32>, Problem> {
    match value {
        Some(value) if !(low..=high).contains(&value) => {
            let low = if low > 0.0 { "above 0".to_owned() } else { format!("at least {low}") };
            Err(out_of_range(name, format!("It must be {low} and at most {high}.")))
        }
        value => Ok(value),
    }
}

fn messages(raw: &[RawMessage], bounds: &Bounds) -> Result<Vec<Message>, Problem> {
    if raw.is_empty() || raw.len() > bounds.messages {
        let range = format!("There must be from 1 to {} of them.", bounds.messages);
        return Err(out_of_range("messages", range));
    }
    raw.iter().enumerate().map(|(at, message)| read_message(at, message)).collect()
}

fn read_message(at: usize, raw: &RawMessage) -> Result<Message, Problem> {
    let role = match raw.role.as_str() {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        other => {
            let known = format!("messages[{at}].role is {other}; known: system, user, assistant.");
            return Err(Problem::bad_request("unknown-role", "A role is unknown.").detail(known));
        }
    };
    let content = match &raw.content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts = parts.iter().enumerate().map(|(part_at, part)| text_of(at, part_at, part));
            texts.collect::<Result<String, Problem>>()?
        }
        _ => return Err(not_text(&format!("messages[{at}].content"))),
    };
    Ok(Message { role, content })
}

fn text_of(at: usize, part_at: usize, part: &Value) -> Result<String, Problem> {
    match (part["type"].as_str(), part["text"].as_str()) {
        (Some("text"), Some(text)) => Ok(text.to_owned()),
        _ => Err(not_text(&format!("messages[{at}].content[{part_at}]"))),
    }
}

fn stops(stop: Option<Stops>) -> Result<Vec<String>, Problem> {
    let stops = match stop {
        None => Vec::new(),
        Some(Stops::One(stop)) => vec![stop],
        Some(Stops::Many(stops)) => stops,
    };
    let short = stops.iter().all(|stop| (1..=MAX_STOP_BYTES).contains(&stop.len()));
    if stops.len() <= MAX_STOPS && short {
        return Ok(stops);
    }
    let range = format!("At most {MAX_STOPS} texts of 1 to {MAX_STOP_BYTES} bytes.");
    Err(out_of_range("stop", range))
}

fn neutral(is: bool, name: &str, detail: &str) -> Result<(), Problem> {
    if is {
        return Ok(());
    }
    let title = format!("{name} cannot be set here.");
    Err(Problem::bad_request("unsupported-field", title).detail(detail))
}

fn out_of_range(name: &str, detail: String) -> Problem {
    Problem::bad_request("out-of-range", format!("{name} is out of range.")).detail(detail)
}

fn not_text(path: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "text-only", "Only text can be read.")
        .detail(format!("{path} is not text. Images, sounds and files are not fetched."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(body: &Value) -> Result<(Job, Delivery), Problem> {
        read(body.to_string().as_bytes(), "default", &Bounds::default())
    }

    fn with(field: &str, value: Value) -> Value {
        let mut body = json!({"messages": [{"role": "user", "content": "hi"}]});
        body[field] = value;
        body
    }

    #[test]
    fn a_whole_request_becomes_a_job() {
        let (job, delivery) = parse(&json!({
            "model": "m", "stream": true, "stream_options": {"include_usage": true},
            "messages": [
                {"role": "developer", "content": "be short"},
                {"role": "user", "name": "ann", "content": [
                    {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            ],
            "max_tokens": 7, "temperature": 0.5, "top_p": 1, "seed": -1, "stop": "END",
            "n": 1, "user": "ignored", "presence_penalty": 0,
        }))
        .unwrap();
        assert_eq!(delivery, Delivery::Stream { usage: true });
        let Prompt::Chat(messages) = job.prompt else { panic!("{:?}", job.prompt) };
        assert_eq!(messages[0].role, Role::System);
        assert_eq!(messages[1].content, "ab");
        assert_eq!((job.max_tokens, job.seed), (7, Some(u64::MAX)));
        assert_eq!(job.stop, ["END"]);
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let (job, delivery) = parse(&with("model", Value::Null)).unwrap();
        assert_eq!((job.model.as_str(), job.max_tokens), ("default", 512));
        assert_eq!(delivery, Delivery::Whole);
    }

    #[test]
    fn every_refusal_names_what_it_is_about() {
        let image = json!([{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "http://169.254.169.254/"}}]}]);
        for (field, value, code) in [
            ("messages", image, "text-only"),
            ("messages", json!([{"role": "user", "content": null}]), "text-only"),
            ("messages", json!([{"role": "tool", "content": "x"}]), "unknown-role"),
            ("messages", json!([]), "out-of-range"),
            ("messages", json!(vec![json!({"role": "user", "content": "x"}); 257]), "out-of-range"),
            ("max_tokens", json!(0), "out-of-range"),
            ("max_completion_tokens", json!(4097), "out-of-range"),
            ("temperature", json!(2.1), "out-of-range"),
            ("top_p", json!(0), "out-of-range"),
            ("stop", json!(["a", "b", "c", "d", "e"]), "out-of-range"),
            ("n", json!(2), "unsupported-field"),
            ("frequency_penalty", json!(0.1), "unsupported-field"),
            ("tools", json!([]), "unreadable-request"),
            ("web_search_options", json!({}), "unreadable-request"),
        ] {
            let problem = parse(&with(field, value)).unwrap_err();
            assert_eq!(problem.code, code, "{field}");
            let said = format!("{} {}", problem.title, problem.detail.unwrap());
            let known_as = if field == "max_completion_tokens" { "max_tokens" } else { field };
            assert!(said.contains(known_as), "{field}: {said}");
        }
    }
}
