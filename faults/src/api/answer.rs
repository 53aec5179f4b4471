//! Answers to the caller.

use futures::{Stream, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER, TRANSFER_ENCODING,
};
use hyper::{HeaderMap, Response, StatusCode};
use serde_json::json;

use super::{MOST_BYTES, Piece};

/// The connection is to be reset.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the connection is reset on purpose")]
pub(super) struct Cut;

pub(super) type Body = UnsyncBoxBody<Bytes, Cut>;

/// A list may be many objects.
const MOST_OF_AN_ANSWER: usize = 16 * MOST_BYTES;

/// An answer that is here to its end.
#[derive(Clone, Debug)]
pub(super) struct Whole {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    bytes: Bytes,
}

impl Whole {
    pub(super) async fn read(answer: reqwest::Response) -> Result<Self, Cut> {
        let (status, headers) = (answer.status(), passing(answer.headers()));
        let mut bytes = Vec::new();
        let mut pieces = answer.bytes_stream();
        while let Some(piece) = pieces.next().await {
            bytes.extend_from_slice(&piece.map_err(|_| Cut)?);
            if bytes.len() > MOST_OF_AN_ANSWER {
                return Err(Cut);
            }
        }
        Ok(Self { status, headers, bytes: bytes.into() })
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let Self { status, headers, bytes } = self;
        respond(status, headers, full(bytes))
    }
}

/// An answer that passes as it comes, through `change`.
pub(super) fn streamed<S>(
    answer: reqwest::Response,
    change: impl FnOnce(futures::stream::BoxStream<'static, Piece>) -> S,
) -> Response<Body>
where
    S: Stream<Item = Piece> + Send + 'static,
{
    let (status, headers) = (answer.status(), passing(answer.headers()));
    let pieces = answer.bytes_stream().map(|piece| piece.map_err(|_| Cut)).boxed();
    let body = StreamBody::new(change(pieces).map(|piece| piece.map(Frame::data)));
    respond(status, headers, body.boxed_unsync())
}

/// What an API server says when it refuses.
pub(super) fn refusal(status: u16, retry_after: Option<u64>) -> Response<Body> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(seconds) = retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    let text = status_object(status, retry_after).to_string();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    respond(status, headers, full(text.into()))
}

pub(super) fn status_object(code: u16, retry_after: Option<u64>) -> serde_json::Value {
    let reason = match code {
        409 => "Conflict",
        410 => "Expired",
        429 => "TooManyRequests",
        500 => "InternalError",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "Unknown",
    };
    let details = retry_after.map(|seconds| json!({ "retryAfterSeconds": seconds }));
    json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "made to fail by a test",
        "reason": reason,
        "details": details.unwrap_or_else(|| json!({})),
        "code": code,
    })
}

fn respond(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// Without what is about one connection.
fn passing(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for own in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(own);
    }
    headers
}
