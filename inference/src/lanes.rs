//! For engines that work on one answer at a time: several of them side by side, so that several
//! people are answered at once.
//!
//! Lanes cost memory, hence there is one until somebody waits, another opens only where there is
//! room for it, and what nobody needed for a while is closed.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
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
    room: watch::Sender<usize>,
}

struct State<R> {
    idle: Vec<Idle<R>>,
    open: usize,
    /// Takers without a lane.
    waiting: usize,
    is_opening: bool,
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
        let state = State { idle, open: 1, waiting: 0, is_opening: false, failed: None };
        let lanes = Self {
            opener,
            most,
            free: Arc::new(Semaphore::new(1)),
            room: watch::Sender::new(room(&state, most)),
            state: Mutex::new(state),
        };
        Arc::new(lanes)
    }

    /// How many takers it has use for: those with a lane, and one for whom the next one opens.
    pub fn room(&self) -> watch::Receiver<usize> {
        self.room.subscribe()
    }

    /// Waits for a free lane, first come, first served. If none is free another is opened.
    pub async fn take(self: &Arc<Self>) -> Option<Lane<O>> {
        let permit = if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
            permit
        } else {
            let _waiting = Waiting::new(self);
            self.open_others();
            // Never closed, so it is always granted.
            Arc::clone(&self.free).acquire_owned().await.ok()?
        };
        let idle = self.lock().idle.pop()?;
        Some(Lane { runner: idle.runner, lanes: Arc::clone(self), _permit: permit })
    }

    /// Opens lanes as long as somebody waits, one after the other: the first is there soonest
    /// so, and whoever finishes meanwhile may make the next one needless.
    fn open_others(self: &Arc<Self>) {
        if mem::replace(&mut self.lock().is_opening, true) {
            return;
        }
        let lanes = Arc::clone(self);
        tokio::spawn(async move {
            while lanes.is_one_wanted() {
                let opening = Opening(&lanes);
                match lanes.opener.open().await {
                    Ok(runner) => lanes.add(runner),
                    Err(why) => {
                        tracing::warn!(why, "no more answers at once");
                        lanes.fail();
                    }
                }
                mem::forget(opening);
            }
        });
    }

    /// Who begins to wait after this has said no opens the next one.
    fn is_one_wanted(&self) -> bool {
        let mut state = self.lock();
        state.is_opening = state.waiting > 0 && state.open < room(&state, self.most);
        state.is_opening
    }

    /// No further lane for a while.
    fn fail(self: &Arc<Self>) {
        self.lock().failed = Some(Instant::now());
        self.tell_room();
        let lanes = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(KEEP).await;
            if let Some(lanes) = lanes.upgrade() {
                lanes.tell_room();
            }
        });
    }

    fn tell_room(&self) {
        let state = self.lock();
        let room = room(&state, self.most);
        self.room.send_if_modified(|old| mem::replace(old, room) != room);
    }

    fn add(self: &Arc<Self>, runner: O::Runner) {
        {
            let mut state = self.lock();
            state.idle.push(Idle { runner, since: Instant::now() });
            state.open += 1;
            tracing::info!(open = state.open, "one more answer at once");
        }
        self.free.add_permits(1);
        self.tell_room();
        tokio::spawn(close_when_idle(Arc::downgrade(self)));
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
        self.tell_room();
        tracing::info!("one answer less at once: nobody needed it");
        true
    }

    fn lock(&self) -> MutexGuard<'_, State<O::Runner>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn room<R>(state: &State<R>, most: usize) -> usize {
    let has_just_failed = state.failed.is_some_and(|at| at.elapsed() < KEEP);
    if has_just_failed { state.open } else { most.min(state.open + 1) }
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

/// Somebody waits for a lane, until this is dropped.
struct Waiting<'a, O: Open>(&'a Lanes<O>);

impl<'a, O: Open> Waiting<'a, O> {
    fn new(lanes: &'a Lanes<O>) -> Self {
        lanes.lock().waiting += 1;
        Self(lanes)
    }
}

impl<O: Open> Drop for Waiting<'_, O> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
    }
}

/// A lane is being opened; dropped only if that panics.
struct Opening<'a, O: Open>(&'a Lanes<O>);

impl<O: Open> Drop for Opening<'_, O> {
    fn drop(&mut self) {
        self.0.lock().is_opening = false;
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
    async fn a_crowd_gets_a_lane_each_one_after_the_other() {
        let lanes = lanes(4, 9);
        let begun = Instant::now();
        let crowd: Vec<_> = (0..6)
            .map(|_| {
                let lanes = Arc::clone(&lanes);
                tokio::spawn(async move {
                    let lane = lanes.take().await.unwrap();
                    let at = begun.elapsed().as_secs();
                    tokio::time::sleep(Duration::from_secs(9)).await;
                    (number(&lane), at)
                })
            })
            .collect();
        let mut taken = Vec::new();
        for person in crowd {
            taken.push(person.await.unwrap());
        }
        assert_eq!(taken, [(0, 0), (1, 1), (2, 2), (3, 3), (0, 9), (1, 10)]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_waiting_needs_no_lane() {
        let lanes = lanes(4, 9);
        let first = lanes.take().await.unwrap();
        for _ in 0..3 {
            let lanes = Arc::clone(&lanes);
            let waiting = async move { lanes.take().await };
            assert!(tokio::time::timeout(Duration::from_millis(10), waiting).await.is_err());
        }
        tokio::time::sleep(Duration::from_secs(9)).await;
        assert_eq!(lanes.lock().open, 2, "only the one that was being opened already");
        drop(first);
    }

    #[tokio::test(start_paused = true)]
    async fn without_memory_people_wait_for_each_other() {
        let lanes = lanes(4, 0);
        let room = lanes.room();
        assert_eq!(*room.borrow(), 2);
        let first = lanes.take().await.unwrap();
        assert!(soon(lanes.take()).await.is_none(), "a second");
        assert_eq!((lanes.lock().open, *room.borrow()), (1, 1));
        tokio::time::sleep(KEEP).await;
        assert_eq!(*room.borrow(), 2, "tried again later");
        drop(first);
        assert_eq!(number(&soon(lanes.take()).await.unwrap().unwrap()), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_needs_is_closed_but_for_one() {
        let lanes = lanes(3, 9);
        let all = [lanes.take().await, lanes.take().await, lanes.take().await];
        assert_eq!((lanes.lock().open, *lanes.room().borrow()), (3, 3));
        drop(all);
        tokio::time::sleep(KEEP * 2).await;
        assert_eq!(lanes.lock().open, 1);
        assert_eq!((lanes.lock().idle.len(), lanes.free.available_permits()), (1, 1));
        assert_eq!(*lanes.room().borrow(), 2);
        assert!(soon(lanes.take()).await.is_some());
    }
}
