//! One engine from its loading to its death.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::engine::{Engine, Meter, Usage};

pub(super) struct Life {
    engine: Option<Arc<dyn Engine>>,
    pub(super) began: Instant,
    /// So many engines before it died young, one after the other.
    pub(super) deaths: u32,
    pub(super) dead: CancellationToken,
    beats: Arc<AtomicU64>,
    /// Jobs that it broke at, since the last one that ended well.
    breaks: AtomicU32,
    running: Mutex<BTreeMap<u64, Job>>,
}

/// What is watched of a job.
struct Job {
    meter: Meter,
    /// How long the engine may be silent over its prompt.
    reads_silently: Duration,
}

/// A job is with the engine.
pub(super) struct Running<'a> {
    life: &'a Life,
    number: u64,
}

impl Life {
    pub(super) fn new(engine: Arc<dyn Engine>, deaths: u32) -> Arc<Self> {
        Arc::new(Self {
            engine: Some(engine),
            began: Instant::now(),
            deaths,
            dead: CancellationToken::new(),
            beats: Arc::default(),
            breaks: AtomicU32::new(0),
            running: Mutex::default(),
        })
    }

    pub(super) fn engine(&self) -> &dyn Engine {
        // It is taken out only when nobody can ask any more.
        match &self.engine {
            Some(engine) => engine.as_ref(),
            None => unreachable!("the engine of a life that was dropped"),
        }
    }

    /// For those who count steps of a meter.
    pub(super) fn beats(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.beats)
    }

    /// A sign of life; so many there were before.
    pub(super) fn beat(&self) -> u64 {
        self.beats.fetch_add(1, Ordering::Relaxed)
    }

    /// It broke at a job; so many since one ended well.
    pub(super) fn broke(&self) -> u32 {
        self.breaks.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// A job ended well.
    pub(super) fn worked(&self) {
        self.breaks.store(0, Ordering::Relaxed);
    }

    /// A job begins; it is over when what this returns is dropped.
    pub(super) fn run(&self, meter: Meter, reads_silently: Duration) -> Running<'_> {
        let number = self.beat();
        self.running().insert(number, Job { meter, reads_silently });
        Running { life: self, number }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<u64, Job>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long it may be silent over the prompts of which nothing is told yet: over the longest,
    /// since it is no longer silent when it has read another.
    pub(super) fn reads_silently(&self) -> Duration {
        let running = self.running();
        let unread = running.values().filter(|job| job.meter.usage() == Usage::default());
        unread.map(|job| job.reads_silently).max().unwrap_or_default()
    }

    /// A number that changes with each sign of life; `None` if nothing is asked of it.
    pub(super) fn progress(&self) -> Option<u64> {
        let is_asked = !self.running().is_empty();
        is_asked.then(|| self.beats.load(Ordering::Relaxed))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.life.running().remove(&self.number);
    }
}

impl Drop for Life {
    /// A dead engine may hang while it is dropped, too: that happens where nobody waits for it.
    fn drop(&mut self) {
        let engine = self.engine.take();
        let Ok(runtime) = Handle::try_current() else { return };
        if self.dead.is_cancelled() {
            let dropping = std::thread::Builder::new().name("dead-engine".to_owned());
            let dropped = dropping.spawn(move || {
                let _inside = runtime.enter();
                drop(engine);
            });
            if let Err(error) = dropped {
                tracing::error!(%error, "a dead engine was dropped where it stood");
            }
        }
    }
}
