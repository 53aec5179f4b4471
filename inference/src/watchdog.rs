//! An engine that can die without taking others' answers with it.
//!
//! [`Watched`] stands before an engine and notices that it is dead: it makes no progress for a
//! while although jobs run (no piece and no step of a meter), it goes away without a word, it
//! panics, or it breaks at one job after the other. How long that while is depends on the jobs: an
//! engine that reads a prompt in one piece says how long it may be silent over it
//! ([`Engine::reads_silently`]). Then another is loaded, by one loader at a time, with waits that
//! double. Jobs of which nothing had been computed are given to the new engine, once; the others
//! fail, since half of their answer may have been read. Whatever the dead one still says or counts
//! is ignored.
//!
//! Everything has an end ([`Vigilance`]): silence, loading, the number of tries, and how long a job
//! waits for a new engine. After the last try jobs are refused for a while, and the next one after
//! that begins anew.

mod life;
#[cfg(test)]
mod tests;

use std::mem;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::attempt::Attempt;
use crate::engine::{
    Engine, EngineError, Health, Job, Meter, ModelCard, Piece, PieceSender, Reason, TokenStream,
    Usage, token_stream,
};
use life::Life;

/// Makes engines.
#[async_trait]
pub trait Load: Send + Sync + 'static {
    /// A new engine with the same models, or why not; the text is for the log. A load that takes
    /// too long is dropped.
    async fn load(&self) -> Result<Arc<dyn Engine>, String>;
}

/// How closely an engine is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vigilance {
    /// With jobs, but without any progress for so long, it is dead; while it reads a prompt, what
    /// it may be silent over that is added. It is noticed up to an eighth of this later.
    pub silence: Duration,
    /// How often loading is tried before jobs are refused; at least 1.
    pub loads: u32,
    /// How long one load may take.
    pub load: Duration,
    /// The wait after a load that failed, and before loading after an engine that died young; it
    /// doubles each time.
    pub wait: Duration,
    /// The longest of those waits, how long jobs are refused after the last try, and the age from
    /// which an engine dies old.
    pub longest_wait: Duration,
    /// How long a job waits for a new engine.
    pub patience: Duration,
}

/// An engine that breaks at so many jobs, one after the other, is dead.
const BREAKS: u32 = 5;

impl Default for Vigilance {
    fn default() -> Self {
        Self {
            silence: Duration::from_mins(1),
            loads: 6,
            load: Duration::from_mins(5),
            wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(30),
            patience: Duration::from_mins(2),
        }
    }
}

/// An engine, and the next one when it dies. Clones are the same.
#[derive(Clone)]
pub struct Watched(Arc<Inner>);

struct Inner {
    loader: Box<dyn Load>,
    vigilance: Vigilance,
    present: watch::Sender<Present>,
    room: watch::Sender<usize>,
    deaths: AtomicU64,
    /// Those of the last engine, while there is none.
    cards: Mutex<Vec<ModelCard>>,
}

#[derive(Clone)]
enum Present {
    Alive(Arc<Life>),
    Loading,
    /// Nothing could be loaded, and nothing is tried before then.
    Gone {
        until: Instant,
    },
}

/// How a job went with one engine.
enum Went {
    Ended(Reason, Usage),
    /// The engine died.
    Died,
}

impl Watched {
    /// Watches `engine`; must be called from within a runtime.
    pub fn new(engine: Arc<dyn Engine>, loader: impl Load, vigilance: Vigilance) -> Self {
        let room = *engine.room().borrow();
        let inner = Arc::new(Inner {
            loader: Box::new(loader),
            vigilance,
            present: watch::Sender::new(Present::Loading),
            room: watch::Sender::new(room),
            deaths: AtomicU64::new(0),
            cards: Mutex::default(),
        });
        inner.begin(engine, 0);
        Self(inner)
    }

    /// Whether there is an engine now.
    pub fn is_alive(&self) -> bool {
        matches!(*self.0.present.borrow(), Present::Alive(_))
    }
}

#[async_trait]
impl Engine for Watched {
    fn models(&self) -> Vec<ModelCard> {
        if let Present::Alive(life) = &*self.0.present.borrow() {
            return life.engine().models();
        }
        self.0.cards.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn room(&self) -> watch::Receiver<usize> {
        self.0.room.subscribe()
    }

    fn prompt_at_most(&self, job: &Job) -> usize {
        match &*self.0.present.borrow() {
            Present::Alive(life) => life.engine().prompt_at_most(job),
            _ => job.prompt.tokens_at_most(),
        }
    }

    /// Its own: what is watched has no breakers, and dies with its numbers.
    fn health(&self) -> Health {
        Health { deaths: self.0.deaths.load(Ordering::Relaxed), breakers: Vec::new() }
    }

    async fn generate(&self, job: Job, meter: Meter) -> Result<TokenStream, EngineError> {
        let (out, stream) = token_stream();
        tokio::spawn(Arc::clone(&self.0).follow(job, meter, out));
        Ok(stream)
    }
}

impl Inner {
    /// From now on this engine answers. `deaths` engines before it died young, one after the other.
    fn begin(self: &Arc<Self>, engine: Arc<dyn Engine>, deaths: u32) {
        *self.cards.lock().unwrap_or_else(PoisonError::into_inner) = engine.models();
        let mut room = engine.room();
        self.tell_room(*room.borrow_and_update());
        let life = Life::new(engine, deaths);
        let (inner, dead) = (Arc::downgrade(self), life.dead.clone());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = dead.cancelled() => return,
                    changed = room.changed() => if changed.is_err() { return },
                }
                let Some(inner) = inner.upgrade() else { return };
                inner.tell_room(*room.borrow_and_update());
            }
        });
        tokio::spawn(watch_over(Arc::downgrade(self), Arc::downgrade(&life)));
        self.present.send_replace(Present::Alive(life));
    }

    fn tell_room(&self, room: usize) {
        self.room.send_if_modified(|old| mem::replace(old, room) != room);
    }

    /// Gives up on this engine, if nobody has yet, and loads another.
    fn bury(self: &Arc<Self>, life: &Arc<Life>, why: &'static str) {
        let mut buried = None;
        self.present.send_if_modified(|present| {
            if matches!(present, Present::Alive(alive) if Arc::ptr_eq(alive, life)) {
                buried = Some(mem::replace(present, Present::Loading));
            }
            buried.is_some()
        });
        if buried.is_some() {
            self.deaths.fetch_add(1, Ordering::Relaxed);
            tracing::error!(why, "the engine is dead, another is loaded");
            life.dead.cancel();
            let is_young = life.began.elapsed() < self.vigilance.longest_wait;
            let deaths = if is_young { life.deaths + 1 } else { 0 };
            tokio::spawn(Arc::clone(self).load(deaths));
        }
    }

    /// Loads another engine; only ever called by who made it [`Present::Loading`].
    async fn load(self: Arc<Self>, deaths: u32) {
        let Vigilance { loads, load, wait, longest_wait, .. } = self.vigilance;
        let nth = |n: u32| wait.saturating_mul(1 << n.min(16)).min(longest_wait);
        // The first death is answered at once; an engine that cannot live is not loaded for ever.
        if let Some(before) = deaths.checked_sub(2) {
            sleep(nth(before)).await;
        }
        for n in 0..loads.max(1) {
            let loading = AssertUnwindSafe(timeout(load, self.loader.load())).catch_unwind();
            let why = match loading.await {
                Ok(Ok(Ok(engine))) => return self.begin(engine, deaths),
                Ok(Ok(Err(why))) => why,
                Ok(Err(_)) => "it took too long".to_owned(),
                Err(_) => "it panicked".to_owned(),
            };
            tracing::error!(why, n, "an engine could not be loaded");
            sleep(nth(n)).await;
        }
        self.present.send_replace(Present::Gone { until: Instant::now() + longest_wait });
    }

    /// The engine, waited for if there is none now.
    async fn alive(self: &Arc<Self>) -> Result<Arc<Life>, EngineError> {
        let mut begins = false;
        self.present.send_if_modified(|present| {
            begins = matches!(present, Present::Gone { until } if *until <= Instant::now());
            if begins {
                *present = Present::Loading;
            }
            begins
        });
        if begins {
            tokio::spawn(Arc::clone(self).load(0));
        }
        let mut present = self.present.subscribe();
        let there = present.wait_for(|present| !matches!(present, Present::Loading));
        let found = timeout(self.vigilance.patience, there).await;
        let after = match found.ok().and_then(Result::ok).as_deref() {
            Some(Present::Alive(life)) => return Ok(Arc::clone(life)),
            Some(Present::Gone { until }) => *until - Instant::now(),
            Some(Present::Loading) | None => self.vigilance.longest_wait,
        };
        Err(EngineError::Busy { after })
    }

    async fn follow(self: Arc<Self>, job: Job, meter: Meter, out: PieceSender) {
        let mut is_replay = false;
        let (reason, usage) = loop {
            let life = tokio::select! {
                biased;
                () = out.cancelled() => break (Reason::Cancelled, Usage::default()),
                life = self.alive() => life,
            };
            let life = match life {
                Ok(life) => life,
                Err(error) => break (Reason::Failed(error), Usage::default()),
            };
            let attempt = Attempt::counted(&meter, life.beats());
            let went = self.one(&life, &job, &attempt, &out).await;
            if let Went::Ended(reason, usage) = went {
                attempt.open();
                break (reason, usage);
            }
            attempt.close();
            let usage = attempt.usage();
            if out.is_cancelled() {
                break (Reason::Cancelled, usage);
            }
            if usage != Usage::default() || mem::replace(&mut is_replay, true) {
                let why = "the engine died".to_owned();
                break (Reason::Failed(EngineError::Broken(why)), usage);
            }
        };
        out.end(reason, usage);
    }

    /// An engine that breaks at every job is as good as dead.
    fn judge(self: &Arc<Self>, life: &Arc<Life>, error: Option<&EngineError>) {
        match error {
            Some(EngineError::Broken(_)) if life.broke() >= BREAKS => {
                self.bury(life, "it broke at every job");
            }
            Some(_) => {}
            None => life.worked(),
        }
    }

    async fn one(
        self: &Arc<Self>,
        life: &Arc<Life>,
        job: &Job,
        attempt: &Attempt,
        out: &PieceSender,
    ) -> Went {
        let _running = life.run(attempt.meter(), life.engine().reads_silently(job));
        let generating = life.engine().generate(job.clone(), attempt.meter());
        let begun = tokio::select! {
            biased;
            () = life.dead.cancelled() => return Went::Died,
            () = out.cancelled() => return Went::Ended(Reason::Cancelled, attempt.usage()),
            begun = AssertUnwindSafe(generating).catch_unwind() => begun,
        };
        let mut stream = match begun {
            Ok(Ok(stream)) => stream,
            Ok(Err(EngineError::Gone)) => {
                self.bury(life, "it went away");
                return Went::Died;
            }
            Ok(Err(error)) => {
                self.judge(life, Some(&error));
                return Went::Ended(Reason::Failed(error), attempt.usage());
            }
            Err(_) => {
                self.bury(life, "it panicked");
                return Went::Died;
            }
        };
        let mut is_cancelled = false;
        loop {
            let piece = tokio::select! {
                biased;
                () = life.dead.cancelled() => return Went::Died,
                () = out.cancelled(), if !is_cancelled => {
                    is_cancelled = true;
                    stream.cancel();
                    continue;
                }
                piece = stream.next() => piece,
            };
            life.beat();
            match piece {
                Some(Piece::Text(text)) => out.text(text),
                Some(Piece::Token(chances)) => out.token(*chances),
                Some(Piece::End { reason: Reason::Failed(EngineError::Gone), .. }) => {
                    self.bury(life, "it went away");
                    return Went::Died;
                }
                Some(Piece::End { reason, usage }) => {
                    let error = match &reason {
                        Reason::Failed(error) => Some(error),
                        _ => None,
                    };
                    self.judge(life, error);
                    return Went::Ended(reason, usage);
                }
                None => return Went::Ended(Reason::Cancelled, attempt.usage()),
            }
        }
    }
}

/// Notices when an engine with jobs makes no progress.
async fn watch_over(inner: Weak<Inner>, life: Weak<Life>) {
    let mut seen = None;
    let mut since = Instant::now();
    loop {
        let Some(silence) = inner.upgrade().map(|inner| inner.vigilance.silence) else { return };
        sleep((silence / 8).max(Duration::from_millis(1))).await;
        let (Some(inner), Some(life)) = (inner.upgrade(), life.upgrade()) else { return };
        if life.dead.is_cancelled() {
            return;
        }
        let now = life.progress();
        if now.is_none() || now != seen {
            (seen, since) = (now, Instant::now());
        } else if since.elapsed() >= silence.saturating_add(life.reads_silently()) {
            return inner.bury(&life, "it makes no progress");
        }
    }
}
