//! One engine from its loading to its death.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;

pub(super) struct Life {
    engine: Option<Arc<dyn Engine>>,
    pub(super) began: Instant,
    /// So many engines before it died young, one after the other.
    pub(super) deaths: u32,
    pub(super) dead: CancellationToken,
    beats: Arc<AtomicU64>,
    running: AtomicUsize,
}

/// A job is with the engine.
pub(super) struct Running<'a>(&'a Life);

impl Life {
    pub(super) fn new(engine: Arc<dyn Engine>, deaths: u32) -> Arc<Self> {
        Arc::new(Self {
            engine: Some(engine),
            began: Instant::now(),
            deaths,
            dead: CancellationToken::new(),
            beats: Arc::default(),
            running: AtomicUsize::new(0),
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

    /// A sign of life.
    pub(super) fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// A job begins; it is over when what this returns is dropped.
    pub(super) fn run(&self) -> Running<'_> {
        self.beat();
        self.running.fetch_add(1, Ordering::Relaxed);
        Running(self)
    }

    /// A number that changes with each sign of life; `None` if nothing is asked of it.
    pub(super) fn progress(&self) -> Option<u64> {
        let is_asked = self.running.load(Ordering::Relaxed) > 0;
        is_asked.then(|| self.beats.load(Ordering::Relaxed))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
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
