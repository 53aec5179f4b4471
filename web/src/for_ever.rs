//! Files whose names carry their content's hash: what such a name leads to never changes.

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;

/// A file that browsers and edges may keep for ever.
pub fn for_ever(content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    let cache = HeaderValue::from_static("public, max-age=31536000, immutable");
    headers.insert(header::CACHE_CONTROL, cache);
    response
}
