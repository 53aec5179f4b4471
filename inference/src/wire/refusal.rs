//! What a client is told that asked wrongly, or that cannot be answered.
//!
//! One document for two kinds of readers: an RFC 9457 problem, and inside it the member `error`
//! with what OpenAI's clients look for. `code` is the same in both.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use web::Problem;

use super::quota::{self, Quota, Unit};
use crate::budget;
use crate::engine::EngineError;
use crate::till;

/// What OpenAI's clients ask before they try again.
static SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// They would sleep as long as `Retry-After` says, in the middle of a call, be it until midnight.
/// So many seconds are all that somebody who waits for an answer is made to wait by a client.
const LONGEST_SLEEP: u64 = 60;

/// A problem, and which field of the request it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What happened, why, and what to do next.
    pub problem: Problem,
    /// The field, like `messages[2].content`, where it is one field.
    pub param: Option<String>,
    /// What there is too little of, where that is why.
    pub quota: Option<Box<Quota>>,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self { problem, param: None, quota: None }
    }
}

/// No price, no budget, or no room for its record.
impl From<till::Refused> for Refusal {
    fn from(refused: till::Refused) -> Self {
        let quota = match &refused {
            till::Refused::Budget(budget::Refused::DailyTokensSpent { left, renews_in }) => {
                let unit = Unit::Tokens;
                Some(Quota { name: "day", unit, limit: None, left: *left, more_in: *renews_in })
            }
            _ => None,
        };
        Self { quota: quota.map(Box::new), ..Problem::from(refused).into() }
    }
}

impl From<till::Unrecorded> for Refusal {
    fn from(unrecorded: till::Unrecorded) -> Self {
        Problem::from(unrecorded).into()
    }
}

impl Refusal {
    /// A request that is wrong (400) in one field. The title is to be the same for one code.
    pub(super) fn of(param: &str, code: &'static str, title: &str, detail: &str) -> Self {
        let problem = Problem::bad_request(code, title).detail(format!("{param}: {detail}"));
        Self { param: Some(param.to_owned()), ..problem.into() }
    }

    /// The field has a value that is not allowed.
    pub(super) fn out_of_range(param: &str, allowed: &str) -> Self {
        Self::of(param, "out-of-range", "A value is out of range.", allowed)
    }

    /// The field asks for what is not done here.
    pub(super) fn unsupported(param: &str, instead: &str) -> Self {
        Self::of(param, "unsupported-field", "That cannot be asked for here.", instead)
    }

    /// The field has a value of another type.
    pub(super) fn wrong_type(param: &str, expected: &str, found: &Value) -> Self {
        let detail = format!("it must be {expected}, and is {}.", kind(found));
        Self::of(param, "wrong-type", "A value is of the wrong type.", &detail)
    }

    /// The field is not text.
    pub(super) fn not_text(param: &str) -> Self {
        let detail = "it is not text. Images, sounds and files are not fetched.";
        Self::of(param, "text-only", "Only text can be read.", detail)
    }

    /// In place of a piece of a stream that had begun: too late for a status.
    pub(crate) fn in_stream(&self) -> Value {
        let mut error = self.error();
        if let (Value::Object(error), Ok(Value::Object(problem))) =
            (&mut error, serde_json::to_value(&self.problem))
        {
            error.extend(problem);
        }
        json!({ "error": error })
    }

    /// What happened and why, in one text.
    pub(super) fn message(&self) -> String {
        let Problem { title, detail, .. } = &self.problem;
        detail.as_ref().map_or_else(|| title.clone(), |detail| format!("{title} {detail}"))
    }

    fn error(&self) -> Value {
        let kind = match self.problem.status {
            StatusCode::UNAUTHORIZED => "authentication_error",
            StatusCode::FORBIDDEN => "permission_error",
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        };
        json!({
            "message": self.message(), "type": kind,
            "param": self.param, "code": self.problem.code,
        })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut body = serde_json::to_value(&self.problem).unwrap_or_default();
        body["error"] = self.error();
        let retry_after = self.problem.retry_after;
        let (mut head, _) = self.problem.into_response().into_parts();
        quota::write(self.quota.as_deref().as_slice(), &mut head.headers);
        if retry_after.is_some_and(|seconds| seconds > LONGEST_SLEEP) {
            head.headers.insert(SHOULD_RETRY.clone(), HeaderValue::from_static("false"));
        }
        Response::from_parts(head, Body::from(body.to_string()))
    }
}

/// Why a template refuses a conversation is written by whoever made the model.
const LONGEST_REASON: usize = 300;

/// What a client is told whose answer ends because the server does.
pub fn stopping() -> Problem {
    let title = "The server is being stopped.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", title)
        .detail("What was made of the answer counts. Ask again: another server, or this one soon.")
        .retry_after(5)
}

/// What a client is told about an engine's error; the cause stays in the log.
pub fn problem_of(error: &EngineError) -> Problem {
    match error {
        EngineError::UnknownModel(model) => Problem::not_found(
            "model-not-found",
            "There is no such model here.",
        )
        .detail(format!("{} is not loaded; GET /v1/models lists those that are.", clipped(model))),
        EngineError::PromptTooLong { limit } => {
            Problem::bad_request("prompt-too-long", "The conversation is too long for the model.")
                .detail(format!("It may have {limit} tokens, without the answer; send less."))
        }
        EngineError::BadShape(why) => {
            Problem::bad_request("unusable-schema", "The answer cannot be given that shape.")
                .detail(why.clone())
        }
        EngineError::Unsupported(what) => {
            Problem::bad_request("unsupported-field", "That cannot be asked for here.")
                .detail(format!("The model that was asked for has no {what}; leave it out."))
        }
        EngineError::Refused(why) => {
            let title = "The model does not take this conversation.";
            Problem::bad_request("refused-prompt", title).detail(shortened(why, LONGEST_REASON))
        }
        EngineError::Busy { after } => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "engine-busy",
            "The model has no room for further answers now.",
        )
        .detail("It should have some after the seconds in retry_after.")
        .retry_after(after.as_secs().clamp(1, 600)),
        EngineError::Broken(_) | EngineError::Gone => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "engine-failed",
            "The model could not finish the answer.",
        )
        .detail("It has been logged. Trying again in a moment may help.")
        .retry_after(5),
    }
}

/// A name that somebody else chose, short enough to be repeated.
pub(super) fn clipped(name: &str) -> String {
    shortened(name, 80)
}

/// The first so many characters.
fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "another number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_kinds_of_readers_find_what_they_look_for() {
        let refusal = Refusal::out_of_range("top_p", "it must be above 0.");
        let streamed = refusal.in_stream();
        let response = refusal.into_response();
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&body["code"], &body["status"]), (&json!("out-of-range"), &json!(400)));
        let error = json!({
            "message": "A value is out of range. top_p: it must be above 0.",
            "type": "invalid_request_error", "param": "top_p", "code": "out-of-range",
        });
        assert_eq!(body["error"], error);
        assert_eq!(streamed["error"]["message"], error["message"]);
        assert_eq!(streamed["error"]["title"], body["title"]);
    }

    #[test]
    fn a_client_that_would_sleep_for_long_is_told_not_to() {
        let refused = |seconds| {
            let problem =
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "a", "b").retry_after(seconds);
            let response = Refusal::from(problem).into_response();
            response.headers().get("x-should-retry").cloned()
        };
        assert_eq!(refused(60), None);
        assert_eq!(refused(3600), Some(HeaderValue::from_static("false")));
    }

    #[test]
    fn who_sends_too_much_is_told_how_long_a_prompt_may_be() {
        let problem = problem_of(&EngineError::PromptTooLong { limit: 1024 });
        let detail = "It may have 1024 tokens, without the answer; send less.";
        assert_eq!(problem.detail.as_deref(), Some(detail));
    }

    #[test]
    fn who_writes_what_a_model_does_not_take_is_told_why_and_not_to_come_back() {
        let why = format!("its roles must take turns{}", "!".repeat(10_000));
        let problem = problem_of(&EngineError::Refused(why));
        assert_eq!((problem.status, problem.retry_after), (StatusCode::BAD_REQUEST, None));
        let refusal = Refusal::from(problem);
        assert!(refusal.message().contains("take turns") && refusal.message().len() < 500);
        assert_eq!(refusal.error()["type"], "invalid_request_error");
    }

    #[test]
    fn a_long_name_is_not_repeated_whole() {
        let problem = problem_of(&EngineError::UnknownModel("ä".repeat(100_000)));
        assert!(problem.detail.unwrap().len() < 300);
    }
}
