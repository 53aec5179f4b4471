//! `POST /v1/embeddings`: texts become vectors.

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse, Response};
use web::token::Caller;

use super::Inference;
use super::ask::admit;
use super::credentials::Asker;
use super::request_id::RequestId;
use crate::embedding::{EmbedError, Embedding};
use crate::engine::Usage;
use crate::prices::Tokens;
use crate::spool::Outcome;
use crate::wire::Refusal;
use crate::wire::embeddings::{self, Asked, Reply};

pub(super) async fn embed(
    State(inference): State<Inference>,
    Extension(RequestId(id)): Extension<RequestId>,
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
    let at_most: usize = texts.iter().map(|text| text.len() + 2).sum();
    let tab = match &inference.till {
        Some(till) => Some(till.open(&caller, &id, &card.id, prompt(at_most)).await?),
        None => None,
    };
    let made = embedder.embed(&card.id, texts).await.map_err(|error| {
        if let EmbedError::Broken(_) = &error {
            tracing::error!(%error, "could not embed");
        }
        embeddings::refusal_of(&error)
    })?;
    let tokens = made.iter().map(|embedding| embedding.tokens).sum();
    if let Some(tab) = tab {
        tab.close(prompt(tokens), Outcome::Finished).await?;
    }
    log(caller, &card.id, &made);
    Ok(Json(Reply::new(card.id, made, encoding)).into_response())
}

fn prompt(tokens: usize) -> Tokens {
    Usage { prompt_tokens: tokens, ..Usage::default() }.into()
}

fn log(Caller { tenant, user, agent, .. }: Caller, model: &str, made: &[Embedding]) {
    let prompt_tokens: usize = made.iter().map(|embedding| embedding.tokens).sum();
    tracing::info!(tenant, user, agent, model, texts = made.len(), prompt_tokens, "embedded");
}
