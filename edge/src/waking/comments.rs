//! A stream of events that waits for its platform hears so: whoever asks for one gives up, or is
//! given up by what is in between, where nothing is said for long.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use tokio::time::timeout;

/// An answer that begins within this time is given as it is.
pub(crate) const AT_ONCE: Duration = Duration::from_secs(2);
/// So often it is said that there is nothing yet.
const EVERY: Duration = Duration::from_secs(10);
const WAKING: &str = ": this site is waking up\n\n";
/// Whoever asked asks again in three seconds, and hears what the matter is once it does not sleep any
/// more.
const AGAIN: &str = "retry: 3000\n\n";
/// The sort of what is said.
const EVENTS: &str = "text/event-stream";

/// The answer of a platform, on its way; nothing where there is none.
pub(crate) type OnItsWay = Pin<Box<dyn Future<Output = Option<Response>> + Send>>;

/// Whether what is asked for is a stream of events, and may be asked for again.
pub(crate) fn are_wanted(request: &Request) -> bool {
    request.method() == Method::GET && names_events(request.headers(), &header::ACCEPT)
}

/// A stream that begins now, and goes on with the platform's own once there is one.
pub(crate) fn until(answer: OnItsWay) -> Response {
    let waiting = stream::unfold(Some(answer), async |waiting| {
        let mut answer = waiting?;
        Some(match timeout(EVERY, &mut answer).await {
            Err(_nothing_yet) => (said(WAKING), Some(answer)),
            Ok(Some(answer)) if are_said(&answer) => (words(answer), None),
            // It began as a stream of events and cannot become another answer.
            Ok(_) => (said(AGAIN), None),
        })
    });
    let all = said(WAKING).chain(waiting.flatten());
    let mut response = Response::new(Body::from_stream(all));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(EVENTS));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

type Words = BoxStream<'static, Result<Bytes, axum::Error>>;

fn said(text: &'static str) -> Words {
    stream::once(async move { Ok(Bytes::from_static(text.as_bytes())) }).boxed()
}

fn words(answer: Response) -> Words {
    answer.into_body().into_data_stream().boxed()
}

fn are_said(answer: &Response) -> bool {
    let headers = answer.headers();
    let is_plain = !headers.contains_key(header::CONTENT_ENCODING);
    answer.status() == StatusCode::OK && is_plain && names_events(headers, &header::CONTENT_TYPE)
}

fn names_events(headers: &HeaderMap, name: &header::HeaderName) -> bool {
    let named = headers.get(name).and_then(|value| value.to_str().ok());
    named.is_some_and(|named| named.contains(EVENTS))
}
