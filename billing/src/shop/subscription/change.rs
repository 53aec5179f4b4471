//! What somebody wants to have instead, what that costs, and its acceptance.

use blueprint::money::{Currency, Money};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::turns::Turns;
use super::{Deal, Fact, Subscription, whole};
use crate::amount::AmountError;
use crate::rating::invoice::Ref;
use crate::rating::time::Period;
use crate::shop::bill::{Line, rest, total};
use crate::shop::offers::Item;

/// For so long what was quoted can be accepted: as long as a page stays open on which it is paid.
pub const QUOTED_FOR: SignedDuration = SignedDuration::from_mins(60);

/// What somebody wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wish {
    /// This from now on, or from the next term on where it costs less.
    Have(Deal),
    /// Nothing more than is paid for.
    Stop,
    /// Nothing of what was wished before for the next term.
    Stay,
}

/// What a change would be, and cost. It is the first of two clicks: show it, and accept it once it is paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quote {
    /// What was wished.
    pub wish: Wish,
    /// When it was quoted.
    pub at: Timestamp,
    /// From when on it counts.
    pub from: Timestamp,
    /// What is to be paid at once, without a tax that comes on top; it may be nothing. Its acceptance says that it
    /// is paid: nothing else is told of it.
    pub charge: Money,
    /// What that is the sum of.
    pub lines: Vec<Line>,
    /// In which term it was quoted.
    pub(super) term: u32,
    /// How many changes there were before it.
    pub(super) version: u32,
}

/// How something was taken that was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It counts.
    New,
    /// It was told before, and nothing more happens.
    Again,
}

/// Why something is not changed, or was not told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoChange {
    /// That is how it is.
    #[error("that is what there is already")]
    Same,
    /// Nothing is changed any more.
    #[error("the subscription is over; begin another one")]
    Over,
    /// Only what is paid for is changed.
    #[error("the last bill is not paid; pay it, or stop the subscription, which then ends at once")]
    Unpaid,
    /// An agent stays that agent.
    #[error("only a tier becomes another tier; stop this subscription and begin the other one")]
    Item,
    /// Something else was changed since it was quoted.
    #[error(
        "something was changed since; ask what it costs now, and give back what was paid for it"
    )]
    Stale,
    /// It was quoted too long ago, or in a term that is over, or for later.
    #[error("what was quoted at {0} counts for an hour of its term; ask what it costs now")]
    Late(Timestamp),
    /// Something else is called that.
    #[error("something else was told as {0}")]
    Conflict(Ref),
    /// It is paid in another currency.
    #[error("{0} is not in {1}, in which the subscription is paid")]
    Currency(Money, Currency),
    /// The bill it would be in is paid.
    #[error(
        "the bill of term {0} is paid, in which that would be; tell it with the time at which it is known"
    )]
    Billed(u32),
    /// The amounts.
    #[error(transparent)]
    Amount(#[from] AmountError),
}

impl Quote {
    /// Whether something else is had at once.
    pub fn is_at_once(&self) -> bool {
        matches!(self.wish, Wish::Have(_)) && self.from == self.at
    }
}

impl Subscription {
    /// What a change at this time would be, and cost. Nothing is changed.
    ///
    /// # Errors
    /// [`NoChange`]
    pub fn quote(&self, wish: &Wish, now: Timestamp) -> Result<Quote, NoChange> {
        let now = whole(now).max(self.begun);
        let turns = Turns::until(self, now)?;
        if turns.over(now).is_some() {
            return Err(NoChange::Over);
        }
        let turn = turns.last();
        let (planned, had) = (turn.planned(now), turn.deal(now));
        let is_so = match (&planned, wish) {
            (Some(Wish::Stay) | None, Wish::Stay) => true,
            (Some(Wish::Stay) | None, Wish::Have(deal)) => deal == had,
            (planned, wish) => planned.as_ref() == Some(wish),
        };
        if is_so {
            return Err(NoChange::Same);
        }
        let is_unpaid = turn.number > 0 && !turn.is_paid(now);
        let (from, lines) = match wish {
            Wish::Stop if is_unpaid => (now, Vec::new()),
            _ if is_unpaid => return Err(NoChange::Unpaid),
            Wish::Stop | Wish::Stay => (turn.period.until(), Vec::new()),
            Wish::Have(deal) => {
                self.may_be(deal)?;
                match at_once(had, deal, now, turn.period) {
                    // Nothing was paid for the time in which it is tried.
                    _ if turn.number == 0 => (now, Vec::new()),
                    Some(lines) => (now, lines),
                    None => (turn.period.until(), Vec::new()),
                }
            }
        };
        let charge = total(self.currency(), &lines)?;
        let (term, version) = (turn.number, self.version());
        Ok(Quote { wish: wish.clone(), at: now, from, charge, lines, term, version })
    }

    /// Does what was quoted, when what it costs was paid. The same once more changes nothing.
    ///
    /// # Errors
    /// [`NoChange`]: nothing is changed then, and what was paid for it is to be given back.
    pub fn accept(
        &mut self,
        called: Ref,
        quote: &Quote,
        now: Timestamp,
    ) -> Result<Accepted, NoChange> {
        let fact = Fact::Changed(quote.clone());
        if self.facts.contains_key(&called) {
            return self.told(called, fact);
        }
        if quote.version != self.version() {
            return Err(NoChange::Stale);
        }
        let (age, turns) = (whole(now).duration_since(quote.at), Turns::until(self, now)?);
        if turns.over(now).is_some() {
            return Err(NoChange::Over);
        }
        let is_late = age.is_negative() || age > QUOTED_FOR || turns.last().number != quote.term;
        if is_late {
            return Err(NoChange::Late(quote.at));
        }
        self.told(called, fact)
    }

    /// Counts what was changed.
    fn version(&self) -> u32 {
        let changes = self.facts.values().filter(|fact| matches!(fact, Fact::Changed(_))).count();
        u32::try_from(changes).unwrap_or(u32::MAX)
    }

    fn may_be(&self, deal: &Deal) -> Result<(), NoChange> {
        if deal.price.currency() != self.currency() {
            return Err(NoChange::Currency(deal.price, self.currency()));
        }
        match (&self.deal.item, &deal.item) {
            (Item::Tier(_), Item::Tier(_)) => Ok(()),
            (one, other) if one == other => Ok(()),
            _ => Err(NoChange::Item),
        }
    }
}

/// What it costs to have another deal at once; nothing is said where it waits until the term is over.
fn at_once(had: &Deal, deal: &Deal, now: Timestamp, term: Period) -> Option<Vec<Line>> {
    let old = rest(had.price, now, term);
    // Terms of another length begin anew.
    let new = if had.every == deal.every { rest(deal.price, now, term) } else { deal.price };
    if deal.yearly() < had.yearly() || new.amount() < old.amount() {
        return None;
    }
    let old = Money::new(-old.amount(), old.currency());
    let lines = [
        Line::new(format!("{}, what is left of it", had.name), old),
        Line::new(format!("{}, from now on", deal.name), new),
    ];
    Some(lines.into_iter().filter(|line| line.price.amount() != 0).collect())
}
