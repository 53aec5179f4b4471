//! Leaves an engine alone that keeps failing, and finds out when it is back.
//!
//! Closed, it lets everything by; after some failures in a row it opens for a while and lets
//! nothing by; then it is half open and lets a few through to try. One that succeeds closes it,
//! one that fails opens it for twice as long. An engine that says how long it has no room opens it
//! for so long.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fuse {
    /// Failures in a row that open it; at least 1.
    pub failures: u32,
    /// How long it stays open the first time.
    pub open: Duration,
    /// How long it stays open at most, whatever an engine says.
    pub open_at_most: Duration,
    /// How many try at once when it is half open; at least 1.
    pub probes: u32,
}

impl Default for Fuse {
    fn default() -> Self {
        Self {
            failures: 3,
            open: Duration::from_secs(5),
            open_at_most: Duration::from_mins(2),
            probes: 1,
        }
    }
}

/// What a breaker does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// Lets everything by.
    Closed,
    /// Lets a few by, to try.
    HalfOpen,
    /// Lets nothing by.
    Open,
}

/// A breaker. Clones are the same.
#[derive(Debug, Clone)]
pub struct Breaker {
    fuse: Fuse,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    failures: u32,
    /// Nothing goes by until then; afterwards it is half open.
    open_until: Option<Instant>,
    open_for: Duration,
    probes: u32,
}

/// Somebody was let by. Whoever has it says how it went; dropped without a word, as by one who
/// left, it says nothing.
#[derive(Debug)]
pub struct Pass {
    breaker: Breaker,
    is_probe: bool,
}

/// How it went with an engine that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It may have been once.
    Once,
    /// It will go on for so long, at least.
    For(Duration),
    /// It will not mend itself soon.
    Lasting,
}

impl Breaker {
    /// A closed one.
    pub fn new(fuse: Fuse) -> Self {
        Self { fuse, inner: Arc::default() }
    }

    /// What it does now.
    pub fn state(&self) -> BreakerState {
        match self.lock().open_until {
            None => BreakerState::Closed,
            Some(until) if Instant::now() < until => BreakerState::Open,
            Some(_) => BreakerState::HalfOpen,
        }
    }

    /// When it will be half open, if it is open.
    pub fn open_until(&self) -> Option<Instant> {
        self.lock().open_until.filter(|until| Instant::now() < *until)
    }

    /// Lets somebody by, or not.
    pub fn pass(&self) -> Option<Pass> {
        let mut inner = self.lock();
        let is_probe = match inner.open_until {
            None => false,
            Some(until) if Instant::now() < until => return None,
            Some(_) if inner.probes >= self.fuse.probes => return None,
            Some(_) => true,
        };
        inner.probes += u32::from(is_probe);
        Some(Pass { breaker: self.clone(), is_probe })
    }

    /// The engine answered to the end.
    pub fn succeeded(&self) {
        self.lock().failures = 0;
    }

    /// The engine failed in the middle of an answer, after it had been taken for good.
    pub fn failed(&self, fault: Fault) {
        let mut inner = self.lock();
        inner.failures = inner.failures.saturating_add(1);
        let was_open = inner.open_until.is_some();
        let opens = was_open || fault != Fault::Once || inner.failures >= self.fuse.failures;
        // Answers that began before it opened fail one after the other: that is one failure.
        let is_open = inner.open_until.is_some_and(|until| Instant::now() < until);
        if !opens || (is_open && fault == Fault::Once) {
            return;
        }
        let open_for = match fault {
            Fault::For(time) => time,
            Fault::Lasting => self.fuse.open_at_most,
            Fault::Once if was_open => inner.open_for * 2,
            Fault::Once => self.fuse.open,
        };
        inner.open_for = open_for.clamp(Duration::from_millis(1), self.fuse.open_at_most);
        inner.open_until = Some(Instant::now() + inner.open_for);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// It answers. Failures before are forgotten only once it has answered to the end: one that
    /// breaks in the middle each time is no better than one that does not begin.
    pub fn began(self) {
        // Somebody let by before it opened knows nothing of what came after.
        if self.is_probe {
            self.breaker.lock().open_until = None;
        }
    }

    /// It answered to the end.
    pub fn succeeded(self) {
        self.breaker.succeeded();
        self.began();
    }

    /// It does not.
    pub fn failed(self, fault: Fault) {
        self.breaker.failed(fault);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.is_probe {
            let mut inner = self.breaker.lock();
            inner.probes = inner.probes.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const FUSE: Fuse = Fuse {
        failures: 3,
        open: Duration::from_secs(5),
        open_at_most: Duration::from_secs(30),
        probes: 2,
    };

    fn fail(breaker: &Breaker) {
        breaker.pass().unwrap().failed(Fault::Once);
    }

    fn opened() -> Breaker {
        let breaker = Breaker::new(FUSE);
        (0..3).for_each(|_| fail(&breaker));
        assert_eq!(breaker.state(), BreakerState::Open);
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_open_it_and_single_ones_do_not() {
        let breaker = Breaker::new(FUSE);
        for _ in 0..9 {
            fail(&breaker);
            fail(&breaker);
            breaker.pass().unwrap().succeeded();
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
        assert!(opened().pass().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn half_open_it_lets_a_few_by_and_one_success_closes_it() {
        let breaker = opened();
        advance(FUSE.open).await;
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        let (first, second) = (breaker.pass().unwrap(), breaker.pass().unwrap());
        assert!(breaker.pass().is_none(), "a third probe");
        // One who leaves says nothing, and another may try.
        drop(second);
        let second = breaker.pass().unwrap();
        first.succeeded();
        assert_eq!(breaker.state(), BreakerState::Closed);
        drop(second);
        assert!((0..9).all(|_| breaker.pass().is_some()));
    }

    #[tokio::test(start_paused = true)]
    async fn beginning_closes_it_but_only_an_end_forgets_the_failures() {
        let breaker = opened();
        advance(FUSE.open).await;
        breaker.pass().unwrap().began();
        assert_eq!(breaker.state(), BreakerState::Closed);
        breaker.failed(Fault::Once);
        assert_eq!(breaker.state(), BreakerState::Open);
        advance(FUSE.open).await;
        breaker.pass().unwrap().began();
        breaker.succeeded();
        breaker.failed(Fault::Once);
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn each_failed_probe_opens_it_for_twice_as_long_within_a_bound() {
        let breaker = opened();
        for seconds in [5, 10, 20, 30, 30] {
            advance(Duration::from_millis(seconds * 1000 - 1)).await;
            assert!(breaker.pass().is_none(), "before {seconds} s");
            advance(Duration::from_millis(1)).await;
            fail(&breaker);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_says_for_how_long_is_believed_at_once() {
        let breaker = Breaker::new(FUSE);
        breaker.pass().unwrap().failed(Fault::For(Duration::from_secs(12)));
        advance(Duration::from_secs(11)).await;
        assert_eq!(breaker.state(), BreakerState::Open);
        advance(Duration::from_secs(1)).await;
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        let breaker = Breaker::new(FUSE);
        breaker.pass().unwrap().failed(Fault::Lasting);
        assert_eq!(breaker.open_until(), Some(Instant::now() + FUSE.open_at_most));
    }

    #[tokio::test(start_paused = true)]
    async fn those_let_by_before_it_opened_neither_close_nor_prolong_it() {
        let breaker = Breaker::new(FUSE);
        let early: Vec<_> = (0..5).map(|_| breaker.pass().unwrap()).collect();
        (0..3).for_each(|_| fail(&breaker));
        let until = breaker.open_until();
        for (at, pass) in early.into_iter().enumerate() {
            if at % 2 == 0 { pass.failed(Fault::Once) } else { pass.succeeded() }
        }
        assert_eq!(breaker.open_until(), until);
    }
}
