//! What a job has used until now, told token by token by the engine that works on it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::engine::Usage;

/// Who wants to know of each token: the queue, which charges it to the tenant at once.
pub trait Charge: Send + Sync {
    /// So many tokens of the prompt have been read, besides those that were there already.
    fn read(&self, tokens: usize);

    /// So many tokens of the prompt need no reading.
    fn reused(&self, tokens: usize);

    /// So many tokens of the answer have been made.
    fn made(&self, tokens: usize);

    /// How urgent the job is now: lower goes first. Changes while it runs. The lowest
    /// [`BITS_OF_PEOPLE`] tell apart people of one tenant.
    fn rank(&self) -> u64;
}

/// So many of the lowest bits of a rank tell apart people of one tenant.
pub const BITS_OF_PEOPLE: u32 = 24;

/// The rank of the tenant whose job has this one. Among the people of a tenant who goes first
/// decides which prompt is read first, and no more: all that is at work goes on side by side, as
/// that is soonest done for all of them.
pub fn of_tenant(rank: u64) -> u64 {
    rank >> BITS_OF_PEOPLE
}

/// A job's counter. Clones are the same counter.
#[derive(Clone, Default)]
pub struct Meter(Arc<Inner>);

#[derive(Default)]
struct Inner {
    read: AtomicUsize,
    reused: AtomicUsize,
    made: AtomicUsize,
    charge: Option<Arc<dyn Charge>>,
}

impl Meter {
    /// A counter that passes on what it is told.
    pub fn new(charge: Arc<dyn Charge>) -> Self {
        Self(Arc::new(Inner { charge: Some(charge), ..Inner::default() }))
    }

    /// So many tokens of the prompt have been read.
    pub fn read(&self, tokens: usize) {
        self.0.read.fetch_add(tokens, Ordering::AcqRel);
        if let Some(charge) = &self.0.charge {
            charge.read(tokens);
        }
    }

    /// So many tokens of the prompt need no reading: they were read for an earlier job.
    pub fn reused(&self, tokens: usize) {
        self.0.reused.fetch_add(tokens, Ordering::AcqRel);
        if let Some(charge) = &self.0.charge {
            charge.reused(tokens);
        }
    }

    /// So many tokens of the answer have been made, whether or not they show as text.
    pub fn made(&self, tokens: usize) {
        self.0.made.fetch_add(tokens, Ordering::AcqRel);
        if let Some(charge) = &self.0.charge {
            charge.made(tokens);
        }
    }

    /// Everything until now.
    pub fn usage(&self) -> Usage {
        let cached_tokens = self.0.reused.load(Ordering::Acquire);
        Usage {
            prompt_tokens: self.0.read.load(Ordering::Acquire) + cached_tokens,
            cached_tokens,
            completion_tokens: self.0.made.load(Ordering::Acquire),
        }
    }

    /// How urgent the job is now: lower goes first. 0 if nobody says.
    pub fn rank(&self) -> u64 {
        self.0.charge.as_ref().map_or(0, |charge| charge.rank())
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Meter").field(&self.usage()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Sum(AtomicUsize);

    impl Charge for Sum {
        fn read(&self, tokens: usize) {
            self.0.fetch_add(tokens, Ordering::Relaxed);
        }

        fn reused(&self, _: usize) {}

        fn made(&self, tokens: usize) {
            self.0.fetch_add(2 * tokens, Ordering::Relaxed);
        }

        fn rank(&self) -> u64 {
            self.0.load(Ordering::Relaxed) as u64
        }
    }

    #[test]
    fn every_token_is_counted_and_passed_on_at_once_but_for_those_that_cost_nothing() {
        let meter = Meter::new(Arc::new(Sum::default()));
        meter.reused(30);
        meter.clone().read(10);
        assert_eq!(meter.rank(), 10);
        meter.made(1);
        meter.made(1);
        assert_eq!(meter.rank(), 14);
        let usage = Usage { prompt_tokens: 40, cached_tokens: 30, completion_tokens: 2 };
        assert_eq!(meter.usage(), usage);
        assert_eq!(Meter::default().rank(), 0);
    }
}
