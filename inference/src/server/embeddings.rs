//! `POST /v1/embeddings`: texts become vectors. Who asks for them waits in a queue as those do who
//! ask for answers, and has a turn for each batch.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use web::Problem;
use web::token::Caller;

use super::Inference;
use super::ask::{NOBODY, admit, queue_full, requester};
use super::credentials::Asker;
use super::ending::Ending;
use super::refused;
use super::request_id::RequestId;
use crate::admission::Place;
use crate::embedding::{BATCH, EmbedError, Embedder, Embedding, EmbeddingCard, Turns};
use crate::engine::Usage;
use crate::metrics::{self, Metrics};
use crate::spool::Outcome;
use crate::till::Tab;
use crate::wire::Refusal;
use crate::wire::embeddings::{self, Asked, Encoding, Reply};

/// Requests that have their turn: while one is computed, another's text becomes tokens.
pub(super) const AT_ONCE: usize = 2;

pub(super) async fn embed(
    State(inference): State<Inference>,
    Extension(RequestId(id)): Extension<RequestId>,
    request: Request,
) -> Result<Response, Refusal> {
    let Inference { metrics, ending, .. } = &inference;
    let (asker, body) = admit(&inference, request)
        .await
        .inspect_err(|refusal| metrics.request(refused::outcome(&refusal.problem), NOBODY))?;
    let class = Arc::clone(&asker.class);
    let left = ending.stopping();
    // When the client leaves, this is dropped.
    let _waits = left.clone().drop_guard();
    let (work, encoding) = begin(&inference, id, asker, &body, left)
        .await
        .inspect_err(|refusal| metrics.request(refused::outcome(&refusal.problem), &class))?;
    let model = work.card.id.clone();
    let made = ending.spawn(work.embed()).await.map_err(|error| {
        tracing::error!(%error, "embedding broke");
        Problem::internal()
    })??;
    Ok(Json(Reply::new(model, made, encoding)).into_response())
}

/// What a request is made of, in a task of its own: what was computed is paid for also when the
/// client left.
struct Work {
    embedder: Arc<dyn Embedder>,
    card: EmbeddingCard,
    texts: Vec<String>,
    caller: Caller,
    class: Arc<str>,
    place: Place,
    left: CancellationToken,
    tab: Option<Tab>,
    metrics: Metrics,
    ending: Ending,
}

/// How the model is called that nobody named.
const NONE: &str = "A model that turns texts into vectors";

/// May they be computed? Then they have a place.
async fn begin(
    inference: &Inference,
    id: String,
    Asker { caller, class, .. }: Asker,
    body: &[u8],
    left: CancellationToken,
) -> Result<(Work, Encoding), Refusal> {
    let mut asked = embeddings::read(body)?;
    let unknown = |model: &str| embeddings::refusal_of(&EmbedError::UnknownModel(model.to_owned()));
    let named = asked.model.take();
    let embedder = inference.embedder().ok_or_else(|| unknown(named.as_deref().unwrap_or(NONE)))?;
    let models = embedder.models();
    let is_named = |id: &String| named.as_ref().is_none_or(|named| named == id);
    let Some(card) = models.into_iter().find(|card| is_named(&card.id)) else {
        return Err(unknown(named.as_deref().unwrap_or(NONE)));
    };
    asked.check_dimensions(card.dimensions)?;
    let Asked { texts, encoding, .. } = asked;
    let who = requester(inference, &caller, &class);
    let place = inference.embeddings.enter(&who, BATCH).map_err(queue_full)?;
    let tab = match &inference.till {
        Some(till) => {
            let bound = usage(at_most(&texts, card.max_tokens));
            Some(till.open(&caller, &id, &card.id, bound.into()).await?)
        }
        None => None,
    };
    let (metrics, ending) = (inference.metrics.clone(), inference.ending.clone());
    let work = Work { embedder, card, texts, caller, class, place, left, tab, metrics, ending };
    Ok((work, encoding))
}

/// A token is at least a byte, one begins and one ends each text, and none is longer than the model
/// reads.
fn at_most(texts: &[String], longest: usize) -> usize {
    texts.iter().map(|text| (text.len() + 2).min(longest)).sum()
}

impl Work {
    async fn embed(self) -> Result<Vec<Embedding>, Refusal> {
        let Self { embedder, card, texts, caller, class, place, left, tab, metrics, ending } = self;
        let model = card.id;
        let mut turns = Turns::new(place, left);
        let (arrived, queued) = (Instant::now(), metrics.queued(&class));
        let compute = async {
            turns.next().await?;
            drop(queued);
            metrics.waited(&model, arrived.elapsed());
            embedder.embed(&model, texts, &mut turns).await
        };
        let made = tokio::select! {
            made = compute => made,
            () = ending.given_up() => Err(EmbedError::Left),
        };
        let tokens = turns.tokens();
        drop(turns);

        let (counted, outcome) = match &made {
            Ok(_) => (metrics::Outcome::Answered, Outcome::Finished),
            Err(EmbedError::Left) => (metrics::Outcome::Cancelled, Outcome::Cancelled),
            Err(EmbedError::TooLong { .. } | EmbedError::UnknownModel(_)) => {
                (metrics::Outcome::BadRequest, Outcome::Failed)
            }
            Err(EmbedError::Busy) => (metrics::Outcome::Unavailable, Outcome::Failed),
            Err(EmbedError::Broken(error)) => {
                tracing::error!(%error, "could not embed");
                (metrics::Outcome::Failed, Outcome::Failed)
            }
        };
        metrics.request(counted, &class);
        metrics.used(&model, usage(tokens));
        let Caller { tenant, user, agent, .. } = caller;
        tracing::info!(tenant, user, agent, model, tokens, ?outcome, "embedded");
        // Where nothing was computed nothing is recorded, and what was kept is given back.
        if let Some(tab) = tab.filter(|_| made.is_ok() || tokens > 0) {
            tab.close(usage(tokens).into(), outcome).await?;
        }
        made.map_err(|error| embeddings::refusal_of(&error))
    }
}

fn usage(prompt_tokens: usize) -> Usage {
    Usage { prompt_tokens, ..Usage::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_counts_for_more_than_the_model_reads_of_it() {
        assert_eq!(at_most(&["x".repeat(10_000), "a cat".to_owned()], 256), 256 + 7);
    }
}
