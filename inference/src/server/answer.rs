//! One answer from the queue to the end, in a task of its own, so that the engine is followed to
//! its last token also when the client left: the place is free only when the engine is, and what
//! was used is known exactly. That is recorded before the end is told.

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use web::token::Caller;

use super::ending::Ending;
use crate::admission::Place;
use crate::engine::{Engine, EngineError, Job, Meter, Piece, Reason, Usage};
use crate::metrics::{self, Metrics};
use crate::safety::{self, Guard, SafetyFilter};
use crate::spool::Outcome;
use crate::till::Tab;
use crate::wire::{Bit, Bits, Finish, Refusal};

/// What a client may be told. Ends with [`Progress::End`]. Not bounded: an answer is.
#[derive(Debug)]
pub(super) enum Progress {
    /// So many answers begin before this one does.
    Waits(usize),
    /// The engine speaks; none of it may be anything to be told yet.
    Bits(Vec<Bit>),
    /// Nothing follows.
    End(Result<Ended, Box<Refusal>>),
}

/// The end of an answer that is one.
#[derive(Debug)]
pub(super) struct Ended {
    /// What was held back.
    pub(super) bits: Vec<Bit>,
    pub(super) finish: Finish,
    pub(super) usage: Usage,
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
    /// Asked about what the filter shows.
    pub(super) guard: Option<Arc<dyn Guard>>,
    /// Reads what the engine says.
    pub(super) bits: Bits,
    pub(super) metrics: Metrics,
    pub(super) ending: Ending,
}

/// Begins to answer. Dropping the receiver is the client leaving: who waits is never started, and
/// what runs is cancelled.
pub(super) fn begin(work: Work) -> UnboundedReceiver<Progress> {
    let (client, progress) = unbounded_channel();
    let ending = work.ending.clone();
    ending.spawn(work.answer(client));
    progress
}

impl Work {
    async fn answer(self, client: UnboundedSender<Progress>) {
        let Self {
            engine,
            caller,
            class,
            job,
            place,
            tab,
            filter,
            guard,
            mut bits,
            metrics,
            ending,
        } = self;
        let arrived = Instant::now();
        let queued = metrics.queued(&class);
        let Some(place) = turn(place, &client, &ending).await else {
            tracing::info!(tenant = caller.tenant, "left the queue");
            metrics.request(metrics::Outcome::Cancelled, &class);
            return;
        };
        drop(queued);
        let started = Instant::now();
        let model = job.model.clone();
        let meter = Meter::new(Arc::new(place.charge()));
        let checks = filter.map(|filter| (filter, guard));
        let run = Run { client: &client, ending: &ending, bits: &mut bits, first: None };
        let (mut reason, usage, first) = run.follow(engine.as_ref(), job, meter, checks).await;
        let ended = Instant::now();
        drop(place);
        // Before it is paid for: nobody pays for an answer that is none.
        let end = bits.end(&reason);
        if end.is_err() && reason == Reason::Stop {
            reason = Reason::Failed(EngineError::Broken("it does not have its shape".to_owned()));
        }

        let Caller { tenant, user, agent, .. } = caller;
        tracing::info!(
            tenant,
            user,
            agent,
            model,
            outcome = ?outcome(&reason, usage),
            prompt_tokens = usage.prompt_tokens,
            cached_tokens = usage.cached_tokens,
            completion_tokens = usage.completion_tokens,
            waited_ms = millis(arrived, Some(started)),
            first_token_ms = millis(started, first),
            took_ms = millis(started, Some(ended)),
            "answered"
        );
        match &reason {
            Reason::Failed(error) if error.is_refusal() => tracing::info!(%error, "refused"),
            Reason::Failed(error) => tracing::error!(%error, "could not answer"),
            _ => {}
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
        let end = end.map(|(bits, finish)| Ended { bits, finish, usage });
        let end = recorded.map_err(Refusal::from).and(end);
        let _ = client.send(Progress::End(end.map_err(Box::new)));
    }
}

fn counted(reason: &Reason) -> metrics::Outcome {
    match reason {
        Reason::Stop | Reason::Length => metrics::Outcome::Answered,
        Reason::Filtered => metrics::Outcome::Filtered,
        Reason::Cancelled => metrics::Outcome::Cancelled,
        Reason::Failed(error) if error.is_refusal() => metrics::Outcome::BadRequest,
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

/// Waits for the turn; `None` if the client or the server left first.
async fn turn(
    mut place: Place,
    client: &UnboundedSender<Progress>,
    ending: &Ending,
) -> Option<Place> {
    while place.position() > 0 {
        let _ = client.send(Progress::Waits(place.position()));
        tokio::select! {
            () = client.closed() => return None,
            () = ending.stopped() => return None,
            _ = place.moved() => {}
        }
    }
    (!client.is_closed()).then_some(place)
}

/// What an answer is held against while it is told.
type Checks = (SafetyFilter, Option<Arc<dyn Guard>>);

/// One answer in the engine.
struct Run<'a> {
    client: &'a UnboundedSender<Progress>,
    ending: &'a Ending,
    bits: &'a mut Bits,
    /// When the first text came.
    first: Option<Instant>,
}

impl Run<'_> {
    /// Follows the engine to the end, which an engine that is not waited for any more has come to;
    /// also says when the first text came.
    async fn follow(
        mut self,
        engine: &dyn Engine,
        job: Job,
        meter: Meter,
        checks: Option<Checks>,
    ) -> (Reason, Usage, Option<Instant>) {
        let ending = self.ending;
        let (reason, usage) = tokio::select! {
            end = self.hear(engine, job, meter.clone(), checks) => end,
            () = ending.given_up() => (Reason::Cancelled, meter.usage()),
        };
        (reason, usage, self.first)
    }

    async fn hear(
        &mut self,
        engine: &dyn Engine,
        job: Job,
        meter: Meter,
        checks: Option<Checks>,
    ) -> (Reason, Usage) {
        let mut stream = match engine.generate(job, meter).await {
            Ok(stream) => stream,
            Err(error) => return (Reason::Failed(error), Usage::default()),
        };
        if let Some((filter, guard)) = checks {
            stream = safety::checked(stream, filter, guard);
        }
        let mut left = false;
        loop {
            let piece = tokio::select! {
                piece = stream.next() => piece,
                () = self.nobody_waits(), if !left => {
                    left = true;
                    stream.cancel();
                    continue;
                }
            };
            match piece {
                Some(Piece::Text(text)) => {
                    self.first.get_or_insert_with(Instant::now);
                    self.tell(|bits| bits.text(text));
                }
                Some(Piece::Token(token)) => self.tell(|bits| {
                    bits.token(*token);
                    Vec::new()
                }),
                Some(Piece::End { reason, usage }) => return (reason, usage),
                None => return (Reason::Cancelled, Usage::default()),
            }
        }
    }

    fn tell(&mut self, read: impl FnOnce(&mut Bits) -> Vec<Bit>) {
        let _ = self.client.send(Progress::Bits(read(self.bits)));
    }

    async fn nobody_waits(&self) {
        tokio::select! {
            () = self.client.closed() => {}
            () = self.ending.stopped() => {}
        }
    }
}

fn millis(from: Instant, to: Option<Instant>) -> Option<u64> {
    to.map(|to| u64::try_from((to - from).as_millis()).unwrap_or(u64::MAX))
}
