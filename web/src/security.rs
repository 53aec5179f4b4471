//! What every page we serve carries: a strict content policy, no sniffing, no framing.

use axum::Router;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use tower_http::csrf::CsrfLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::Problem;

/// Everything from ourselves, nothing inline, nobody may frame us. Images may be inlined (`data:`)
/// because brand marks are.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'";

/// Adds the headers to every answer of a router; a handler that sets one itself keeps its own.
pub fn headers<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    let set = |name: &'static str, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    router
        .layer(set("content-security-policy", CONTENT_POLICY))
        .layer(set("x-content-type-options", "nosniff"))
        .layer(set("referrer-policy", "same-origin"))
        .layer(set("cross-origin-opener-policy", "same-origin"))
        .layer(set("permissions-policy", "camera=(), microphone=(), geolocation=()"))
        // What a signed-in person sees is theirs: no cache may keep it unless a handler says so.
        .layer(set("cache-control", "no-store"))
}

/// Refuses writing requests that a browser sends on behalf of another site, by `Sec-Fetch-Site`
/// and `Origin`. Programs send neither and pass; they carry no cookies of a person.
pub fn same_origin<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router.layer(CsrfLayer::new()).layer(axum::middleware::map_response(explain_refusal))
}

async fn explain_refusal(response: Response) -> Response {
    if response.extensions().get::<tower_http::csrf::ProtectionError>().is_none() {
        return response;
    }
    Problem::new(
        axum::http::StatusCode::FORBIDDEN,
        "cross-origin",
        "This request came from another site.",
    )
    .detail("Open the page itself and send the form from there.")
    .into_response()
}
