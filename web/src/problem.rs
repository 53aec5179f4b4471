//! The one answer to whatever goes wrong, by RFC 9457 (`application/problem+json`).
//!
//! Servers map their error enums to a [`Problem`] in one place. The `code` is stable and part of
//! the contract; `title` says what happened; `detail` says why and what to do next. The cause
//! stays in the log.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// An RFC 9457 problem. `type` is left out, which the RFC reads as `about:blank`; clients branch
/// on `code`.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Problem {
    /// What happened, in a short sentence that never changes for one code.
    pub title: String,
    /// The HTTP status, repeated in the body as the RFC asks.
    #[serde(serialize_with = "as_number")]
    pub status: StatusCode,
    /// A stable name a program can branch on, in kebab-case.
    pub code: &'static str,
    /// Why, and what to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Seconds after which another try makes sense; sent as `Retry-After` too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl Problem {
    /// A problem with a status, a stable code and a title.
    pub fn new(status: StatusCode, code: &'static str, title: impl Into<String>) -> Self {
        Self { title: title.into(), status, code, detail: None, retry_after: None }
    }

    /// The request itself is wrong (400).
    pub fn bad_request(code: &'static str, title: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, title)
    }

    /// Nothing here under this name (404).
    pub fn not_found(code: &'static str, title: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, title)
    }

    /// Ours to mend (500). The caller logs the cause; the answer holds none of it.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong on our side.",
        )
        .detail("It has been logged. Trying again in a moment may help.")
    }

    /// Says why, and what to do next.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Says after how many seconds another try makes sense.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status;
        let retry = self.retry_after;
        // Whoever answers with pages makes one of it.
        let told = self.clone();
        let mut response = (status, Json(self)).into_response();
        response.extensions_mut().insert(told);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry {
            headers.insert(HeaderName::from_static("retry-after"), HeaderValue::from(seconds));
        }
        response
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn as_number<S: serde::Serializer>(status: &StatusCode, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u16(status.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_code_and_status_and_when_to_try_again() {
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", "Too many at once.")
            .retry_after(7);
        let body = serde_json::to_value(&problem).unwrap();
        assert_eq!(body["status"], 429);
        assert_eq!(body["code"], "too-many");
        let response = problem.into_response();
        assert_eq!(response.extensions().get::<Problem>().map(|it| it.code), Some("too-many"));
        assert_eq!(response.headers()["retry-after"], "7");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
}
