//! Why an upstream did not answer, told apart by what helps. Of what it wrote only the type and the
//! code of its error are kept, and only where they are plain words: its texts may hold anything,
//! our key included.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::timeout;

use crate::engine::{EngineError, Job, Reason, Shape};

/// How much of an error is read.
const BODY: usize = 16 * 1024;
const BODY_TIME: Duration = Duration::from_secs(5);
/// For an upstream that does not say when it has room again.
const BUSY: Duration = Duration::from_secs(5);
/// The longest that one that does is believed.
const BUSY_AT_MOST: Duration = Duration::from_mins(10);

/// Why an upstream did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Failure {
    /// For the client and the log.
    pub error: EngineError,
    /// What helps.
    pub kind: Kind,
}

/// What helps after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Another request: this one cannot be answered here.
    Refused,
    /// Another prompt: its filter does not let this one through.
    Filtered,
    /// Time, at least so much.
    Busy(Duration),
    /// Another try: no connection came about.
    Unreachable,
    /// Mending it; trying again may not help.
    Broken,
    /// The operator: the key is refused or has no money.
    Key,
}

impl Failure {
    pub(crate) fn refused(error: EngineError) -> Self {
        Self { error, kind: Kind::Refused }
    }

    pub(crate) fn broken(why: impl Into<String>) -> Self {
        Self { error: EngineError::Broken(why.into()), kind: Kind::Broken }
    }

    pub(super) fn full() -> Self {
        Self::busy(Duration::from_secs(1))
    }

    fn busy(after: Duration) -> Self {
        Self { error: EngineError::Busy { after }, kind: Kind::Busy(after) }
    }

    /// How an answer ends that never began.
    pub(crate) fn into_reason(self) -> Reason {
        match self.kind {
            Kind::Filtered => Reason::Filtered,
            _ => Reason::Failed(self.error),
        }
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        let kind = if error.is_connect() { Kind::Unreachable } else { Kind::Broken };
        Self { error: EngineError::Broken(in_words(error)), kind }
    }
}

/// A failure of the connection with its causes; never what was sent.
pub(crate) fn in_words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

/// What an error says about itself. Anything may be missing, or of another type.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    #[serde(rename = "type")]
    kind: Value,
    code: Value,
    message: Value,
    param: Value,
}

impl Told {
    /// For comparisons, never for logs.
    fn words(&self) -> String {
        let words = [&self.kind, &self.code, &self.message, &self.param];
        let words = words.map(|word| word.as_str().unwrap_or_default());
        words.join(" ").to_lowercase()
    }

    /// For logs.
    fn name(&self) -> &str {
        let is_plain = |word: &&str| {
            (1..=40).contains(&word.len())
                && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        let mut names = [&self.code, &self.kind].into_iter().filter_map(Value::as_str);
        names.find(is_plain).unwrap_or("no code")
    }
}

/// Reads why a request was refused.
pub(super) async fn read(response: Response, job: &Job, context: usize) -> Failure {
    let status = response.status();
    let after = retry_after(response.headers());
    let body = timeout(BODY_TIME, beginning(response)).await.unwrap_or_default();
    let told = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    classify(status, after, &told, job, context)
}

/// What an event says that is an error; the status was fine.
pub(super) fn of_event(error: &Value) -> Failure {
    let told = Told::deserialize(error).unwrap_or_default();
    Failure::broken(format!("it ended the answer with an error ({})", told.name()))
}

fn classify(
    status: StatusCode,
    after: Option<Duration>,
    body: &Value,
    job: &Job,
    context: usize,
) -> Failure {
    // Some put the error beside nothing else.
    let told = body.get("error").filter(|error| error.is_object()).unwrap_or(body);
    let told = Told::deserialize(told).unwrap_or_default();
    let (words, name) = (told.words(), told.name());
    let says = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    let broken = |why: &str, kind| Failure {
        error: EngineError::Broken(format!("{why} ({status}, {name})")),
        kind,
    };
    match status.as_u16() {
        401 | 403 => broken("it refuses our key", Kind::Key),
        402 => broken("our account there has no money", Kind::Key),
        429 if says(&["insufficient_quota"]) => broken("our account there has no money", Kind::Key),
        429 | 503 | 529 => Failure::busy(after.unwrap_or(BUSY)),
        404 if says(&["model"]) => Failure::refused(EngineError::UnknownModel(job.model.clone())),
        404 => broken("there is no such address; is its base_url right?", Kind::Broken),
        400 | 413 | 422 => {
            if says(&["context_length", "context length", "context size", "context_size"]) {
                return Failure::refused(EngineError::PromptTooLong { limit: context });
            }
            if says(&["content_filter", "content_policy", "moderation"]) {
                return broken("it filtered the prompt", Kind::Filtered);
            }
            let schema = ["response_format", "json_schema", "grammar", "schema"];
            if job.shape != Shape::Free && says(&schema) {
                let why = "the model's server does not take this schema; a simpler one may do";
                return Failure::refused(EngineError::BadShape(why.to_owned()));
            }
            let why = format!("the model's server does not take the request ({status}, {name})");
            Failure::refused(EngineError::Refused(why))
        }
        300..400 => broken("it redirects, which is not followed", Kind::Broken),
        408 | 500.. => broken("it failed", Kind::Broken),
        _ => broken("it does not take the request", Kind::Refused),
    }
}

async fn beginning(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = BODY - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    body
}

/// In seconds; the form with a date is not read.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).clamp(Duration::from_secs(1), BUSY_AT_MOST))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::engine::Prompt;

    fn read(status: u16, body: &Value) -> Failure {
        let shape = Shape::Schema(Arc::new(json!({"type": "object"})));
        let job = Job { shape, ..Job::new("ours", Prompt::question("hi"), 1) };
        classify(StatusCode::from_u16(status).unwrap(), None, body, &job, 4096)
    }

    #[test]
    fn what_helps_is_told_apart() {
        let error =
            |code: &str, message: &str| json!({"error": {"code": code, "message": message}});
        let nothing = Value::Null;
        for (status, body, kind) in [
            (401, &nothing, Kind::Key),
            (403, &nothing, Kind::Key),
            (429, &nothing, Kind::Busy(BUSY)),
            (429, &error("insufficient_quota", ""), Kind::Key),
            (503, &nothing, Kind::Busy(BUSY)),
            (500, &nothing, Kind::Broken),
            (302, &nothing, Kind::Broken),
            (404, &nothing, Kind::Broken),
            (404, &error("model_not_found", ""), Kind::Refused),
            (418, &nothing, Kind::Refused),
            (400, &error("content_filter", ""), Kind::Filtered),
        ] {
            assert_eq!(read(status, body).kind, kind, "{status} {body}");
        }
    }

    #[test]
    fn a_prompt_that_is_too_long_and_a_bad_schema_are_recognised() {
        let long = EngineError::PromptTooLong { limit: 4096 };
        for body in [
            json!({"error": {"code": "context_length_exceeded"}}),
            json!({"error": {"message": "This model's maximum context length is 8 tokens"}}),
            json!({"error": {"type": "exceed_context_size_error", "code": 400}}),
            json!({"message": "the request exceeds the available context size"}),
        ] {
            assert_eq!(read(400, &body).error, long, "{body}");
        }
        let plain = json!({"error": {"code": "invalid_prompt", "message": "roles must alternate"}});
        let EngineError::Refused(why) = read(400, &plain).error else { panic!() };
        assert!(why.contains("invalid_prompt") && !why.contains("alternate"), "{why}");
        let schema = json!({"error": {"message": "Invalid schema", "param": "response_format"}});
        assert!(matches!(read(400, &schema).error, EngineError::BadShape(_)));
    }

    #[test]
    fn nothing_that_the_upstream_wrote_is_kept_but_a_plain_code() {
        let body =
            json!({"error": {"code": "sk-123", "message": "bad key sk-123", "type": "oops"}});
        let error = read(401, &body).error.to_string();
        assert!(error.contains("oops") && !error.contains("sk-123"), "{error}");
    }

    #[test]
    fn a_wait_is_believed_within_bounds() {
        let of =
            |text: &str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]));
        assert_eq!(of("7"), Some(Duration::from_secs(7)));
        assert_eq!(of("0"), Some(Duration::from_secs(1)));
        assert_eq!(of("99999999"), Some(BUSY_AT_MOST));
        assert_eq!(of("Wed, 21 Oct 2015 07:28:00 GMT"), None);
    }
}
