//! One listener for all platforms: who is meant is read from the Host, and nobody else answers.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use tower::ServiceExt;
use web::Problem;

/// The routers of the running platforms, by host name.
#[derive(Clone, Default)]
pub struct Gate(Arc<RwLock<HashMap<String, Router>>>);

impl Gate {
    /// Lets a platform answer under a host name.
    pub fn open(&self, host: String, router: Router) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(host, router);
    }

    /// Stops answering under a host name.
    pub fn close(&self, host: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(host);
    }

    /// The service behind the listener.
    pub fn router(&self) -> Router {
        Router::new().fallback(pass).with_state(self.clone())
    }

    fn find(&self, host: &str) -> Option<Router> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(host).cloned()
    }
}

async fn pass(State(gate): State<Gate>, request: Request<Body>) -> Response {
    let host = web::host::of(request.uri(), request.headers());
    let peer = request.extensions().get::<web::serve::Peer>();
    if let Some(asked) = peer.and_then(|peer| peer.tls_name.as_deref())
        && host.as_deref() != Some(asked.to_ascii_lowercase().as_str())
    {
        return misdirected();
    }
    match host.as_deref().and_then(|host| gate.find(host)) {
        Some(router) => match router.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
        None => nobody(host.as_deref()),
    }
}

/// The certificate was asked for under one name and the page under another.
fn misdirected() -> Response {
    Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "misdirected",
        "This connection was made for another name.",
    )
    .detail("Open a new connection for this one.")
    .into_response()
}

/// A neutral page: it does not tell which platforms there are.
fn nobody(host: Option<&str>) -> Response {
    let why = if host.is_some() {
        "No platform answers under this address. It may be stopped, or the address mistyped. \
         Open http://NAME.localhost:PORT, with a platform's name, and the port of this address."
    } else {
        "The request did not say which platform it is for."
    };
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Nothing here</title>\
         <main><h1>Nothing here</h1><p>{why}</p></main></html>"
    );
    (StatusCode::NOT_FOUND, Html(page)).into_response()
}

#[cfg(test)]
mod tests {
    use axum::routing::get;

    use super::*;

    async fn status(gate: &Gate, host: &str) -> (StatusCode, String) {
        let request = Request::builder().uri("/").header("host", host).body(Body::empty()).unwrap();
        let response = gate.router().oneshot(request).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn each_host_reaches_its_own_platform_and_no_other() {
        let gate = Gate::default();
        gate.open("a.localhost".into(), Router::new().route("/", get(|| async { "I am a" })));
        gate.open("b.localhost".into(), Router::new().route("/", get(|| async { "I am b" })));
        assert_eq!(status(&gate, "a.localhost:8080").await.1, "I am a");
        assert_eq!(status(&gate, "B.localhost").await.1, "I am b");
        let (nothing, page) = status(&gate, "c.localhost").await;
        assert_eq!(nothing, StatusCode::NOT_FOUND);
        assert!(!page.contains("a.localhost"));
        assert!(status(&gate, "localhost:8080").await.1.contains("http://NAME.localhost:PORT"));
        let mut crossed =
            Request::builder().uri("/").header("host", "b.localhost").body(Body::empty()).unwrap();
        crossed.extensions_mut().insert(web::serve::Peer {
            address: ([127, 0, 0, 1], 1).into(),
            tls_name: Some("a.localhost".into()),
        });
        let refused = gate.router().oneshot(crossed).await.unwrap();
        assert_eq!(refused.status(), StatusCode::MISDIRECTED_REQUEST);

        gate.close("a.localhost");
        assert_eq!(status(&gate, "a.localhost").await.0, StatusCode::NOT_FOUND);
    }
}
