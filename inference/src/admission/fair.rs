//! Sharing by virtual counters: whoever has work counts what they got, divided by their weight,
//! and who got least is next (the family of VTC, arXiv 2401.00588).
//!
//! Counters are only compared while there is work. Who comes back is lifted to where the others
//! are, less a credit of one question: being away saves no more than that, and coming and going
//! gains nothing, since a credit that was used has to be earned again. The same bound holds for
//! somebody who has work but may not start it. When nobody has work all begin afresh.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, btree_set};
use std::hash::Hash;
use std::iter::Peekable;

use super::queue::Ticket;

/// The weight of one. Others are parts or multiples of it.
pub(super) const WHOLE: u64 = 1 << 16;
/// Steps of a counter for a unit of cost at the weight of one, so that divisions lose little. A
/// share of 5 % at a million units of cost a second fills a counter in 14,000 years.
const STEPS: u64 = 1 << 10;

/// Members by name. Deciding and counting take time logarithmic in how many have work.
#[derive(Debug)]
pub(super) struct Fair<K, T> {
    members: HashMap<K, Member<T>>,
    /// Those with work.
    busy: BTreeSet<(Standing, K)>,
    /// Those without, whose counter still matters, and until when it does.
    idle: BTreeSet<(i64, K)>,
    /// Where the last one stood who was picked and stood highest.
    floor: i64,
    turn: u64,
    terms: Terms,
}

/// What holds for all members.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// Cost that somebody may catch up.
    pub(super) credit: u32,
    /// Members without work whose counters are remembered at most.
    pub(super) remembered: usize,
}

#[derive(Debug)]
struct Member<T> {
    standing: Standing,
    weight: u64,
    is_busy: bool,
    inner: T,
}

/// Who has the least comes first; of equals who was not picked for longest, then who came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Standing {
    counter: i64,
    picked: u64,
    joined: u64,
}

impl<K: Clone + Ord + Hash, T> Fair<K, T> {
    pub(super) fn new(terms: Terms) -> Self {
        Self {
            members: HashMap::new(),
            busy: BTreeSet::new(),
            idle: BTreeSet::new(),
            floor: 0,
            turn: 0,
            terms,
        }
    }

    /// This member has work from now on.
    pub(super) fn join(&mut self, key: &K, weight: u64, new: impl FnOnce() -> T) -> &mut T {
        let least = self.base().saturating_sub(steps(self.terms.credit.into(), weight));
        self.turn += 1;
        let member = self.members.entry(key.clone()).or_insert_with(|| {
            let standing = Standing { counter: least, picked: 0, joined: 0 };
            Member { standing, weight, is_busy: false, inner: new() }
        });
        if !member.is_busy {
            self.idle.remove(&(member.settled(self.terms), key.clone()));
            let counter = member.standing.counter.max(least);
            member.standing = Standing { counter, picked: 0, joined: self.turn };
            member.weight = weight;
            member.is_busy = true;
            self.busy.insert((member.standing, key.clone()));
        }
        &mut member.inner
    }

    /// This member has no work left.
    pub(super) fn leave(&mut self, key: &K) {
        let Some(member) = self.members.get_mut(key) else { return };
        member.is_busy = false;
        self.busy.remove(&(member.standing, key.clone()));
        self.idle.insert((member.settled(self.terms), key.clone()));
        if self.busy.is_empty() {
            *self = Self::new(self.terms);
            return;
        }
        let base = self.base();
        while let Some((until, _)) = self.idle.first() {
            if *until > base && self.idle.len() <= self.terms.remembered {
                break;
            }
            // Whoever comes now stands no higher.
            if let Some((_, key)) = self.idle.pop_first() {
                self.members.remove(&key);
            }
        }
    }

    /// Counts a cost, or gives one back; `None` if there is no such member.
    pub(super) fn charge(&mut self, key: &K, cost: i64) -> Option<&mut T> {
        let member = self.members.get_mut(key).filter(|member| member.is_busy)?;
        let before = member.standing;
        let moved = steps(cost.unsigned_abs(), member.weight);
        let moved = if cost < 0 { -moved } else { moved };
        member.standing.counter = before.counter.saturating_add(moved);
        let after = member.standing;
        self.restand(key, before, after);
        self.get_mut(key)
    }

    /// Notes that it is this member's turn.
    pub(super) fn pick(&mut self, key: &K) -> Option<&mut T> {
        let Self { floor, turn, terms, .. } = *self;
        let member = self.members.get_mut(key).filter(|member| member.is_busy)?;
        let before = member.standing;
        let floor = floor.max(before.counter);
        let least = floor.saturating_sub(steps(terms.credit.into(), member.weight));
        member.standing.counter = before.counter.max(least);
        member.standing.picked = turn + 1;
        let after = member.standing;
        self.floor = floor;
        self.turn = turn + 1;
        self.restand(key, before, after);
        self.get_mut(key)
    }

    /// What the member's costs are divided by from now on.
    pub(super) fn set_weight(&mut self, key: &K, weight: u64) {
        if let Some(member) = self.members.get_mut(key).filter(|member| member.is_busy) {
            member.weight = weight;
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<&T> {
        self.members.get(key).map(|member| &member.inner)
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut T> {
        self.members.get_mut(key).map(|member| &mut member.inner)
    }

    /// How many have work.
    pub(super) fn busy_len(&self) -> usize {
        self.busy.len()
    }

    /// Those with work and their weights, who is next first.
    pub(super) fn busy(&self) -> impl Iterator<Item = (u64, &T)> {
        let members = self.busy.iter().filter_map(|(_, key)| self.members.get(key));
        members.map(|member| (member.weight, &member.inner))
    }

    /// How much cost this member stands above where turns are given now; below is negative.
    pub(super) fn lead(&self, key: &K) -> i64 {
        let counter = self.members.get(key).map_or(self.floor, |member| member.standing.counter);
        counter.saturating_sub(self.floor) / STEPS.cast_signed()
    }

    /// Where those are who have work.
    fn base(&self) -> i64 {
        let least = self.busy.first().map(|(standing, _)| standing.counter);
        least.unwrap_or(self.floor).max(self.floor)
    }

    fn restand(&mut self, key: &K, before: Standing, after: Standing) {
        self.busy.remove(&(before, key.clone()));
        self.busy.insert((after, key.clone()));
    }
}

impl<T> Member<T> {
    /// Once all others are here, nothing is left of what this member got more than they.
    fn settled(&self, terms: Terms) -> i64 {
        self.standing.counter.saturating_add(steps(terms.credit.into(), self.weight))
    }
}

/// What a cost moves a counter. Less than two to the power of 63 for any number of tokens.
fn steps(cost: u64, weight: u64) -> i64 {
    let steps = cost.saturating_mul(STEPS * WHOLE) / weight.max(1);
    i64::try_from(steps).unwrap_or(i64::MAX)
}

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
        Walk {
            fair: self,
            untouched: self.busy.iter().peekable(),
            again: BinaryHeap::new(),
            turn: self.turn,
        }
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
                let Some(member) = self.fair.members.get(key) else { continue };
                let jobs = member.inner.walk();
                Again { standing: *standing, weight: member.weight, jobs }
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
