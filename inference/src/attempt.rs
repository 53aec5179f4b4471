//! One try at a job: it counts with a meter of its own, which reaches the job's meter only while
//! the try counts. What a failed try used is nobody's bill, and what an engine that was given up
//! still counts afterwards goes nowhere.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::{Charge, Meter, Usage};

/// A try. Dropping it does not close it: an answer that was taken over counts to its end.
#[derive(Debug)]
pub(crate) struct Attempt {
    shared: Arc<Shared>,
    meter: Meter,
}

#[derive(Debug)]
struct Shared {
    job: Meter,
    /// Counts signs of life.
    beats: Arc<AtomicU64>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Kept back until the try counts.
    Held { read: usize, reused: usize, made: usize },
    /// Passed on.
    Open,
    /// Ignored.
    Closed,
}

impl Attempt {
    /// A try that counts once [`Self::open`] says so.
    pub(crate) fn held(job: &Meter) -> Self {
        Self::new(job, State::Held { read: 0, reused: 0, made: 0 }, Arc::default())
    }

    /// A try that counts from the start. Each step adds one to `beats`.
    pub(crate) fn counted(job: &Meter, beats: Arc<AtomicU64>) -> Self {
        Self::new(job, State::Open, beats)
    }

    fn new(job: &Meter, state: State, beats: Arc<AtomicU64>) -> Self {
        let shared = Arc::new(Shared { job: job.clone(), beats, state: Mutex::new(state) });
        Self { meter: Meter::new(Arc::clone(&shared) as Arc<dyn Charge>), shared }
    }

    /// For the engine.
    pub(crate) fn meter(&self) -> Meter {
        self.meter.clone()
    }

    /// What the engine told until now, passed on or not.
    pub(crate) fn usage(&self) -> Usage {
        self.meter.usage()
    }

    /// It counts: what was held back is passed on, and what follows at once.
    pub(crate) fn open(&self) {
        let mut state = self.shared.lock();
        if let State::Held { read, reused, made } = *state {
            self.shared.pass(read, reused, made);
            *state = State::Open;
        }
    }

    /// It counts no more.
    pub(crate) fn close(&self) {
        *self.shared.lock() = State::Closed;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass(&self, read: usize, reused: usize, made: usize) {
        if read > 0 {
            self.job.read(read);
        }
        if reused > 0 {
            self.job.reused(reused);
        }
        if made > 0 {
            self.job.made(made);
        }
    }

    fn count(&self, more_read: usize, more_reused: usize, more_made: usize) {
        self.beats.fetch_add(1, Ordering::Relaxed);
        // Under the lock, so that nothing is passed on once `close` has returned.
        match &mut *self.lock() {
            State::Held { read, reused, made } => {
                *read += more_read;
                *reused += more_reused;
                *made += more_made;
            }
            State::Open => self.pass(more_read, more_reused, more_made),
            State::Closed => {}
        }
    }
}

impl Charge for Shared {
    fn read(&self, tokens: usize) {
        self.count(tokens, 0, 0);
    }

    fn reused(&self, tokens: usize) {
        self.count(0, tokens, 0);
    }

    fn made(&self, tokens: usize) {
        self.count(0, 0, tokens);
    }

    fn rank(&self) -> u64 {
        self.job.rank()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(prompt_tokens: usize, cached_tokens: usize, completion_tokens: usize) -> Usage {
        Usage { prompt_tokens, cached_tokens, completion_tokens }
    }

    #[test]
    fn a_try_that_never_counted_leaves_no_trace() {
        let job = Meter::default();
        let attempt = Attempt::held(&job);
        attempt.meter().read(7);
        attempt.close();
        attempt.open();
        assert_eq!((job.usage(), attempt.usage()), (usage(0, 0, 0), usage(7, 0, 0)));
    }

    #[test]
    fn what_was_held_back_and_what_follows_is_counted_once() {
        let job = Meter::default();
        let attempt = Attempt::held(&job);
        attempt.meter().reused(20);
        attempt.meter().read(7);
        attempt.open();
        attempt.meter().made(1);
        attempt.open();
        assert_eq!(job.usage(), usage(27, 20, 1));
    }

    #[test]
    fn an_engine_that_was_given_up_counts_into_the_void() {
        let (job, beats) = (Meter::default(), Arc::<AtomicU64>::default());
        let attempt = Attempt::counted(&job, Arc::clone(&beats));
        attempt.meter().made(3);
        attempt.close();
        attempt.meter().made(4);
        assert_eq!((job.usage(), beats.load(Ordering::Relaxed)), (usage(0, 0, 3), 2));
    }
}
