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

mod answer;
mod chat;
mod credentials;
mod request_id;
#[cfg(test)]
mod tests;

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use web::Problem;

pub use credentials::Credentials;

use crate::admission::{Admission, Load, Places};
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
    engine: watch::Sender<Option<Arc<dyn Engine>>>,
    /// Tells the queue how much room the present engine has.
    follower: Arc<Mutex<Option<AbortHandle>>>,
    admission: Admission,
    bounds: Bounds,
    model_wait: Duration,
    credentials: Credentials,
    now: Now,
}

impl Inference {
    /// A server without an engine: it answers 503 `model-loading` until [`Self::set_engine`].
    pub fn new(credentials: Credentials, now: Now, limits: Limits) -> Self {
        Self {
            engine: watch::Sender::new(None),
            follower: Arc::default(),
            // None start before there is an engine.
            admission: Admission::new(limits.places, 0),
            bounds: limits.bounds,
            model_wait: limits.model_wait,
            credentials,
            now,
        }
    }

    /// From now on this engine answers. What another one has begun runs to its end there. Must be
    /// called from within a runtime.
    pub fn set_engine(&self, engine: Arc<dyn Engine>) {
        let mut room = engine.room();
        self.engine.send_replace(Some(engine));
        self.admission.set_at_once(*room.borrow_and_update());
        let admission = self.admission.clone();
        let follower = tokio::spawn(async move {
            while room.changed().await.is_ok() {
                admission.set_at_once(*room.borrow_and_update());
            }
        });
        let follower = Some(follower.abort_handle());
        let before = mem::replace(&mut *self.lock_follower(), follower);
        before.inspect(AbortHandle::abort);
    }

    fn lock_follower(&self) -> MutexGuard<'_, Option<AbortHandle>> {
        self.follower.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How busy it is.
    pub fn load(&self) -> Load {
        self.admission.load()
    }

    fn engine(&self) -> Result<Arc<dyn Engine>, Problem> {
        self.engine.borrow().clone().ok_or_else(model_loading)
    }

    /// The engine, waited for if it is still being loaded.
    async fn engine_soon(&self) -> Result<Arc<dyn Engine>, Problem> {
        let mut engine = self.engine.subscribe();
        let loaded = tokio::time::timeout(self.model_wait, engine.wait_for(Option::is_some)).await;
        match loaded {
            Ok(Ok(engine)) => engine.clone().ok_or_else(model_loading),
            _ => Err(model_loading()),
        }
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
