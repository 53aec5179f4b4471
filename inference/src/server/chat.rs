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

use super::Inference;
use super::answer::{self, Progress};
use super::request_id::RequestId;
use crate::admission::Full;
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
    let (engine, kept) = if let Ok(engine) = inference.engine() {
        (engine, None)
    } else {
        // Keeps a place meanwhile: those who wait for the model are bounded and ordered too.
        let place = inference.admission.enter(&caller).map_err(queue_full)?;
        (inference.engine_soon().await?, Some(place))
    };
    let models = engine.models();
    let default = models.first().map(|card| card.id.clone()).unwrap_or_default();
    let (job, delivery) = wire::read(&whole(body)?, &default, &inference.bounds)?;
    if !models.iter().any(|card| card.id == job.model) {
        return Err(wire::problem_of(&EngineError::UnknownModel(job.model)));
    }
    let place = match kept {
        Some(place) => place,
        None => inference.admission.enter(&caller).map_err(queue_full)?,
    };
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
