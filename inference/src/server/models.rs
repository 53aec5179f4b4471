//! `GET /v1/models` and `GET /v1/models/{id}`: what can be asked for.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;

use super::{Inference, model_loading};
use crate::engine::EngineError;
use crate::wire::models::{List, Model};
use crate::wire::{self, Refusal};

pub(super) async fn list(
    State(inference): State<Inference>,
    headers: HeaderMap,
) -> Result<Json<List>, Refusal> {
    inference.credentials.asker(&headers, (inference.now)())?;
    if !inference.is_ready() {
        return Err(model_loading().into());
    }
    let embeddings = inference.embedder().map(|embedder| embedder.models());
    Ok(Json(List::new(inference.fleet.models(), embeddings.unwrap_or_default())))
}

pub(super) async fn one(
    state: State<Inference>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Model>, Refusal> {
    let Json(list) = list(state, headers).await?;
    match list.find(&id) {
        Some(model) => Ok(Json(model)),
        None => Err(wire::problem_of(&EngineError::UnknownModel(id)).into()),
    }
}
