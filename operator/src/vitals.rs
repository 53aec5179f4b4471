//! How the turns go: which run, for how long, and whether any comes to its end.

mod numbers;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::cluster::Answers;
use crate::queue::Ended;
use crate::reconcile::TURN_DEADLINE;
use crate::run::Fleet;
use numbers::Numbers;

/// A turn ends within its deadline. What did not move for that and so much longer never will.
const MARGIN: Duration = Duration::from_secs(30);

/// How the turns go. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Vitals(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    turns: Mutex<Turns>,
    numbers: Numbers,
}

#[derive(Debug, Default)]
struct Turns {
    /// When each of those that run began, by their number.
    running: BTreeMap<u64, Instant>,
    /// Turns that began or ended.
    moves: u64,
    /// The moves when some were seen waiting, and since when there was none more.
    waited: Option<(u64, Instant)>,
    is_in_charge: bool,
}

/// Why this process will not get on by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stuck {
    /// A turn does not end.
    #[error("a turn has been running for {} s", .0.as_secs())]
    Turn(Duration),
    /// Nobody's turn comes.
    #[error("{waiting} platforms wait for their turn, and none had one for {} s", since.as_secs())]
    Queue {
        /// Platforms that wait.
        waiting: usize,
        /// For this long at least.
        since: Duration,
    },
}

/// This process is in charge, until this is dropped.
#[derive(Debug)]
pub struct InCharge(Vitals);

impl Drop for InCharge {
    fn drop(&mut self) {
        self.0.lock().is_in_charge = false;
    }
}

/// A turn that runs, until this is dropped: also where it was stopped half-way.
struct Running<'a>(&'a Vitals, u64);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut turns = self.0.lock();
        turns.running.remove(&self.1);
        turns.moves += 1;
    }
}

impl Vitals {
    /// Has a turn, watched.
    pub async fn turn(&self, turn: impl Future<Output = Ended>) -> Ended {
        let began = Instant::now();
        let running = {
            let mut turns = self.lock();
            turns.moves += 1;
            let number = turns.moves;
            turns.running.insert(number, began);
            Running(self, number)
        };
        let ended = turn.await;
        drop(running);
        self.0.numbers.turn(ended, began.elapsed());
        ended
    }

    /// This process is in charge from now on.
    pub fn in_charge(&self) -> InCharge {
        self.lock().is_in_charge = true;
        InCharge(self.clone())
    }

    /// Whether this process is in charge.
    pub fn is_in_charge(&self) -> bool {
        self.lock().is_in_charge
    }

    /// Every platform has a turn for good measure.
    pub fn looked_at_all(&self, now: Timestamp) {
        self.0.numbers.looked_at_all(now);
    }

    /// Where writes to the API server are counted.
    pub fn answers(&self) -> Answers {
        self.0.numbers.answers()
    }

    /// Why this process will not get on, if it will not; `waiting` have their turn now. Of a queue
    /// that does not move it is known only where this is asked again and again.
    pub fn stuck(&self, waiting: usize) -> Option<Stuck> {
        let (mut turns, now) = (self.lock(), Instant::now());
        let longest = turns.running.values().map(|began| now.duration_since(*began)).max();
        if let Some(longest) = longest.filter(|longest| *longest > TURN_DEADLINE + MARGIN) {
            return Some(Stuck::Turn(longest));
        }
        let moves = turns.moves;
        let waits = waiting > 0 && turns.is_in_charge;
        let (_, at) =
            turns.waited.filter(|(then, _)| waits && *then == moves).unwrap_or((moves, now));
        turns.waited = waits.then_some((moves, at));
        let since = now.duration_since(at);
        (since > TURN_DEADLINE + MARGIN).then_some(Stuck::Queue { waiting, since })
    }

    /// All numbers, for a scrape.
    pub fn render(&self, fleet: &Fleet) -> String {
        self.0.numbers.render(fleet, self.is_in_charge())
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.0.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(TURN_DEADLINE.as_secs() + MARGIN.as_secs() + 1);
    const STILL: Ended = Ended::Still { wrote: false, again: None };

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_does_not_end_is_told_until_it_is_stopped() {
        let vitals = Vitals::default();
        let stopped = tokio::time::timeout(2 * LONG, vitals.turn(std::future::pending()));
        let asked = async {
            tokio::time::sleep(TURN_DEADLINE).await;
            let before = vitals.stuck(0);
            tokio::time::sleep(MARGIN + Duration::from_secs(1)).await;
            (before, vitals.stuck(0))
        };
        let (stopped, asked) = tokio::join!(stopped, asked);
        assert!(stopped.is_err());
        assert_eq!(asked, (None, Some(Stuck::Turn(LONG))));
        assert_eq!(vitals.stuck(0), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_does_not_move_is_told_of_who_is_in_charge() {
        let vitals = Vitals::default();
        let in_charge = vitals.in_charge();
        assert_eq!(vitals.stuck(3), None);
        tokio::time::sleep(LONG).await;
        assert_eq!(vitals.stuck(3), Some(Stuck::Queue { waiting: 3, since: LONG }));
        assert_eq!(vitals.stuck(0), None, "nobody waits");
        assert_eq!(vitals.stuck(3), None, "they only came");
        tokio::time::sleep(LONG).await;
        vitals.turn(async { STILL }).await;
        assert_eq!(vitals.stuck(3), None, "it moved");
        tokio::time::sleep(LONG).await;
        drop(in_charge);
        assert_eq!(vitals.stuck(3), None, "another process works");
    }
}
