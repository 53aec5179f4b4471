//! Whose turn it is: a bounded queue before each engine, weighted by class of service, fair by
//! tenant inside a class and by person inside a tenant.
//!
//! An engine runs few jobs at once, so the rest wait here, where waiting costs nothing and can
//! still be ordered. What everybody gets is counted token by token, and who got least for their
//! weight is next, so a flood from one of them only makes that one wait. While several tenants are
//! about, none has all places in the engine. Who leaves while waiting is never started and costs
//! nothing.
//!
//! Reading order: `policy` says what is promised; `fair` is the arithmetic, `shares` the part of
//! each class; `queue` is the tree of all who have work, `walk` its order; `hall` moves them from
//! waiting to running; `pace` and `waits` foretell, `lately` remembers; `place` is what callers hold.

mod fair;
mod hall;
mod lately;
mod pace;
mod place;
mod policy;
mod queue;
mod shares;
#[cfg(test)]
mod tests;
mod waits;
mod walk;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use hall::Clock;
use hall::Hall;
pub use place::{Charge, Place};
pub use policy::{
    BadClasses, Class, ClassId, Classes, Cost, Places, Policy, Requester, TokenWeights,
};

/// The queue before one engine. Clones are the same queue.
#[derive(Debug, Clone)]
pub struct Admission {
    hall: Arc<Mutex<Hall>>,
}

/// No place left; `retry_after` says when one should be free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("every place in the queue is taken")]
pub struct Full {
    /// An estimate from how long jobs took lately, in whole seconds; between 1 second and 10
    /// minutes.
    pub retry_after: Duration,
    /// Where whoever came stands with the places to wait.
    pub room: Room,
}

/// How many jobs of a person may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// At most, when nobody else does.
    pub places: usize,
    /// How many more now.
    pub free: usize,
}

/// How busy an engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Jobs in the engine.
    pub running: usize,
    /// Jobs waiting.
    pub waiting: usize,
}

impl Admission {
    /// An empty queue before an engine that runs `at_once` jobs; else as usual.
    pub fn new(places: Places, at_once: usize) -> Self {
        Self::with(Policy { places, ..Policy::default() }, at_once, Clock::default())
    }

    /// An empty queue before an engine that runs `at_once` jobs.
    pub fn with(policy: Policy, at_once: usize, clock: Clock) -> Self {
        Self { hall: Arc::new(Mutex::new(Hall::new(policy, at_once, clock))) }
    }

    /// From now on so many run at once. What runs goes on.
    pub fn set_at_once(&self, at_once: usize) {
        lock(&self.hall).set_at_once(at_once);
    }

    /// The classes of service.
    pub fn classes(&self) -> Classes {
        lock(&self.hall).policy.classes.clone()
    }

    /// Takes a place, at once: in the engine if one is free, else in the queue.
    pub fn enter(&self, who: &Requester, cost: Cost) -> Result<Place, Full> {
        let entered = lock(&self.hall).enter(who, cost)?;
        Ok(Place::new(entered, Arc::clone(&self.hall)))
    }

    /// How busy it is now.
    pub fn load(&self) -> Load {
        lock(&self.hall).load()
    }
}

fn lock(hall: &Mutex<Hall>) -> MutexGuard<'_, Hall> {
    // Nothing panics while it is held; if something did, the queue is still whole.
    hall.lock().unwrap_or_else(PoisonError::into_inner)
}
