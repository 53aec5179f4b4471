//! Sharing by virtual counters: whoever has work counts what they got, divided by their weight,
//! and who got least is next (the family of VTC, arXiv 2401.00588).
//!
//! Counters are only compared while there is work. Who comes back is lifted to where the others
//! are, less a credit of a question or two: being away saves no more than that, and coming and going
//! gains nothing, since a credit that was used has to be earned again. The same bound holds for
//! somebody who has work but may not start it. When nobody has work all begin afresh.

use std::collections::{BTreeSet, HashMap, btree_set};
use std::hash::Hash;

/// The weight of one. Others are parts or multiples of it.
pub(super) const WHOLE: u64 = 1 << 16;
/// Steps of a counter for a unit of cost at the weight of one, so that divisions lose little. A
/// share of 5 % at a million units of cost a second fills a counter after 14 years without a pause.
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
    /// What was got, divided by the weight.
    served: i64,
    /// What jobs that began are still expected to cost.
    expected: u64,
    picked: u64,
    joined: u64,
    weight: u64,
    is_busy: bool,
    inner: T,
}

/// What somebody got more, in cost.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Change {
    /// For what was done.
    pub(super) served: u64,
    /// For what is expected of jobs that run.
    pub(super) expected: u64,
    /// For what was expected, and was done or will not be.
    pub(super) settled: u64,
}

/// Who has the least comes first; of equals who was not picked for longest, then who came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Standing {
    pub(super) counter: i64,
    pub(super) picked: u64,
    pub(super) joined: u64,
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
        let member = self.members.entry(key.clone()).or_insert_with(|| Member {
            served: least,
            expected: 0,
            picked: 0,
            joined: 0,
            weight,
            is_busy: false,
            inner: new(),
        });
        if !member.is_busy {
            self.idle.remove(&(member.until(self.terms), key.clone()));
            member.served = member.served.max(least);
            (member.picked, member.joined) = (0, self.turn);
            member.weight = weight;
            member.is_busy = true;
            self.busy.insert((member.standing(), key.clone()));
        }
        &mut member.inner
    }

    /// This member has no work left.
    pub(super) fn leave(&mut self, key: &K) {
        let Some(member) = self.members.get_mut(key) else { return };
        member.is_busy = false;
        self.busy.remove(&(member.standing(), key.clone()));
        member.expected = 0;
        self.idle.insert((member.until(self.terms), key.clone()));
        if self.busy.is_empty() {
            *self = Self::new(self.terms);
            return;
        }
        let base = self.base();
        while let Some((until, _)) = self.idle.first() {
            if *until > base && self.idle.len() <= self.terms.remembered {
                break;
            }
            // Whoever comes new stands no lower.
            if let Some((_, key)) = self.idle.pop_first() {
                self.members.remove(&key);
            }
        }
    }

    /// Counts what a member got; `None` if there is no such member with work.
    pub(super) fn count(&mut self, key: &K, change: Change) -> Option<&mut T> {
        self.update(key, |member| {
            member.served = member.served.saturating_add(steps(change.served, member.weight));
            let expected = member.expected.saturating_add(change.expected);
            member.expected = expected.saturating_sub(change.settled);
        })
    }

    /// Notes that it is this member's turn.
    pub(super) fn pick(&mut self, key: &K) -> Option<&mut T> {
        self.turn += 1;
        let Self { turn, terms, .. } = *self;
        let floor = self.floor.max(self.members.get(key)?.served);
        self.floor = floor;
        self.update(key, |member| {
            let least = floor.saturating_sub(steps(terms.credit.into(), member.weight));
            member.served = member.served.max(least);
            member.picked = turn;
        })
    }

    /// What the member's costs are divided by from now on.
    pub(super) fn set_weight(&mut self, key: &K, weight: u64) {
        self.update(key, |member| member.weight = weight);
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

    /// Those with work, who is next first.
    pub(super) fn busy(&self) -> impl Iterator<Item = (&K, &T)> {
        self.busy.iter().filter_map(|(_, key)| Some((key, &self.members.get(key)?.inner)))
    }

    /// What a walk begins with: those with work, who is next first, and the number of the turn.
    pub(super) fn line(&self) -> (btree_set::Iter<'_, (Standing, K)>, u64) {
        (self.busy.iter(), self.turn)
    }

    /// What a member's costs are divided by, and who they are.
    pub(super) fn member(&self, key: &K) -> Option<(u64, &T)> {
        self.members.get(key).map(|member| (member.weight, &member.inner))
    }

    /// How much cost this member got above where turns are given now; below is negative.
    pub(super) fn lead(&self, key: &K) -> i64 {
        let served = self.members.get(key).map_or(self.floor, |member| member.served);
        served.saturating_sub(self.floor) / STEPS.cast_signed()
    }

    /// Where those are who have work.
    fn base(&self) -> i64 {
        let least = self.busy.first().and_then(|(_, key)| self.members.get(key));
        least.map_or(self.floor, |member| member.served).max(self.floor)
    }

    /// Changes a member with work and puts it where it belongs then.
    fn update(&mut self, key: &K, change: impl FnOnce(&mut Member<T>)) -> Option<&mut T> {
        let member = self.members.get_mut(key).filter(|member| member.is_busy)?;
        let before = member.standing();
        change(member);
        let after = member.standing();
        if before != after {
            self.busy.remove(&(before, key.clone()));
            self.busy.insert((after, key.clone()));
        }
        Some(&mut member.inner)
    }
}

impl<T> Member<T> {
    fn standing(&self) -> Standing {
        let counter = self.served.saturating_add(steps(self.expected, self.weight));
        Standing { counter, picked: self.picked, joined: self.joined }
    }

    /// Once all others are here, nothing is left of what this member got more than they.
    fn until(&self, terms: Terms) -> i64 {
        self.served.saturating_add(steps(terms.credit.into(), self.weight))
    }
}

/// What a cost moves a counter. Less than two to the power of 63 for any number of tokens.
pub(super) fn steps(cost: u64, weight: u64) -> i64 {
    let steps = cost.saturating_mul(STEPS * WHOLE) / weight.max(1);
    i64::try_from(steps).unwrap_or(i64::MAX)
}
