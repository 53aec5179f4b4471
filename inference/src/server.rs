//! The model server behind HTTP: chats, completions, responses, embeddings, the list of models.
//!
//! `docs/inference-api.md` has every endpoint, field, header and code. A stream begins as soon as
//! the model is loaded, also while its request waits for its turn: comment lines (`: position 3`)
//! then say how many answers begin before it. What fails after that comes as
//! `data: {"error": ...}`.

mod admin;
mod answer;
mod ask;
mod body;
mod chat;
mod completions;
mod credentials;
mod embeddings;
mod ending;
mod fleet;
mod models;
mod refused;
mod request_id;
mod responses;
mod slot;
#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router, middleware};
use jiff::Timestamp;
use serde_json::json;
use web::Problem;

use ending::Ending;
use fleet::Fleet;

pub use admin::admin_router;
pub use credentials::{Credentials, Tenant};
pub use fleet::{LoadFailed, Loader};

use crate::admission::{Admission, Classes, Clock, Load, Policy};
use crate::embedding::Embedder;
use crate::engine::Engine;
use crate::metrics::Metrics;
use crate::safety::{Guard, Rules};
use crate::till::Till;
use crate::wire::{Bounds, Refusal};

/// Where the time comes from.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the server allows.
#[derive(Debug, Clone)]
pub struct Limits {
    /// One request.
    pub bounds: Bounds,
    /// All of them together: who goes first, how many wait.
    pub policy: Policy,
    /// How long a question waits for a model that is still being loaded.
    pub model_wait: Duration,
}

impl Default for Limits {
    /// Loading takes a second or a few; fetching takes minutes, for which nobody should wait.
    fn default() -> Self {
        Self {
            bounds: Bounds::default(),
            policy: Policy::default(),
            model_wait: Duration::from_secs(20),
        }
    }
}

/// The model server. Clones are the same server.
#[derive(Clone)]
pub struct Inference {
    fleet: Arc<Fleet>,
    embedder: Arc<RwLock<Option<Arc<dyn Embedder>>>>,
    /// Whose turn it is there.
    embeddings: Admission,
    guard: Arc<RwLock<Option<Arc<dyn Guard>>>>,
    classes: Arc<Classes>,
    till: Option<Till>,
    rules: Option<Rules>,
    metrics: Metrics,
    bounds: Bounds,
    model_wait: Duration,
    credentials: Credentials,
    ending: Ending,
    now: Now,
}

impl Inference {
    /// A server without an engine: it answers 503 `model-loading` until [`Self::set_engine`].
    pub fn new(credentials: Credentials, now: Now, limits: Limits) -> Self {
        let Limits { bounds, policy, model_wait } = limits;
        let classes = Arc::new(policy.classes.clone());
        let embeddings = Admission::with(policy.clone(), embeddings::AT_ONCE, Clock::default());
        let fleet = Arc::new(Fleet::new(policy));
        let metrics = Metrics::new(classes.names());
        let (embedder, guard, till, rules) = (Arc::default(), Arc::default(), None, None);
        Self {
            fleet,
            embedder,
            embeddings,
            guard,
            classes,
            till,
            rules,
            metrics,
            bounds,
            model_wait,
            credentials,
            ending: Ending::default(),
            now,
        }
    }

    /// The same server with rules about what is not answered. Without them everything is.
    #[must_use]
    pub fn with_rules(self, rules: Rules) -> Self {
        Self { rules: Some(rules), ..self }
    }

    /// The same server with a till: no answer begins without a price and a budget, and none ends
    /// before what it used is recorded. Without one nothing is counted.
    #[must_use]
    pub fn with_till(self, till: Till) -> Self {
        Self { till: Some(till), ..self }
    }

    /// From now on this engine answers for its models and for who names none. What another one
    /// has begun runs to its end there. Must be called from within a runtime.
    pub fn set_engine(&self, engine: Arc<dyn Engine>) {
        self.count_models(&engine);
        if let Some(slot) = self.fleet.default_slot() {
            slot.set(engine);
        }
    }

    /// Takes in a further engine, for its models. Must be called from within a runtime.
    pub fn add_engine(&self, engine: Arc<dyn Engine>) {
        self.count_models(&engine);
        self.fleet.add(engine);
    }

    fn count_models(&self, engine: &Arc<dyn Engine>) {
        let cards = engine.models();
        self.metrics.add_models(cards.iter().map(|card| card.id.as_str()));
    }

    /// Every number about this server, as [`CONTENT_TYPE`](crate::metrics::CONTENT_TYPE).
    pub fn metrics(&self) -> String {
        let Load { running, .. } = self.load();
        self.metrics.engine(self.fleet.room(), running);
        if let Some(till) = &self.till {
            self.metrics.spool_bytes(till.waiting_bytes());
            for (currency, sum) in till.forgone() {
                self.metrics.forgone(currency, sum);
            }
        }
        self.metrics.render(&self.fleet.health())
    }

    /// Loads a further model, unless it is there. It is listed once it has answered, under the id
    /// that this returns.
    pub async fn bring(&self, model: &str, loader: &dyn Loader) -> Result<String, LoadFailed> {
        self.metrics.add_models([loader.id_of(model).as_str()]);
        self.fleet.bring(model, loader).await
    }

    /// These models will come: until then who asks for one is told 503 `model-loading`.
    pub fn expect(&self, models: impl IntoIterator<Item = String>) {
        self.fleet.expect(models);
    }

    /// From now on this turns texts into vectors. Without one there are no models that do.
    pub fn set_embedder(&self, embedder: Arc<dyn Embedder>) {
        let cards = embedder.models();
        self.metrics.add_models(cards.iter().map(|card| card.id.as_str()));
        *self.embedder.write().unwrap_or_else(PoisonError::into_inner) = Some(embedder);
    }

    /// From now on this is asked too, beside the rules: about each prompt before its turn, about
    /// each sentence of an answer before it is shown. Without rules it is not.
    pub fn set_guard(&self, guard: Arc<dyn Guard>) {
        *self.guard.write().unwrap_or_else(PoisonError::into_inner) = Some(guard);
    }

    fn guard(&self) -> Option<Arc<dyn Guard>> {
        self.rules.as_ref()?;
        self.guard.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn embedder(&self) -> Option<Arc<dyn Embedder>> {
        self.embedder.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops every answer under way and waits until what it used is recorded; for engines `patience`
    /// at most, and two seconds more for the records. To be called when nobody is served any more,
    /// and before the till's [`Keeper`](crate::till::Keeper) closes.
    pub async fn close(&self, patience: Duration) {
        self.ending.close(patience).await;
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
    Router::new()
        .route("/v1/chat/completions", post(chat::complete))
        .route("/v1/completions", post(completions::complete))
        .route("/v1/responses", post(responses::create))
        .route("/v1/responses/{*id}", any(responses::stored))
        .route("/v1/embeddings", post(embeddings::embed))
        .route("/v1/models", get(models::list))
        .route("/v1/models/{id}", get(models::one))
        .route("/health", get(health))
        .fallback(async || Refusal::from(nothing_here()))
        .method_not_allowed_fallback(async || Refusal::from(not_this_way()))
        .layer(middleware::from_fn(request_id::attach))
        .with_state(inference)
}

fn nothing_here() -> Problem {
    Problem::not_found("not-found", "There is nothing at this address.")
        .detail("Chats, completions, responses, embeddings and models are what there is.")
}

fn not_this_way() -> Problem {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    Problem::new(status, "not-this-way", "That cannot be done at this address.")
        .detail("The header Allow says what can.")
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
