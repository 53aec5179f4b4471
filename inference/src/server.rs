//! The model server behind HTTP: `POST /v1/chat/completions`, `GET /v1/models`, `GET /health`.
//!
//! | code | status | when |
//! | --- | --- | --- |
//! | `not-signed-in` | 401 | no token, or not one that its tenant signed within the last minute |
//! | `unreadable-request`, `unsupported-field`, `unknown-role`, `text-only`, `out-of-range` | 400 | the body |
//! | `prompt-too-long` | 400 | prompt and answer do not fit the model |
//! | `model-not-found` | 404 | no such model is loaded |
//! | `request-too-large` | 413 | more bytes than [`Bounds::body_bytes`] |
//! | `queue-full` | 429 | with `Retry-After` |
//! | `model-loading`, `engine-failed` | 503 | with `Retry-After` |
//!
//! A stream begins at once, also while its request waits: comment lines (`: position 3`) then say
//! how many answers begin before it. What fails after that comes as `data: {"error": ...}`.

mod answer;
mod chat;
mod credentials;
mod request_id;
#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use jiff::Timestamp;
use serde_json::json;
use web::Problem;

pub use credentials::Credentials;

use crate::admission::{Admission, Load, Places};
use crate::engine::Engine;
use crate::wire::{Bounds, ModelList};

/// Where the time comes from.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the server allows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// One request.
    pub bounds: Bounds,
    /// All of them together.
    pub places: Places,
}

/// The model server. Clones are the same server.
#[derive(Clone)]
pub struct Inference {
    engine: Arc<RwLock<Option<Arc<dyn Engine>>>>,
    admission: Admission,
    bounds: Bounds,
    credentials: Credentials,
    now: Now,
}

impl Inference {
    /// A server without an engine: it answers 503 `model-loading` until [`Self::set_engine`].
    pub fn new(credentials: Credentials, now: Now, limits: Limits) -> Self {
        Self {
            engine: Arc::default(),
            admission: Admission::new(limits.places),
            bounds: limits.bounds,
            credentials,
            now,
        }
    }

    /// From now on this engine answers. What another one has begun runs to its end there.
    pub fn set_engine(&self, engine: Arc<dyn Engine>) {
        *self.engine.write().unwrap_or_else(PoisonError::into_inner) = Some(engine);
    }

    /// How busy it is.
    pub fn load(&self) -> Load {
        self.admission.load()
    }

    fn engine(&self) -> Result<Arc<dyn Engine>, Problem> {
        let engine = self.engine.read().unwrap_or_else(PoisonError::into_inner).clone();
        engine.ok_or_else(|| {
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "model-loading",
                "The model is still being loaded.",
            )
            .detail("It answers as soon as it is ready; the first time that takes minutes.")
            .retry_after(5)
        })
    }
}

/// The routes. Bounds for connections and slow heads are the accept loop's.
pub fn router(inference: Inference) -> Router {
    let body_limit = DefaultBodyLimit::max(inference.bounds.body_bytes);
    Router::new()
        .route("/v1/chat/completions", post(chat::complete).layer(body_limit))
        .route("/v1/models", get(models))
        .route("/health", get(health))
        .fallback(async || Problem::not_found("not-found", "There is nothing at this address."))
        .layer(middleware::from_fn(request_id::attach))
        .with_state(inference)
}

async fn models(
    State(inference): State<Inference>,
    headers: HeaderMap,
) -> Result<Json<ModelList>, Problem> {
    inference.credentials.caller(&headers, (inference.now)())?;
    Ok(Json(ModelList::new(inference.engine()?.models())))
}

/// For whoever watches the process: no token, nothing about tenants.
async fn health(State(inference): State<Inference>) -> Response {
    let (status, word) = match inference.engine() {
        Ok(_) => (StatusCode::OK, "ok"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "loading"),
    };
    let Load { running, waiting } = inference.load();
    (status, Json(json!({"status": word, "running": running, "waiting": waiting}))).into_response()
}
