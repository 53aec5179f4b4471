//! What somebody holds who was let in: the place, and the handle by which its work is counted.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use super::hall::{Entered, Hall};
use super::policy::Cost;
use super::queue::{Path, Spot, TicketId};
use super::{Room, lock};
use crate::meter;

/// A place in the queue that becomes a place in the engine. Dropping it gives it back, whichever
/// it is, and lets the next one in.
#[derive(Debug)]
pub struct Place {
    spot: watch::Receiver<Spot>,
    /// The position that was told last.
    seen: usize,
    charge: Charge,
}

/// Counts what a job uses, while it runs: at each step, so that whose turn it is next is decided
/// by what everybody got until then. Clones count for the same job. Counting before its turn or
/// after the place was given back does nothing.
#[derive(Debug, Clone)]
pub struct Charge {
    id: TicketId,
    path: Arc<Path>,
    hall: Arc<Mutex<Hall>>,
}

impl Place {
    pub(super) fn new(entered: Entered, hall: Arc<Mutex<Hall>>) -> Self {
        let Entered { id, path, spot } = entered;
        let seen = spot.borrow().position;
        Self { spot, seen, charge: Charge { id, path, hall } }
    }

    /// How many jobs start before this one, itself included; 0 once it may run. Exact for the
    /// first 1,024, unless others come; then how many wait in all. Told at once while few wait,
    /// else up to four times a second.
    pub fn position(&self) -> usize {
        self.spot.borrow().position
    }

    /// How long it probably is until the turn, from how long jobs took lately; 10 minutes at most.
    pub fn expected_wait(&self) -> Duration {
        let spot = *self.spot.borrow();
        let Charge { id, path, hall } = &self.charge;
        lock(hall).wait(path, *id, spot)
    }

    /// How many more jobs of this person may wait now.
    pub fn room(&self) -> Room {
        let Charge { path, hall, .. } = &self.charge;
        lock(hall).room(path)
    }

    /// Waits until the position changes, and says the new one. Changes since it was last asked
    /// count.
    pub async fn moved(&mut self) -> usize {
        loop {
            // The sender lives in the queue or has sent 0 as its last word.
            if self.spot.changed().await.is_err() {
                return 0;
            }
            let now = self.spot.borrow_and_update().position;
            if std::mem::replace(&mut self.seen, now) != now {
                return now;
            }
        }
    }

    /// Waits until it may run.
    pub async fn turn(&mut self) {
        while self.position() > 0 {
            self.moved().await;
        }
    }

    /// Makes room for whoever is next and waits for another turn, which costs so much: for work in
    /// steps that others may come between. Before its turn it does nothing.
    pub fn again(&mut self, cost: Cost) {
        let Charge { id, path, hall } = &self.charge;
        if let Some(spot) = lock(hall).again(path, *id, cost) {
            self.seen = spot.borrow().position;
            self.spot = spot;
        }
    }

    /// The handle to count with what the job uses.
    pub fn charge(&self) -> Charge {
        self.charge.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Charge { id, path, hall } = &self.charge;
        lock(hall).end(path, *id);
    }
}

impl Charge {
    /// So many tokens of the prompt were read. What the job was expected to cost was counted when
    /// it started, and gives way to what it really costs; what is left by the end is given back.
    pub fn read(&self, tokens: usize) {
        lock(&self.hall).used(&self.path, self.id, tokens, 0);
    }

    /// So many tokens of the prompt need not be read, because what was computed from them before
    /// is still there: given back.
    pub fn reused(&self, tokens: usize) {
        lock(&self.hall).reused(&self.path, self.id, tokens);
    }

    /// So many tokens were made.
    pub fn made(&self, tokens: usize) {
        lock(&self.hall).used(&self.path, self.id, 0, tokens);
    }

    /// How urgent the job is among those of the same queue, lower first: for engines that choose
    /// what to compute next. It orders as turns are given: by class, then by tenant, then by who
    /// pays, then by person, each time by how far they stand above who is next. It changes with
    /// every count, so only ranks that were asked for together compare.
    pub fn rank(&self) -> u64 {
        lock(&self.hall).rank(&self.path)
    }
}

/// Engines tell what they do to a meter, which counts it here.
impl meter::Charge for Charge {
    fn read(&self, tokens: usize) {
        self.read(tokens);
    }

    fn reused(&self, tokens: usize) {
        self.reused(tokens);
    }

    fn made(&self, tokens: usize) {
        self.made(tokens);
    }

    fn rank(&self) -> u64 {
        self.rank()
    }
}
