//! Who starts after whom, foretold from the counters without changing them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, btree_set};
use std::hash::Hash;
use std::iter::Peekable;

use super::fair::{Fair, Standing, steps};
use super::queue::Ticket;

/// Something with jobs that wait.
pub(super) trait Work {
    type Walk<'a>: Iterator<Item = &'a Ticket>
    where
        Self: 'a;

    /// Those jobs in the order in which they start if nobody else comes and all may run.
    fn walk(&self) -> Self::Walk<'_>;
}

impl<K: Clone + Ord + Hash, T: Work> Work for Fair<K, T> {
    type Walk<'a>
        = Walk<'a, K, T>
    where
        Self: 'a;

    fn walk(&self) -> Walk<'_, K, T> {
        let (line, turn) = self.line();
        Walk { fair: self, untouched: line.peekable(), again: BinaryHeap::new(), turn }
    }
}

/// Plays the turns that come, as far as it is asked, without changing anything.
pub(super) struct Walk<'a, K, T: Work + 'a> {
    fair: &'a Fair<K, T>,
    untouched: Peekable<btree_set::Iter<'a, (Standing, K)>>,
    again: BinaryHeap<Reverse<Again<'a, T>>>,
    turn: u64,
}

/// Somebody who had a turn in the play.
struct Again<'a, T: Work + 'a> {
    standing: Standing,
    weight: u64,
    jobs: T::Walk<'a>,
}

impl<'a, K: Clone + Ord + Hash, T: Work> Iterator for Walk<'a, K, T> {
    type Item = &'a Ticket;

    fn next(&mut self) -> Option<&'a Ticket> {
        loop {
            let again = self.again.peek().map(|Reverse(again)| again.standing);
            let is_again = match (self.untouched.peek(), again) {
                (Some((fresh, _)), Some(again)) => again < *fresh,
                (fresh, _) => fresh.is_none(),
            };
            let mut member = if is_again {
                self.again.pop()?.0
            } else {
                let (standing, key) = self.untouched.next()?;
                let Some((weight, member)) = self.fair.member(key) else { continue };
                Again { standing: *standing, weight, jobs: member.walk() }
            };
            let Some(ticket) = member.jobs.next() else { continue };
            self.turn += 1;
            member.standing.picked = self.turn;
            let counter = member.standing.counter;
            member.standing.counter = counter.saturating_add(steps(ticket.likely, member.weight));
            self.again.push(Reverse(member));
            return Some(ticket);
        }
    }
}

impl<'a, T: Work + 'a> PartialEq for Again<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.standing == other.standing
    }
}

impl<'a, T: Work + 'a> Eq for Again<'a, T> {}

impl<'a, T: Work + 'a> PartialOrd for Again<'a, T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<'a, T: Work + 'a> Ord for Again<'a, T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.standing.cmp(&other.standing)
    }
}
