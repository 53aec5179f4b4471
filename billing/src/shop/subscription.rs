//! What a person has by the month or year, from its first day to its last.
//!
//! ```text
//! trial -> active -> (a payment fails) grace -> over
//!            ^-------- paid ---------'
//! ```
//!
//! There are no transitions to be missed or made twice: what was told is kept as facts, each under its name, of
//! which it makes no difference in what order and how often they come, and what a person has is reckoned from
//! them and the time. Each term is paid in advance, and what was used beyond limits with the next one.
//!
//! A change is quoted first, and accepted when it is paid: the two clicks of a cancellation are a quote and its
//! acceptance. What costs as much a year or more is had at once, and the rest of the term is prorated to the
//! second. What costs less is had, and what is cancelled ends, when the term that was paid for is over.

mod change;
mod turns;

use std::collections::BTreeMap;

use blueprint::money::{Currency, Money};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::bill::{Bill, rest};
use super::offers::Deal;
use crate::amount::AmountError;
use crate::rating::invoice::Ref;
use crate::rating::time::Period;

pub use change::{Accepted, NoChange, QUOTED_FOR, Quote, Wish};
use turns::Turns;

/// So long after a term began it is had without having been paid; then it is over. Not the first one.
pub const GRACE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// What a payment takes: until then it is believed to come, and a first one is waited for.
pub const SETTLING: SignedDuration = SignedDuration::from_hours(24);

/// What somebody has, by what was told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    deal: Deal,
    begun: Timestamp,
    facts: BTreeMap<Ref, Fact>,
}

/// Something that was told of it. Its name is that of whoever tells it: a rail's for a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case")]
pub enum Fact {
    /// The [`Bill`] of a term was paid.
    Paid {
        /// Which.
        term: u32,
        /// As bills have it: without a tax that comes on top.
        amount: Money,
        /// When.
        at: Timestamp,
    },
    /// The payment of a term's bill failed.
    Failed {
        /// Which.
        term: u32,
        /// When.
        at: Timestamp,
    },
    /// A change was accepted: see [`Subscription::accept`], which tells it.
    Changed(Quote),
    /// Something was used beyond the limits; it is in the bill of the term after the one in which it was.
    Used {
        /// How much: messages, or single tokens.
        units: u64,
        /// When, or when it was known: a term whose bill was paid is closed.
        at: Timestamp,
    },
    /// Money of a term was given back, or lost to a dispute. Where that is all that was paid for it, it is over.
    Refunded {
        /// Of which.
        term: u32,
        /// As bills have it: without a tax that comes on top.
        amount: Money,
        /// When.
        at: Timestamp,
    },
    /// The platform ended it.
    Ended {
        /// When.
        at: Timestamp,
    },
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The first payment is waited for; nothing is had yet.
    Waiting,
    /// It is tried.
    Trial,
    /// It is had, and paid for.
    Active,
    /// It is had, and a payment failed.
    Grace,
    /// It is over.
    Over,
}

/// Why it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Who had it wanted that.
    Cancelled,
    /// A term was not paid for.
    Unpaid,
    /// What was paid for it was given back.
    Refunded,
    /// The platform ended it.
    Ended,
}

/// What will be if nothing more is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another term of the same.
    Renews(Timestamp),
    /// Another term, of this.
    Becomes(Timestamp, Deal),
    /// It is over then.
    Ends(Timestamp, Why),
    /// It is over since then.
    Over(Timestamp, Why),
}

/// How it stands at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How.
    pub state: State,
    /// What is had, or was.
    pub deal: Deal,
    /// In which term; 0 is the trial.
    pub term: u32,
    /// When that began, and when it is over.
    pub period: Period,
    /// What will be.
    pub next: Next,
    /// What is to be paid now.
    pub due: Option<Bill>,
    /// What was paid when it did not count any more, and is to be given back.
    pub too_late: Vec<Ref>,
}

impl State {
    /// Whether what is paid for is had.
    pub const fn has(self) -> bool {
        matches!(self, Self::Trial | Self::Active | Self::Grace)
    }
}

impl Subscription {
    /// From now on, once the first bill is paid; at once where the first term is tried or costs nothing.
    pub fn begin(deal: Deal, at: Timestamp) -> Self {
        Self { deal, begun: whole(at), facts: BTreeMap::new() }
    }

    /// What it began with.
    pub const fn first(&self) -> &Deal {
        &self.deal
    }

    /// When it began.
    pub const fn begun(&self) -> Timestamp {
        self.begun
    }

    /// All that was told of it.
    pub const fn facts(&self) -> &BTreeMap<Ref, Fact> {
        &self.facts
    }

    /// Takes a fact, in any order and however often it comes.
    ///
    /// # Errors
    /// [`NoChange::Conflict`], [`NoChange::Currency`], and [`NoChange::Billed`] of use that comes when the bill it
    /// would be in is paid: tell it with the time at which it was known.
    pub fn told(&mut self, called: Ref, fact: Fact) -> Result<Accepted, NoChange> {
        match self.facts.get(&called) {
            Some(known) if *known == fact => return Ok(Accepted::Again),
            Some(_) => return Err(NoChange::Conflict(called)),
            None => {}
        }
        match &fact {
            Fact::Paid { amount, .. } | Fact::Refunded { amount, .. }
                if amount.currency() != self.currency() =>
            {
                return Err(NoChange::Currency(*amount, self.currency()));
            }
            Fact::Used { at, .. } => self.is_open(*at)?,
            _ => {}
        }
        self.facts.insert(called, fact);
        Ok(Accepted::New)
    }

    /// How it stands at this time. Before it began it is as when it began.
    ///
    /// # Errors
    /// [`AmountError`]: amounts that are too large.
    pub fn standing(&self, now: Timestamp) -> Result<Standing, AmountError> {
        let now = now.max(self.begun);
        let turns = Turns::until(self, now)?;
        let (turn, over) = (turns.last(), turns.over(now));
        let state = match (over, turn) {
            (Some(_), _) => State::Over,
            (None, turn) if turn.number == 0 => State::Trial,
            (None, turn) if turn.is_paid(now) => State::Active,
            (None, turn) if turn.is_first() => State::Waiting,
            (None, turn) if turn.failed(now) => State::Grace,
            (None, _) => State::Active,
        };
        let next = match (over, turns.end) {
            (Some((at, why)), _) => Next::Over(at, why),
            (None, Some((at, why))) => Next::Ends(at, why),
            (None, None) if !turn.is_paid(now) => Next::Ends(turn.deadline(), Why::Unpaid),
            (None, None) => match turn.planned(now) {
                Some(Wish::Have(deal)) => Next::Becomes(turn.period.until(), deal),
                _ => Next::Renews(turn.period.until()),
            },
        };
        Ok(Standing {
            state,
            deal: turn.deal(now).clone(),
            term: turn.number,
            period: turn.period,
            next,
            due: turns.due(now)?,
            too_late: turns.too_late(now)?,
        })
    }

    /// What of what was paid for the term at this time is not used yet: what a refund of the rest would be.
    ///
    /// # Errors
    /// [`AmountError`]
    pub fn unused(&self, now: Timestamp) -> Result<Money, AmountError> {
        let turns = Turns::until(self, now.max(self.begun))?;
        let (turn, nothing) = (turns.last(), Money::new(0, self.currency()));
        if turn.number == 0 || turns.over(now).is_some() || !turn.is_paid(now) {
            return Ok(nothing);
        }
        Ok(rest(turn.deal(now).price, now, turn.period))
    }

    /// What all of it is paid in.
    pub const fn currency(&self) -> Currency {
        self.deal.price.currency()
    }

    /// Whether use at this time can still be billed.
    fn is_open(&self, at: Timestamp) -> Result<(), NoChange> {
        let last = self.facts.values().map(Fact::at).max().unwrap_or(at);
        let turns = Turns::until(self, last.max(at).max(self.begun))?;
        turns.billed(at).map_or(Ok(()), |bill| Err(NoChange::Billed(bill)))
    }

    /// Facts at times of this stretch, the first first.
    fn told_in(&self, period: Period) -> Vec<(Timestamp, &Ref, &Fact)> {
        let told = self.facts.iter().map(|(called, fact)| (fact.at(), called, fact));
        let mut told: Vec<_> = told.filter(|(at, ..)| period.has(*at)).collect();
        let order = |fact: &Fact| match fact {
            Fact::Changed(quote) => quote.version,
            _ => u32::MAX,
        };
        told.sort_by_key(|(at, called, fact)| (*at, order(fact), *called));
        told
    }
}

impl Fact {
    /// When it was.
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Paid { at, .. }
            | Self::Failed { at, .. }
            | Self::Used { at, .. }
            | Self::Refunded { at, .. }
            | Self::Ended { at } => *at,
            Self::Changed(quote) => quote.at,
        }
    }
}

/// Without parts of a second.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

#[cfg(test)]
mod tests;
