//! What is answered before the platform can serve, and the way in from then on.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;
use web::Problem;

/// Closed at first: alive, and not ready.
#[derive(Clone, Default)]
pub(super) struct Door(Arc<Inner>);

#[derive(Default)]
struct Inner {
    inside: OnceLock<Router>,
    why: RwLock<String>,
}

impl Door {
    /// Lets everybody in, from now on.
    pub(super) fn open(&self, inside: Router) {
        _ = self.0.inside.set(inside);
    }

    /// Why it is not open yet, for who looks whether it is ready.
    pub(super) fn stays_closed(&self, why: String) {
        *self.0.why.write().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// The service behind the listener.
    pub(super) fn router(&self) -> Router {
        Router::new().fallback(pass).with_state(self.clone())
    }
}

async fn pass(State(door): State<Door>, request: Request<Body>) -> Result<Response, Infallible> {
    if let Some(inside) = door.0.inside.get() {
        return inside.clone().oneshot(request).await;
    }
    Ok(match request.uri().path() {
        "/healthz" => "ok\n".into_response(),
        "/readyz" => {
            let why = door.0.why.read().unwrap_or_else(PoisonError::into_inner).clone();
            (StatusCode::SERVICE_UNAVAILABLE, format!("not ready yet: {why}\n")).into_response()
        }
        _ => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "starting",
            "This platform is just starting.",
        )
        .detail("Try again in a few seconds.")
        .retry_after(5)
        .into_response(),
    })
}

#[cfg(test)]
mod tests {
    use axum::routing::get;

    use super::*;

    async fn asked(door: &Door, path: &str) -> (u16, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = door.router().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn who_comes_before_it_is_ready_is_told_so_and_the_process_is_alive() {
        let door = Door::default();
        door.stays_closed("the database does not answer".to_owned());
        assert_eq!(asked(&door, "/healthz").await.0, 200);
        let (status, why) = asked(&door, "/readyz").await;
        assert_eq!((status, why.contains("the database does not answer")), (503, true), "{why}");
        assert_eq!(asked(&door, "/").await.0, 503);

        door.open(Router::new().route("/", get(|| async { "come in" })));
        assert_eq!(asked(&door, "/").await, (200, "come in".to_owned()));
    }
}
