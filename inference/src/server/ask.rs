//! The one way from a request to its answer, whatever its form: who asks, what, a place in the
//! queue, then the engine.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_stream::wrappers::UnboundedReceiverStream;
use web::Problem;
use web::token::Caller;

use super::answer::{self, Ended, Progress, Work};
use super::body;
use super::credentials::Asker;
use super::refused;
use super::request_id::RequestId;
use super::{Inference, model_loading};
use crate::admission::{Cost, Full, Requester, Room};
use crate::engine::{EngineError, Job, Owner, Prompt, Usage};
use crate::safety::{self, Guard, Level, Verdict};
use crate::till::Tab;
use crate::wire::{self, Asked, Bits, Bounds, Form, Head, Quota, Refusal, Unit};

/// Where a request stands in the queue when it arrives; 0 starts at once.
static POSITION: HeaderName = HeaderName::from_static("x-queue-position");
/// And in how many seconds it probably begins.
static WAIT: HeaderName = HeaderName::from_static("x-queue-wait");

/// An engine refuses at once what it cannot do, and a status tells that better than a stream that
/// breaks. So long a stream waits for the first word before it begins.
const FIRST_WORD: Duration = Duration::from_millis(100);

/// Reads one form of body.
pub(super) type Read = fn(&[u8], &Bounds) -> Result<Asked, Refusal>;

/// Answers a request whose body `read` understands.
pub(super) async fn ask(
    inference: &Inference,
    RequestId(id): RequestId,
    request: Request,
    read: Read,
) -> Result<Response, Refusal> {
    let Inference { metrics, .. } = inference;
    let (asker, body) = admit(inference, request)
        .await
        .inspect_err(|refusal| metrics.request(refused::outcome(&refusal.problem), NOBODY))?;
    let class = Arc::clone(&asker.class);
    let begun = begin(inference, id, asker, &body, read)
        .await
        .inspect_err(|refusal| metrics.request(refused::outcome(&refusal.problem), &class))?;
    let Begun { form, is_streamed, position, wait, room, progress } = begun;
    let progress = UnboundedReceiverStream::new(progress);
    let mut response =
        if is_streamed { told(form, progress).await? } else { whole(form, progress).await? };
    let headers = response.headers_mut();
    headers.insert(POSITION.clone(), HeaderValue::from(position));
    headers.insert(WAIT.clone(), HeaderValue::from(wire::whole_seconds(wait)));
    wire::write_quotas(&[&waiting(room, wait)], headers);
    Ok(response)
}

/// The class of those whom nobody knows.
pub(super) const NOBODY: &str = "";

/// An answer on its way, and how it is to be written.
struct Begun {
    form: Box<dyn Form>,
    is_streamed: bool,
    position: usize,
    wait: Duration,
    room: Room,
    progress: UnboundedReceiver<Progress>,
}

/// May it be answered, by whom, and when? Then it is begun.
async fn begin(
    inference: &Inference,
    id: String,
    asker: Asker,
    body: &[u8],
    read: Read,
) -> Result<Begun, Refusal> {
    let Asker { caller, class, safety, .. } = asker;
    let Asked { mut job, is_verbatim, is_streamed, calls, form } = read(body, &inference.bounds)?;
    job.owner = owner(&caller, is_verbatim);
    if let Some(rules) = &inference.rules
        && let Verdict::Refuse(category) = rules.prompt(safety, &job.prompt)
    {
        return Err(category.problem().into());
    }
    let named = (!job.model.is_empty()).then_some(job.model.as_str());
    let slot = inference.fleet.slot(named).ok_or_else(|| absent(inference, &job.model))?;
    // Who waits for the model keeps a place meanwhile: they are bounded and ordered too.
    let who = requester(inference, &caller, &class);
    let cost = Cost { prompt_tokens: job.prompt.tokens_about(), max_tokens: job.max_tokens };
    let place = slot.queue().enter(&who, cost).map_err(queue_full)?;
    let guard = inference.guard();
    if let Some(guard) = &guard {
        judged(guard.as_ref(), safety, &job.prompt).await?;
    }
    let engine = slot.engine_within(inference.model_wait).await.ok_or_else(model_loading)?;
    let models = engine.models();
    let card = models.iter().find(|card| named.is_none_or(|named| card.id == named));
    let card = card.ok_or_else(|| absent(inference, &job.model))?;
    job.model.clone_from(&card.id);
    let longest_prompt = engine.prompt_at_most(&job).min(card.context_tokens);
    let tab = open_tab(inference, &caller, &id, &job, longest_prompt).await?;
    let (position, wait, room) = (place.position(), place.expected_wait(), place.room());

    let bits = Bits::new(calls, &id);
    let created = (inference.now)().as_second();
    let form = form(Head { request_id: id, model: job.model.clone(), created });
    let filter = inference.rules.as_ref().map(|rules| rules.filter(safety));
    let metrics = inference.metrics.clone();
    let ending = inference.ending.clone();
    let work =
        Work { engine, caller, class, job, place, tab, filter, guard, bits, metrics, ending };
    let progress = answer::begin(work);
    Ok(Begun { form, is_streamed, position, wait, room, progress })
}

/// Who asks, as queues know them.
pub(super) fn requester(inference: &Inference, caller: &Caller, class: &str) -> Requester {
    Requester {
        class: inference.classes.find(class).unwrap_or(inference.classes.lowest()),
        paying: caller.paying,
        caller: caller.clone(),
    }
}

/// What a guard says of a prompt. Who asks keeps a place meanwhile, so that nobody takes all of the
/// guard's time.
async fn judged(guard: &dyn Guard, level: Level, prompt: &Prompt) -> Result<(), Refusal> {
    match safety::judge_prompt(guard, level, prompt).await {
        Ok(Verdict::Allow) => Ok(()),
        Ok(Verdict::Refuse(category)) => Err(category.problem().into()),
        Err(error) => {
            tracing::warn!(%error, "a prompt could not be judged");
            Err(error.problem().into())
        }
    }
}

/// A model that is not here, or not yet.
fn absent(inference: &Inference, model: &str) -> Problem {
    if inference.fleet.is_expected(model) {
        return model_loading();
    }
    wire::problem_of(&EngineError::UnknownModel(model.to_owned()))
}

/// Who asks, and the body.
pub(super) async fn admit(
    inference: &Inference,
    request: Request,
) -> Result<(Asker, Bytes), Refusal> {
    let most = inference.bounds.body_bytes;
    match inference.credentials.asker(request.headers(), (inference.now)()) {
        Ok(asker) => {
            let sends = match asker.sends() {
                Ok(sends) => sends,
                Err(crowd) => return Err(refused_unread(request, most, crowd).await),
            };
            let body = body::read(request, most).await?;
            drop(sends);
            Ok((asker, body))
        }
        Err(stranger) => Err(refused_unread(request, most, stranger).await),
    }
}

async fn refused_unread(request: Request, most: usize, why: Problem) -> Refusal {
    body::forget(request, most).await;
    why.into()
}

/// What an answer may use at most, kept for it.
async fn open_tab(
    inference: &Inference,
    caller: &Caller,
    request: &str,
    job: &Job,
    longest_prompt: usize,
) -> Result<Option<Tab>, Problem> {
    let Some(till) = &inference.till else { return Ok(None) };
    let bound = Usage {
        prompt_tokens: longest_prompt,
        completion_tokens: job.max_tokens,
        ..Usage::default()
    };
    Ok(Some(till.open(caller, request, &job.model, bound.into()).await?))
}

/// Whose text it is.
fn owner(caller: &Caller, is_verbatim: bool) -> Owner {
    Owner {
        tenant: caller.tenant.clone(),
        user: caller.user.clone(),
        shared_messages: if is_verbatim { caller.own_messages } else { 0 },
    }
}

/// How many further requests of this person may wait.
fn waiting(Room { places, free }: Room, more_in: Duration) -> Quota {
    let unit = Unit::Requests;
    Quota { name: "waiting", unit, limit: Some(places as u64), left: free as u64, more_in }
}

pub(super) fn queue_full(Full { retry_after, room }: Full) -> Refusal {
    let status = StatusCode::TOO_MANY_REQUESTS;
    let problem = Problem::new(status, "queue-full", "Too many requests are waiting.")
        .detail("A place should be free after the seconds in retry_after.")
        .retry_after(retry_after.as_secs());
    Refusal { quota: Some(Box::new(waiting(room, retry_after))), ..problem.into() }
}

/// The answer as events.
async fn told(
    form: Box<dyn Form>,
    mut progress: UnboundedReceiverStream<Progress>,
) -> Result<Response, Refusal> {
    let first = tokio::time::timeout(FIRST_WORD, progress.next()).await.ok().flatten();
    match first {
        Some(Progress::End(Err(refusal))) => Err(*refusal),
        first => Ok(streamed(form, stream::iter(first).chain(progress))),
    }
}

fn streamed(
    form: Box<dyn Form>,
    progress: impl Stream<Item = Progress> + Send + 'static,
) -> Response {
    Sse::new(events(form, progress)).keep_alive(KeepAlive::default()).into_response()
}

fn events(
    mut form: Box<dyn Form>,
    progress: impl Stream<Item = Progress>,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let mut spoke = false;
    progress.flat_map(move |progress| {
        let mut events = Vec::new();
        if !spoke && !matches!(progress, Progress::Waits(_)) {
            spoke = true;
            events.extend(form.opening());
        }
        match progress {
            // A line that clients skip: how many answers begin before this one does.
            Progress::Waits(position) => {
                events.push(Event::default().comment(format!("position {position}")));
            }
            Progress::Bits(bits) => events.extend(bits.iter().flat_map(|bit| form.more(bit))),
            Progress::End(Ok(Ended { bits, finish, usage })) => {
                events.extend(bits.iter().flat_map(|bit| form.more(bit)));
                events.extend(form.ending(finish, usage));
            }
            // Too late for a status.
            Progress::End(Err(refusal)) => events.extend(form.breaking(&refusal)),
        }
        stream::iter(events.into_iter().map(Ok))
    })
}

/// The answer in one piece.
async fn whole(
    form: Box<dyn Form>,
    mut progress: UnboundedReceiverStream<Progress>,
) -> Result<Response, Refusal> {
    let mut all = Vec::new();
    while let Some(progress) = progress.next().await {
        match progress {
            Progress::Waits(_) => {}
            Progress::Bits(bits) => all.extend(bits),
            Progress::End(end) => {
                let Ended { bits, finish, usage } = end.map_err(|refusal| *refusal)?;
                all.extend(bits);
                return Ok(Json(form.whole(all, finish, usage)).into_response());
            }
        }
    }
    // The task that answers always ends with an end, unless it panicked or the server ends.
    Err(Problem::internal().into())
}
