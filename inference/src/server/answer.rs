//! One answer from the queue to the end, in a task of its own, so that the engine is followed to
//! its last token also when the client left: the place is free only when the engine is, and what
//! was used is known exactly. That is recorded before the end is told.

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use tracing::Instrument;
use web::Problem;
use web::token::Caller;

use crate::admission::Place;
use crate::engine::{Engine, EngineError, Job, Meter, Piece, Reason, TokenChances, Usage};
use crate::metrics::{self, Metrics};
use crate::safety::{self, SafetyFilter};
use crate::spool::Outcome;
use crate::till::Tab;

/// What a client may be told. Ends with [`Progress::End`]. Not bounded: an answer is.
#[derive(Debug)]
pub(super) enum Progress {
    /// So many answers begin before this one does.
    Waits(usize),
    /// A token, before the text that it ends up in. Only where asked for.
    Token(Box<TokenChances>),
    /// More of the answer.
    Text(String),
    /// Nothing follows.
    End(Reason, Usage),
    /// Nothing follows either: what was used could not be recorded.
    Unrecorded(Box<Problem>),
}

/// What an answer is made of.
pub(super) struct Work {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) caller: Caller,
    pub(super) class: Arc<str>,
    pub(super) job: Job,
    pub(super) place: Place,
    pub(super) tab: Option<Tab>,
    pub(super) filter: Option<SafetyFilter>,
    pub(super) metrics: Metrics,
}

/// Begins to answer. Dropping the receiver is the client leaving: who waits is never started, and
/// what runs is cancelled.
pub(super) fn begin(work: Work) -> UnboundedReceiver<Progress> {
    let (client, progress) = unbounded_channel();
    tokio::spawn(work.answer(client).in_current_span());
    progress
}

impl Work {
    async fn answer(self, client: UnboundedSender<Progress>) {
        let Self { engine, caller, class, job, place, tab, filter, metrics } = self;
        let arrived = Instant::now();
        let queued = metrics.queued(&class);
        let Some(place) = turn(place, &client).await else {
            tracing::info!(tenant = caller.tenant, "left the queue");
            metrics.request(metrics::Outcome::Cancelled, &class);
            return;
        };
        drop(queued);
        let started = Instant::now();
        let model = job.model.clone();
        let meter = Meter::new(Arc::new(place.charge()));
        let (reason, usage, first) = run(engine.as_ref(), job, meter, filter, &client).await;
        let ended = Instant::now();
        drop(place);

        let Caller { tenant, user, agent, .. } = caller;
        let failed = matches!(reason, Reason::Failed(_));
        tracing::info!(
            tenant,
            user,
            agent,
            model,
            failed,
            prompt_tokens = usage.prompt_tokens,
            cached_tokens = usage.cached_tokens,
            completion_tokens = usage.completion_tokens,
            waited_ms = millis(arrived, Some(started)),
            first_token_ms = millis(started, first),
            took_ms = millis(started, Some(ended)),
            "answered"
        );
        if let Reason::Failed(error) = &reason {
            tracing::error!(%error, "could not answer");
        }
        metrics.request(counted(&reason), &class);
        metrics.used(&model, usage);
        metrics.waited(&model, started - arrived);
        if let Some(first) = first {
            metrics.first_token(&model, first - started);
            metrics.further_tokens(
                &model,
                usage.completion_tokens.saturating_sub(1),
                ended - first,
            );
        }
        let recorded = match tab {
            Some(tab) => tab.close(usage.into(), outcome(&reason, usage)).await.map(drop),
            None => Ok(()),
        };
        let _ = client.send(match recorded {
            Ok(()) => Progress::End(reason, usage),
            Err(unrecorded) => Progress::Unrecorded(Box::new(unrecorded.into())),
        });
    }
}

fn counted(reason: &Reason) -> metrics::Outcome {
    match reason {
        Reason::Stop | Reason::Length => metrics::Outcome::Answered,
        Reason::Filtered => metrics::Outcome::Filtered,
        Reason::Cancelled => metrics::Outcome::Cancelled,
        Reason::Failed(_) => metrics::Outcome::Failed,
    }
}

fn outcome(reason: &Reason, usage: Usage) -> Outcome {
    match reason {
        // The shape is who asked's own, and what was made until then was shown.
        Reason::Failed(EngineError::BadShape(_)) if usage.completion_tokens > 0 => {
            Outcome::Finished
        }
        Reason::Stop | Reason::Length | Reason::Filtered => Outcome::Finished,
        Reason::Cancelled => Outcome::Cancelled,
        Reason::Failed(_) => Outcome::Failed,
    }
}

/// Waits for the turn; `None` if the client left first.
async fn turn(mut place: Place, client: &UnboundedSender<Progress>) -> Option<Place> {
    while place.position() > 0 {
        let _ = client.send(Progress::Waits(place.position()));
        tokio::select! {
            () = client.closed() => return None,
            _ = place.moved() => {}
        }
    }
    (!client.is_closed()).then_some(place)
}

/// Follows the engine to the end; also says when the first text came.
async fn run(
    engine: &dyn Engine,
    job: Job,
    meter: Meter,
    filter: Option<SafetyFilter>,
    client: &UnboundedSender<Progress>,
) -> (Reason, Usage, Option<Instant>) {
    let mut first = None;
    let mut stream = match engine.generate(job, meter).await {
        Ok(stream) => stream,
        Err(error) => return (Reason::Failed(error), Usage::default(), first),
    };
    if let Some(filter) = filter {
        stream = safety::checked(stream, filter, None);
    }
    let mut left = false;
    loop {
        let piece = tokio::select! {
            piece = stream.next() => piece,
            () = client.closed(), if !left => {
                left = true;
                stream.cancel();
                continue;
            }
        };
        match piece {
            Some(Piece::Text(text)) => {
                first.get_or_insert_with(Instant::now);
                let _ = client.send(Progress::Text(text));
            }
            Some(Piece::Token(token)) => {
                let _ = client.send(Progress::Token(token));
            }
            Some(Piece::End { reason, usage }) => return (reason, usage, first),
            None => return (Reason::Cancelled, Usage::default(), first),
        }
    }
}

fn millis(from: Instant, to: Option<Instant>) -> Option<u64> {
    to.map(|to| u64::try_from((to - from).as_millis()).unwrap_or(u64::MAX))
}
