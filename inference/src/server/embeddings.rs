//! `POST /v1/embeddings`: texts become vectors.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use web::token::Caller;

use super::Inference;
use super::ask::admit;
use super::credentials::Asker;
use crate::embedding::{EmbedError, Embedding};
use crate::wire::Refusal;
use crate::wire::embeddings::{self, Asked, Reply};

pub(super) async fn embed(
    State(inference): State<Inference>,
    request: Request,
) -> Result<Response, Refusal> {
    let (Asker { caller, .. }, body) = admit(&inference, request).await?;
    let mut asked = embeddings::read(&body)?;
    drop(body);
    let unknown = |model: &str| embeddings::refusal_of(&EmbedError::UnknownModel(model.to_owned()));
    let named = asked.model.take();
    let embedder =
        inference.embedder().ok_or_else(|| unknown(named.as_deref().unwrap_or("No model")))?;
    let models = embedder.models();
    let is_named = |id: &String| named.as_ref().is_none_or(|named| named == id);
    let Some(card) = models.into_iter().find(|card| is_named(&card.id)) else {
        return Err(unknown(named.as_deref().unwrap_or("No model")));
    };
    asked.check_dimensions(card.dimensions)?;
    let Asked { texts, encoding, .. } = asked;
    let made = embedder.embed(&card.id, texts).await.map_err(|error| {
        if let EmbedError::Broken(_) = &error {
            tracing::error!(%error, "could not embed");
        }
        embeddings::refusal_of(&error)
    })?;
    log(caller, &card.id, &made);
    Ok(Json(Reply::new(card.id, made, encoding)).into_response())
}

fn log(Caller { tenant, user, agent, .. }: Caller, model: &str, made: &[Embedding]) {
    let prompt_tokens: usize = made.iter().map(|embedding| embedding.tokens).sum();
    tracing::info!(tenant, user, agent, model, texts = made.len(), prompt_tokens, "embedded");
}
