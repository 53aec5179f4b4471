//! What the operators of the server ask, on a port of its own that no tenant reaches: is it there,
//! which models does it have, load one, let one go.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /health` | 200 while the process serves |
//! | `GET /ready` | 200 once the default model answers, else 503 |
//! | `GET /metrics` | numbers for `OpenMetrics` scrapers; none is about a tenant |
//! | `GET /models` | every model with what runs and waits there |
//! | `PUT /models/{id}` | 200 with its id once it answers; loading the first time fetches it |
//! | `DELETE /models/{id}` | 200 once its last answer has ended |

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde_json::{Value, json};
use web::Problem;

use super::Inference;
use super::fleet::{LoadFailed, Loader};
use crate::admission::Load;
use crate::metrics::CONTENT_TYPE;

/// How long answers may go on after their model was told to leave.
const PATIENCE: Duration = Duration::from_mins(2);

#[derive(Clone)]
struct Admin {
    inference: Inference,
    loader: Arc<dyn Loader>,
}

/// The routes, for a port that only operators reach. `loader` brings the models they ask for.
pub fn admin_router(inference: Inference, loader: Arc<dyn Loader>) -> Router {
    Router::new()
        .route("/health", get(async || Json(json!({"status": "ok"}))))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/models", get(models))
        .route("/models/{id}", put(bring).delete(let_go))
        .fallback(async || Problem::not_found("not-found", "There is nothing at this address."))
        .with_state(Admin { inference, loader })
}

async fn ready(State(admin): State<Admin>) -> (StatusCode, Json<Value>) {
    let is_ready = admin.inference.is_ready();
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"status": if is_ready { "ready" } else { "loading" }})))
}

async fn metrics(State(admin): State<Admin>) -> ([(HeaderName, &'static str); 1], String) {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], admin.inference.metrics())
}

async fn models(State(admin): State<Admin>) -> Json<Value> {
    let Load { running, waiting } = admin.inference.load();
    let models: Vec<_> = admin
        .inference
        .fleet
        .models()
        .into_iter()
        .map(|card| json!({"id": card.id, "title": card.title}))
        .collect();
    Json(json!({"models": models, "running": running, "waiting": waiting}))
}

async fn bring(
    State(admin): State<Admin>,
    Path(model): Path<String>,
) -> Result<Json<Value>, Problem> {
    // A task of its own: who asked may leave, and the model is loaded all the same.
    let Admin { inference, loader } = admin;
    let id = loader.id_of(&model);
    if inference.till.as_ref().is_some_and(|till| !till.has_price(&id)) {
        let title = "The model has no price.";
        let detail = format!("State what {id} costs in the configuration, and start again.");
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return Err(Problem::new(status, "model-unpriced", title).detail(detail));
    }
    let bring = async move { inference.bring(&model, loader.as_ref()).await };
    let brought = tokio::spawn(bring).await.map_err(|error| {
        tracing::error!(%error, "loading a model broke");
        Problem::internal()
    })?;
    let id = brought.map_err(not_loaded)?;
    Ok(Json(json!({"id": id, "status": "ready"})))
}

async fn let_go(
    State(admin): State<Admin>,
    Path(model): Path<String>,
) -> Result<Json<Value>, Problem> {
    let Admin { inference, .. } = admin;
    let name = model.clone();
    let gone = tokio::spawn(async move { inference.fleet.let_go(&name, PATIENCE).await }).await;
    match gone {
        Ok(true) => Ok(Json(json!({"id": model, "status": "gone"}))),
        _ => Err(not_loaded(LoadFailed::Unknown(model))),
    }
}

fn not_loaded(failed: LoadFailed) -> Problem {
    match failed {
        LoadFailed::Unknown(model) => {
            Problem::not_found("model-not-found", "There is no such model here.")
                .detail(format!("{model} is neither loaded nor in the catalogue."))
        }
        LoadFailed::Broken(why) => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "model-unusable",
            "The model could not be loaded.",
        )
        .detail(why),
    }
}
