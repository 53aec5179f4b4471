//! Several engines for the same models, in order: the first that can, answers.
//!
//! They are tried one after the other, and only until the first piece was passed on: an answer
//! that has begun is never begun again elsewhere. Each has a [`Breaker`], so that one that keeps
//! failing is not tried for a while. If none can, but one of them could soon (it had no room, or no
//! connection came about), they are tried again after a wait that doubles and varies, within
//! [`Retries`]. What a try used that did not become the answer is not metered: it is nobody's fault
//! among those who ask.
//!
//! The room is that of the first engine that may be tried: those behind it are for when it fails,
//! not for when it is full, since they cost other money.

mod breaker;
mod priced;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

pub use breaker::{Breaker, BreakerState, Fault, Fuse, Pass};
pub use priced::{PriceTable, Priced, Unpriced};

use crate::attempt::Attempt;
use crate::engine::{
    Engine, EngineError, Health, Job, Meter, ModelCard, Piece, PieceSender, Reason, TokenStream,
    Usage, token_stream,
};
use crate::upstream::{Failure, Kind};

/// How often all engines are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// Rounds after the first one.
    pub rounds: u32,
    /// No round begins later than this after the first.
    pub within: Duration,
    /// The wait before the second round; it doubles, and is between half and the whole of that.
    pub wait: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self { rounds: 3, within: Duration::from_secs(10), wait: Duration::from_millis(250) }
    }
}

/// Engines in order, as one. Clones are the same.
#[derive(Debug, Clone)]
pub struct Route(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    legs: Vec<Leg>,
    retries: Retries,
    room: watch::Sender<usize>,
    chance: Mutex<StdRng>,
}

#[derive(Debug)]
struct Leg {
    priced: Priced,
    breaker: Breaker,
}

impl Route {
    /// These engines in this order; `seed` varies the waits. Must be called from within a runtime.
    /// `None` without engines.
    pub fn new(engines: Vec<Priced>, fuse: Fuse, retries: Retries, seed: u64) -> Option<Self> {
        let leg = |priced: Priced| Leg {
            breaker: priced.breaker.clone().unwrap_or_else(|| Breaker::new(fuse)),
            priced,
        };
        let legs: Vec<_> = engines.into_iter().map(leg).collect();
        let rooms: Vec<_> = legs.iter().map(|leg| leg.priced.candidate.engine().room()).collect();
        let room = *rooms.first()?.borrow();
        let route = Self(Arc::new(Inner {
            legs,
            retries,
            room: watch::Sender::new(room),
            chance: Mutex::new(StdRng::seed_from_u64(seed)),
        }));
        for room in rooms {
            route.follow_room(room);
        }
        Some(route)
    }

    /// What each breaker does now, by the engine's name.
    pub fn breakers(&self) -> impl Iterator<Item = (&str, BreakerState)> {
        self.0.legs.iter().map(|leg| (leg.priced.name.as_str(), leg.breaker.state()))
    }

    fn follow_room(&self, mut room: watch::Receiver<usize>) {
        let inner = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            while room.changed().await.is_ok() {
                let Some(inner) = inner.upgrade() else { return };
                inner.tell_room();
            }
        });
    }
}

impl Inner {
    /// Tells the room of the first engine that may be tried; if none may, that of the first.
    fn tell_room(&self) {
        let active = self.legs.iter().find(|leg| leg.breaker.state() != BreakerState::Open);
        let Some(leg) = active.or(self.legs.first()) else { return };
        let room = *leg.priced.candidate.engine().room().borrow();
        self.room.send_if_modified(|old| std::mem::replace(old, room) != room);
    }

    /// Between half of `wait` and the whole.
    fn vary(&self, wait: Duration) -> Duration {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        wait.mul_f64(chance.random_range(0.5..=1.0))
    }
}

#[async_trait]
impl Engine for Route {
    /// Those of all engines; a context is the least of them, so that each can answer.
    fn models(&self) -> Vec<ModelCard> {
        let mut models: Vec<ModelCard> = Vec::new();
        for leg in &self.0.legs {
            for card in leg.priced.candidate.engine().models() {
                match models.iter_mut().find(|known| known.id == card.id) {
                    Some(known) => {
                        known.context_tokens = known.context_tokens.min(card.context_tokens);
                    }
                    None if leg.priced.has(&card.id) => models.push(card),
                    None => {}
                }
            }
        }
        models
    }

    fn room(&self) -> watch::Receiver<usize> {
        self.0.room.subscribe()
    }

    fn prompt_at_most(&self, job: &Job) -> usize {
        let of = |leg: &Leg| leg.priced.candidate.engine().prompt_at_most(job);
        self.0.legs.iter().map(of).max().unwrap_or_default()
    }

    /// The deaths of all engines, and their breakers.
    fn health(&self) -> Health {
        let legs = self.0.legs.iter();
        let deaths = legs.map(|leg| leg.priced.candidate.engine().health().deaths).sum();
        let breakers = self.breakers().map(|(name, state)| (name.to_owned(), state)).collect();
        Health { deaths, breakers }
    }

    async fn generate(&self, job: Job, meter: Meter) -> Result<TokenStream, EngineError> {
        let (out, stream) = token_stream();
        tokio::spawn(Run { route: self.clone(), job, meter, out }.run());
        Ok(stream)
    }
}

/// One job on its way through the engines.
struct Run {
    route: Route,
    job: Job,
    meter: Meter,
    out: PieceSender,
}

/// How a try went.
enum Tried {
    /// It is over, with what was used.
    Ended(Reason, Usage),
    /// Nothing was passed on; trying again may help after this time, if at all.
    Failed(Failure, Option<Duration>),
}

impl Run {
    async fn run(self) {
        let begun = Instant::now();
        let inner = Arc::clone(&self.route.0);
        let mut wait = inner.retries.wait;
        let mut round = 0;
        let (reason, usage) = loop {
            let (failure, soonest) = match self.try_all().await {
                Tried::Ended(reason, usage) => break (reason, usage),
                Tried::Failed(failure, soonest) => (failure, soonest),
            };
            let pause = soonest.map(|soonest| inner.vary(wait).max(soonest));
            let in_time = |pause: &Duration| begun.elapsed() + *pause <= inner.retries.within;
            let pause = pause.filter(in_time).filter(|_| round < inner.retries.rounds);
            let Some(pause) = pause else {
                break (failure.into_reason(), Usage::default());
            };
            tokio::select! {
                () = self.out.cancelled() => break (Reason::Cancelled, Usage::default()),
                () = sleep(pause) => {}
            }
            wait *= 2;
            round += 1;
        };
        self.out.end(reason, usage);
    }

    /// Tries the engines that may be tried, in order.
    async fn try_all(&self) -> Tried {
        let mut told: Option<Failure> = None;
        let mut soonest: Option<Duration> = None;
        for leg in &self.route.0.legs {
            if !leg.priced.has(&self.job.model) {
                continue;
            }
            let tried = if let Some(pass) = leg.breaker.pass() {
                self.try_one(leg, pass).await
            } else {
                // By another route, maybe, that shares its breaker.
                self.route.0.tell_room();
                Err(left_alone(leg))
            };
            let failure = match tried {
                Ok((reason, usage)) => return Tried::Ended(reason, usage),
                Err(failure) => failure,
            };
            let after = match failure.kind {
                Kind::Busy(after) => Some(after),
                Kind::Unreachable => Some(Duration::ZERO),
                _ => None,
            };
            soonest = [soonest, after].into_iter().flatten().min();
            if told.as_ref().is_none_or(|told| hope(told.kind) < hope(failure.kind)) {
                told = Some(failure);
            }
        }
        let unknown = || Failure::of_engine(EngineError::UnknownModel(self.job.model.clone()));
        Tried::Failed(told.unwrap_or_else(unknown), soonest)
    }

    async fn try_one(&self, leg: &Leg, pass: Pass) -> Result<(Reason, Usage), Failure> {
        let attempt = Attempt::held(&self.meter);
        let begun = tokio::select! {
            biased;
            () = self.out.cancelled() => None,
            begun = leg.priced.candidate.begin(&self.job, attempt.meter()) => Some(begun),
        };
        let Some(begun) = begun else {
            // What it was sent already is paid for, also by who leaves.
            attempt.open();
            return Ok((Reason::Cancelled, attempt.usage()));
        };
        let ended = match begun {
            Ok(stream) => self.pass_on(leg, pass, stream, &attempt).await,
            Err(failure) => {
                self.judge(leg, Some(pass), failure.kind);
                // What one filters is not taken to the next until one does not.
                if failure.kind == Kind::Filtered {
                    return Ok((Reason::Filtered, Usage::default()));
                }
                Err(failure)
            }
        };
        if let Err(Failure { error, .. }) = &ended {
            attempt.close();
            let used = attempt.usage();
            tracing::warn!(engine = leg.priced.name, %error, ?used, "could not answer");
        }
        ended
    }

    /// Passes the answer on. What fails before its first piece can be tried elsewhere.
    async fn pass_on(
        &self,
        leg: &Leg,
        pass: Pass,
        mut stream: TokenStream,
        attempt: &Attempt,
    ) -> Result<(Reason, Usage), Failure> {
        let mut pass = Some(pass);
        let mut is_cancelled = false;
        loop {
            let piece = tokio::select! {
                biased;
                () = self.out.cancelled(), if !is_cancelled => {
                    is_cancelled = true;
                    stream.cancel();
                    continue;
                }
                piece = stream.next() => piece,
            };
            let Some(piece) = piece else { return Ok((Reason::Cancelled, attempt.usage())) };
            let (reason, usage) = match piece {
                Piece::Text(text) => {
                    self.take_over(pass.take(), attempt);
                    self.out.text(text);
                    continue;
                }
                Piece::Token(chances) => {
                    self.take_over(pass.take(), attempt);
                    self.out.token(*chances);
                    continue;
                }
                Piece::End { reason, usage } => (reason, usage),
            };
            match (&reason, pass.take()) {
                (Reason::Failed(error), pass @ Some(_)) => {
                    let failure = Failure::of_engine(error.clone());
                    self.judge(leg, pass, failure.kind);
                    return Err(failure);
                }
                (Reason::Failed(error), None) => {
                    self.judge(leg, None, Failure::of_engine(error.clone()).kind);
                }
                // Nothing is known of an engine that was left before it answered.
                (Reason::Cancelled, _) => {}
                (_, pass) => {
                    self.take_over(pass, attempt);
                    leg.breaker.succeeded();
                }
            }
            attempt.open();
            return Ok((reason, usage));
        }
    }

    /// This engine's answer is the answer, unless it was already.
    fn take_over(&self, pass: Option<Pass>, attempt: &Attempt) {
        let Some(pass) = pass else { return };
        pass.began();
        self.route.0.tell_room();
        attempt.open();
    }

    /// Tells the breaker of a failure, if it was the engine's.
    fn judge(&self, leg: &Leg, pass: Option<Pass>, kind: Kind) {
        let fault = match kind {
            // The engine is fine: it answered.
            Kind::Refused | Kind::Filtered => {
                if let Some(pass) = pass {
                    pass.succeeded();
                }
                return;
            }
            Kind::Busy(after) => Fault::For(after),
            Kind::Unreachable | Kind::Broken => Fault::Once,
            Kind::Key => Fault::Lasting,
        };
        match pass {
            Some(pass) => pass.failed(fault),
            None => leg.breaker.failed(fault),
        }
        self.route.0.tell_room();
        if let Some(until) = leg.breaker.open_until() {
            tracing::warn!(engine = leg.priced.name, "left alone for a while");
            let inner = Arc::downgrade(&self.route.0);
            tokio::spawn(async move {
                sleep_until(until).await;
                if let Some(inner) = inner.upgrade() {
                    inner.tell_room();
                }
            });
        }
    }
}

/// An engine that is not tried now, but will be.
fn left_alone(leg: &Leg) -> Failure {
    let least = Duration::from_secs(1);
    let after = leg.breaker.open_until().map_or(least, |until| until - Instant::now());
    Failure::of_engine(EngineError::Busy { after: after.max(least) })
}

/// Of several failures the one is told that promises most: another time is better than another
/// request, and that is better than none.
fn hope(kind: Kind) -> u8 {
    match kind {
        Kind::Busy(_) => 3,
        Kind::Unreachable => 2,
        Kind::Refused | Kind::Filtered => 1,
        Kind::Broken | Kind::Key => 0,
    }
}
