//! For engines that work on one answer at a time: several of them side by side, so that several
//! people are answered at once.
//!
//! Lanes cost memory, hence there is one until somebody waits, another opens only where there is
//! room for it, and what nobody needed for a while is closed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// How long a lane stays open that nobody needs.
const KEEP: Duration = Duration::from_mins(5);

/// Opens lanes.
#[async_trait]
pub trait Open: Send + Sync + 'static {
    /// What works in a lane; clones are the same.
    type Runner: Clone + Send + 'static;

    /// One more, or why not; the text is for the log.
    async fn open(&self) -> Result<Self::Runner, String>;
}

/// All lanes of a model.
pub struct Lanes<O: Open> {
    opener: O,
    most: usize,
    /// One permit for each lane that is open and free.
    free: Arc<Semaphore>,
    state: Mutex<State<O::Runner>>,
}

struct State<R> {
    idle: Vec<Idle<R>>,
    /// Lanes that are open or opening.
    open: usize,
    /// An opening failed at this time; not tried again for a while.
    failed: Option<Instant>,
}

struct Idle<R> {
    runner: R,
    since: Instant,
}

/// A lane in use; free again when dropped.
pub struct Lane<O: Open> {
    runner: O::Runner,
    lanes: Arc<Lanes<O>>,
    _permit: OwnedSemaphorePermit,
}

impl<O: Open> Lanes<O> {
    /// The first lane is `runner`; at most `most` will be open at once.
    pub fn new(runner: O::Runner, opener: O, most: usize) -> Arc<Self> {
        let idle = vec![Idle { runner, since: Instant::now() }];
        let state = Mutex::new(State { idle, open: 1, failed: None });
        Arc::new(Self { opener, most, free: Arc::new(Semaphore::new(1)), state })
    }

    /// The most that are ever open at once.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Waits for a free lane, first come, first served. If none is free another is opened.
    pub async fn take(self: &Arc<Self>) -> Option<Lane<O>> {
        if self.free.available_permits() == 0 {
            self.open_another();
        }
        // Never closed, so it is always granted.
        let permit = Arc::clone(&self.free).acquire_owned().await.ok()?;
        let idle = self.lock().idle.pop()?;
        Some(Lane { runner: idle.runner, lanes: Arc::clone(self), _permit: permit })
    }

    fn open_another(self: &Arc<Self>) {
        {
            let mut state = self.lock();
            let has_just_failed = state.failed.is_some_and(|at| at.elapsed() < KEEP);
            if state.open >= self.most || has_just_failed {
                return;
            }
            state.open += 1;
        }
        let lanes = Arc::downgrade(self);
        let opening = Opening { lanes: lanes.clone(), is_done: false };
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            let opened = shared.opener.open().await;
            shared.finish(opening, opened);
            drop(shared);
            close_when_idle(lanes).await;
        });
    }

    fn finish(&self, mut opening: Opening<O>, opened: Result<O::Runner, String>) {
        match opened {
            Ok(runner) => {
                opening.is_done = true;
                let mut state = self.lock();
                state.idle.push(Idle { runner, since: Instant::now() });
                tracing::info!(open = state.open, "one more answer at once");
                drop(state);
                self.free.add_permits(1);
            }
            Err(why) => tracing::warn!(why, "no more answers at once"),
        }
    }

    /// Closes one lane that nobody needed for a while; true if there is none left to close.
    fn close_one(&self) -> bool {
        let closed = {
            let mut state = self.lock();
            if state.open <= 1 {
                return true;
            }
            // The last in is the next out, so the first has been idle longest.
            let is_old = state.idle.first().is_some_and(|idle| idle.since.elapsed() >= KEEP);
            let Some(permit) = is_old.then(|| self.free.try_acquire().ok()).flatten() else {
                return false;
            };
            permit.forget();
            state.open -= 1;
            state.idle.remove(0)
        };
        // Frees hundreds of megabytes: outside the lock.
        drop(closed);
        tracing::info!("one answer less at once: nobody needed it");
        true
    }

    fn lock(&self) -> MutexGuard<'_, State<O::Runner>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each lane that was opened has one of these, which closes one, whichever.
async fn close_when_idle<O: Open>(lanes: Weak<Lanes<O>>) {
    loop {
        tokio::time::sleep(KEEP / 5).await;
        let Some(lanes) = lanes.upgrade() else { return };
        if lanes.close_one() {
            return;
        }
    }
}

/// Counts a lane that is being opened; gives the place back if it comes to nothing, also by panic.
struct Opening<O: Open> {
    lanes: Weak<Lanes<O>>,
    is_done: bool,
}

impl<O: Open> Drop for Opening<O> {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        if let Some(lanes) = self.lanes.upgrade() {
            let mut state = lanes.lock();
            state.open -= 1;
            state.failed = Some(Instant::now());
        }
    }
}

impl<O: Open> Lane<O> {
    /// What works in it.
    pub fn runner(&self) -> &O::Runner {
        &self.runner
    }
}

impl<O: Open> Drop for Lane<O> {
    fn drop(&mut self) {
        // The permit is given back after this, so whoever gets it finds the runner.
        let runner = self.runner.clone();
        self.lanes.lock().idle.push(Idle { runner, since: Instant::now() });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Opens lanes numbered 1, 2, ... until `most` were opened.
    struct Numbers {
        next: AtomicUsize,
        most: usize,
    }

    #[async_trait]
    impl Open for Numbers {
        type Runner = usize;

        async fn open(&self) -> Result<usize, String> {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let next = self.next.fetch_add(1, Ordering::Relaxed) + 1;
            if next > self.most { Err("no memory".to_owned()) } else { Ok(next) }
        }
    }

    fn lanes(most: usize, memory_for: usize) -> Arc<Lanes<Numbers>> {
        Lanes::new(0, Numbers { next: AtomicUsize::new(0), most: memory_for }, most)
    }

    fn number(lane: &Lane<Numbers>) -> usize {
        *lane.runner()
    }

    async fn soon<T>(what: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(Duration::from_secs(10), what).await.ok()
    }

    #[tokio::test(start_paused = true)]
    async fn one_person_needs_one_lane() {
        let lanes = lanes(4, 9);
        for _ in 0..3 {
            assert_eq!(number(&lanes.take().await.unwrap()), 0);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(lanes.lock().open, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_gets_the_lane_that_opens_and_there_are_never_too_many() {
        let lanes = lanes(2, 9);
        let first = lanes.take().await.unwrap();
        let second = lanes.take().await.unwrap();
        assert_eq!((number(&first), number(&second)), (0, 1));
        assert!(soon(lanes.take()).await.is_none(), "a third");
        drop(first);
        assert_eq!(number(&soon(lanes.take()).await.unwrap().unwrap()), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lane_that_frees_up_before_another_opens_is_taken() {
        let lanes = lanes(2, 9);
        let first = lanes.take().await.unwrap();
        let waiting = tokio::spawn({
            let lanes = Arc::clone(&lanes);
            async move { number(&lanes.take().await.unwrap()) }
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        drop(first);
        assert_eq!(waiting.await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn without_memory_people_wait_for_each_other() {
        let lanes = lanes(4, 0);
        let first = lanes.take().await.unwrap();
        assert!(soon(lanes.take()).await.is_none(), "a second");
        assert_eq!(lanes.lock().open, 1);
        drop(first);
        assert_eq!(number(&soon(lanes.take()).await.unwrap().unwrap()), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_needs_is_closed_but_for_one() {
        let lanes = lanes(3, 9);
        let all = [lanes.take().await, lanes.take().await, lanes.take().await];
        assert_eq!(lanes.lock().open, 3);
        drop(all);
        tokio::time::sleep(KEEP * 2).await;
        assert_eq!(lanes.lock().open, 1);
        assert_eq!((lanes.lock().idle.len(), lanes.free.available_permits()), (1, 1));
        assert!(soon(lanes.take()).await.is_some());
    }
}
