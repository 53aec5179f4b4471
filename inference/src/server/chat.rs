//! `POST /v1/chat/completions`: who, what, a place in the queue, then the answer.

use std::convert::Infallible;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use tokio_stream::wrappers::UnboundedReceiverStream;
use web::Problem;

use super::answer::{self, Progress};
use super::request_id::RequestId;
use super::{Inference, model_loading};
use crate::admission::{Cost, Full, Requester};
use crate::engine::EngineError;
use crate::wire::{self, Delivery, Writer};

/// Where a request stands in the queue when it arrives; 0 starts at once.
static POSITION: HeaderName = HeaderName::from_static("x-queue-position");

pub(super) async fn complete(
    State(inference): State<Inference>,
    Extension(RequestId(id)): Extension<RequestId>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let now = (inference.now)();
    let caller = inference.credentials.caller(&headers, now)?;
    let (mut job, delivery) = wire::read(&whole(body)?, "", &inference.bounds)?;
    let named = (!job.model.is_empty()).then_some(job.model.as_str());
    let unknown = |model: &str| wire::problem_of(&EngineError::UnknownModel(model.to_owned()));
    let slot = inference.fleet.slot(named).ok_or_else(|| unknown(&job.model))?;
    // Who waits for the model keeps a place meanwhile: they are bounded and ordered too.
    let class = slot.queue().classes().lowest();
    let who = Requester { caller: caller.clone(), class, paying: false };
    let cost = Cost { prompt_tokens: 64, max_tokens: job.max_tokens };
    let place = slot.queue().enter(&who, cost).map_err(queue_full)?;
    let engine = slot.engine_within(inference.model_wait).await.ok_or_else(model_loading)?;
    let models = engine.models();
    match models.iter().find(|card| named.is_none_or(|named| card.id == named)) {
        Some(card) => job.model.clone_from(&card.id),
        None => return Err(unknown(&job.model)),
    }
    let position = place.position();

    let usage = delivery == Delivery::Stream { usage: true };
    let writer = Writer::new(&id, &job.model, now.as_second(), usage);
    let progress = answer::begin(engine, caller, job, place);
    let mut response = match delivery {
        Delivery::Stream { .. } => {
            let events = Sse::new(events(writer, UnboundedReceiverStream::new(progress)));
            events.keep_alive(KeepAlive::default()).into_response()
        }
        Delivery::Whole => collect(writer, UnboundedReceiverStream::new(progress)).await?,
    };
    response.headers_mut().insert(POSITION.clone(), HeaderValue::from(position));
    Ok(response)
}

fn whole(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Problem> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "request-too-large",
            "The request is too large.",
        )
        .detail("Send fewer or shorter messages."),
        _ => Problem::bad_request("unreadable-request", "The request could not be read.")
            .detail(rejection.body_text()),
    })
}

fn queue_full(full: Full) -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "queue-full", "Too many requests are waiting.")
        .detail("A place should be free after the seconds in retry_after.")
        .retry_after(full.retry_after.as_secs())
}

fn events(
    writer: Writer,
    progress: UnboundedReceiverStream<Progress>,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let mut spoke = false;
    progress.flat_map(move |progress| {
        let mut events = Vec::new();
        if !spoke && !matches!(progress, Progress::Waits(_)) {
            spoke = true;
            events.push(writer.opening());
        }
        match progress {
            Progress::Waits(position) => events.push(writer.position(position)),
            Progress::Text(text) => events.push(writer.text(&text)),
            Progress::End(reason, usage) => events.extend(writer.ending(&reason, usage)),
        }
        stream::iter(events.into_iter().map(Ok))
    })
}

async fn collect(
    writer: Writer,
    mut progress: UnboundedReceiverStream<Progress>,
) -> Result<Response, Problem> {
    let mut text = String::new();
    while let Some(progress) = progress.next().await {
        match progress {
            Progress::Waits(_) => {}
            Progress::Text(more) => text.push_str(&more),
            Progress::End(reason, usage) => {
                let finish = wire::finish(&reason)?;
                return Ok(Json(writer.whole(&text, finish, usage)).into_response());
            }
        }
    }
    // The task that answers always ends with an end, unless it panicked.
    Err(Problem::internal())
}
