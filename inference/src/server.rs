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
//! | `model-loading`, `engine-failed` | 503 | with `Retry-After`; a question waits [`Limits::model_wait`] for its model first |
//!
//! A stream begins as soon as the model is loaded, also while its request waits for its turn:
//! comment lines (`: position 3`) then say how many answers begin before it. What fails after that comes as `data: {"error": ...}`.

mod admin;
mod answer;
mod chat;
mod credentials;
mod fleet;
mod request_id;
mod slot;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use jiff::Timestamp;
use serde_json::json;
use web::Problem;

use fleet::Fleet;

pub use admin::admin_router;
pub use credentials::Credentials;
pub use fleet::{LoadFailed, Loader};

use crate::admission::{Load, Places};
use crate::engine::Engine;
use crate::wire::{Bounds, ModelList};

/// Where the time comes from.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the server allows.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// One request.
    pub bounds: Bounds,
    /// All of them together.
    pub places: Places,
    /// How long a question waits for a model that is still being loaded.
    pub model_wait: Duration,
}

impl Default for Limits {
    /// Loading takes a second or a few; fetching takes minutes, for which nobody should wait.
    fn default() -> Self {
        Self {
            bounds: Bounds::default(),
            places: Places::default(),
            model_wait: Duration::from_secs(20),
        }
    }
}

/// The model server. Clones are the same server.
#[derive(Clone)]
pub struct Inference {
    fleet: Arc<Fleet>,
    bounds: Bounds,
    model_wait: Duration,
    credentials: Credentials,
    now: Now,
}

impl Inference {
    /// A server without an engine: it answers 503 `model-loading` until [`Self::set_engine`].
    pub fn new(credentials: Credentials, now: Now, limits: Limits) -> Self {
        let Limits { bounds, places, model_wait } = limits;
        let fleet = Arc::new(Fleet::new(places));
        Self { fleet, bounds, model_wait, credentials, now }
    }

    /// From now on this engine answers for its models and for who names none. What another one
    /// has begun runs to its end there. Must be called from within a runtime.
    pub fn set_engine(&self, engine: Arc<dyn Engine>) {
        if let Some(slot) = self.fleet.default_slot() {
            slot.set(engine);
        }
    }

    /// Takes in a further engine, for its models. Must be called from within a runtime.
    pub fn add_engine(&self, engine: Arc<dyn Engine>) {
        self.fleet.add(engine);
    }

    /// Loads a further model, unless it is there. It is listed once it has answered.
    pub async fn bring(&self, model: &str, loader: &dyn Loader) -> Result<(), LoadFailed> {
        self.fleet.bring(model, loader).await
    }

    /// Whether the default model answers.
    pub fn is_ready(&self) -> bool {
        self.fleet.default_slot().is_some_and(|slot| slot.engine().is_some())
    }

    /// How busy it is.
    pub fn load(&self) -> Load {
        self.fleet.load()
    }
}

fn model_loading() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "model-loading",
        "The model is still being loaded.",
    )
    .detail("It answers as soon as it is ready; the first time that takes minutes.")
    .retry_after(5)
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
    if !inference.is_ready() {
        return Err(model_loading());
    }
    Ok(Json(ModelList::new(inference.fleet.models())))
}

/// For whoever watches the process: no token, nothing about tenants.
async fn health(State(inference): State<Inference>) -> Response {
    let (status, word) = if inference.is_ready() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "loading")
    };
    let Load { running, waiting } = inference.load();
    (status, Json(json!({"status": word, "running": running, "waiting": waiting}))).into_response()
}
