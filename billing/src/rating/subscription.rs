//! What an organization has by the month: a plan and extras, paid in advance.
//!
//! What costs more a month, or as much, is had at once, and what is left of the month is paid for, to the
//! second. What costs less is had when the month that was paid for is over: nothing has to be given back, and
//! nothing stops that was paid for. A change is quoted first; what was quoted is what is billed, once.

use std::collections::BTreeMap;

use blueprint::money::Currency;
use blueprint::plan::PlanName;
use jiff::{SignedDuration, Timestamp};

use super::contract::Agreement;
use super::dated::Dated;
use super::invoice::Ref;
use super::line::{Line, Reason, prorated};
use super::prices::{NoPrice, Sku};
use super::time::{Month, Period};
use crate::amount::{Amount, AmountError};

/// A plan, and so many of each extra.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Items {
    plan: PlanName,
    extras: BTreeMap<Sku, u32>,
}

/// What an organization has, was billed for, and will have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    items: Items,
    /// What all there is of each was billed for, for a whole month.
    held: BTreeMap<Sku, Amount>,
    next: Next,
    /// The last month that began, billed or paused.
    billed: Month,
    is_paused: bool,
    currency: Currency,
    /// Which plan there was when; none before it began and after it ended.
    plans: Dated<Option<PlanName>>,
    /// Counts what was changed.
    version: u64,
    changes: BTreeMap<Ref, Quote>,
}

/// What a month begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Next {
    /// With what there is.
    Same,
    /// With this.
    Items(Items),
    /// With nothing.
    End,
    /// It is over.
    Ended,
}

/// What somebody wants to have from some time on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// This, and nothing else.
    Have(Items),
    /// Nothing any more.
    End,
}

/// What a change would be, and cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    version: u64,
    wish: Wish,
    at: Timestamp,
    from: Timestamp,
    line: Option<Line>,
    monthly: Amount,
    held: BTreeMap<Sku, Amount>,
}

/// How an accepted quote was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It counts from now on, and its line is to be billed.
    New,
    /// It was accepted before; nothing more is billed.
    Again,
}

/// Why something cannot be had, or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoChange {
    /// A price.
    #[error(transparent)]
    Price(#[from] NoPrice),
    /// The amounts.
    #[error(transparent)]
    Amount(#[from] AmountError),
    /// It is not had by the month.
    #[error("{0} is not sold by the month")]
    NotMonthly(Sku),
    /// That is how it is.
    #[error("that is what there is already")]
    Same,
    /// Nothing is changed any more.
    #[error("the subscription is over")]
    Over,
    /// Platforms are stopped.
    #[error("platforms are stopped; nothing is changed until what is overdue is paid")]
    Paused,
    /// Something else was changed since it was quoted.
    #[error("something was changed since; ask what it costs now")]
    Stale,
    /// It was quoted too long ago, or in a month that is over, or for later.
    #[error("what was quoted at {0} counts for {QUOTED_FOR:#} of its month; ask what it costs now")]
    Late(Timestamp),
    /// Another change is called that.
    #[error("another change is called {0}")]
    Conflict(Ref),
    /// A month was left out, or is to be billed before it is known what is had.
    #[error("{asked} cannot be billed: the next month is {next}")]
    Month {
        /// To be billed.
        asked: Month,
        /// What is billed next.
        next: Month,
    },
}

/// For so long what was quoted can be accepted.
pub const QUOTED_FOR: SignedDuration = SignedDuration::from_mins(30);

impl Items {
    /// A plan alone.
    pub const fn of(plan: PlanName) -> Self {
        Self { plan, extras: BTreeMap::new() }
    }

    /// And so many of this.
    ///
    /// # Errors
    /// [`NoChange::NotMonthly`], [`NoPrice::NotYet`]
    pub fn with(mut self, extra: Sku, count: u32) -> Result<Self, NoChange> {
        if !extra.is_by_the_month() || matches!(extra, Sku::Plan(_)) {
            return Err(NoChange::NotMonthly(extra));
        }
        if !extra.is_available() {
            return Err(NoPrice::NotYet(extra).into());
        }
        match count {
            0 => self.extras.remove(&extra),
            count => self.extras.insert(extra, count),
        };
        Ok(self)
    }

    /// The plan.
    pub const fn plan(&self) -> PlanName {
        self.plan
    }

    /// All there is, and how many of it.
    pub fn each(&self) -> impl Iterator<Item = (Sku, u32)> {
        let plan = std::iter::once((Sku::Plan(self.plan), 1));
        plan.chain(self.extras.iter().map(|(extra, count)| (*extra, *count)))
    }

    fn count(&self, sku: Sku) -> u32 {
        self.each().find(|(known, _)| *known == sku).map_or(0, |(_, count)| count)
    }
}

impl Subscription {
    /// What is had from now on, and what the rest of this month costs.
    ///
    /// # Errors
    /// [`NoChange`]
    pub fn begin(
        agreement: &Agreement,
        items: Items,
        at: Timestamp,
    ) -> Result<(Self, Vec<Line>), NoChange> {
        let (month, mut plans) = (Month::of(at), Dated::new(None));
        let at = month.rest(at).from();
        // Nothing is there yet that could count from then on.
        let _ = plans.set(at, Some(items.plan));
        let mut begun = Self {
            held: BTreeMap::new(),
            next: Next::Same,
            billed: month,
            is_paused: false,
            currency: agreement.currency(),
            plans,
            version: 0,
            changes: BTreeMap::new(),
            items,
        };
        let lines = begun.hold(agreement, month, month.rest(at))?;
        Ok((begun, lines))
    }

    /// What there is, while there is something.
    pub fn items(&self) -> Option<&Items> {
        Some(&self.items).filter(|_| self.next != Next::Ended)
    }

    /// Which plan there was when.
    pub const fn plans(&self) -> &Dated<Option<PlanName>> {
        &self.plans
    }

    /// Counts what was changed: who accepts a quote locks by this.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Bills a month in advance, with what there is to be in it. Nothing where that was done before; no lines
    /// where nothing is had any more.
    ///
    /// # Errors
    /// [`NoChange`]; nothing is billed then.
    pub fn renew(
        &mut self,
        agreement: &Agreement,
        month: Month,
    ) -> Result<Option<Vec<Line>>, NoChange> {
        let Some(mut turned) = self.turned(month)? else { return Ok(None) };
        let is_had = turned.next != Next::Ended;
        let lines =
            if is_had { turned.hold(agreement, month, month.period())? } else { Vec::new() };
        turned.note_plan(month.begins(), is_had)?;
        *self = turned;
        Ok(Some(lines))
    }

    /// Lets a month begin in which platforms are stopped: nothing is had, and nothing billed, until
    /// [`Self::resume`] or the next month that is renewed. Whether there was such a month to begin.
    ///
    /// # Errors
    /// [`NoChange::Month`]
    pub fn pause(&mut self, month: Month) -> Result<bool, NoChange> {
        let Some(mut turned) = self.turned(month)? else { return Ok(false) };
        turned.is_paused = turned.next != Next::Ended;
        turned.note_plan(month.begins(), false)?;
        *self = turned;
        Ok(true)
    }

    /// Has everything again from now on, in a month that began without it, and bills the rest of that month.
    /// Nothing where it was not paused, or was ended since.
    ///
    /// # Errors
    /// [`NoChange`]; nothing is changed then.
    pub fn resume(
        &mut self,
        agreement: &Agreement,
        at: Timestamp,
    ) -> Result<Option<Vec<Line>>, NoChange> {
        if !self.is_paused || self.next == Next::End {
            return Ok(None);
        }
        let rest = self.billed_month(at)?.rest(at);
        let mut resumed = Self { version: self.version + 1, ..self.clone() };
        let lines = resumed.hold(agreement, self.billed, rest)?;
        resumed.note_plan(rest.from(), true)?;
        *self = resumed;
        Ok(Some(lines))
    }

    /// What it is once this month began, before anything is held in it; nothing where it began before.
    fn turned(&self, month: Month) -> Result<Option<Self>, NoChange> {
        let next = self.billed.later(1);
        if month <= self.billed {
            return Ok(None);
        }
        if month != next {
            return Err(NoChange::Month { asked: month, next });
        }
        let mut turned = Self {
            billed: month,
            version: self.version + 1,
            held: BTreeMap::new(),
            is_paused: false,
            ..self.clone()
        };
        match std::mem::replace(&mut turned.next, Next::Same) {
            Next::Same => {}
            Next::Items(items) => turned.items = items,
            Next::End | Next::Ended => turned.next = Next::Ended,
        }
        Ok(Some(turned))
    }

    /// Notes which plan there is from then on, if there is one.
    fn note_plan(&mut self, from: Timestamp, is_had: bool) -> Result<(), NoChange> {
        let plan = Some(self.items.plan).filter(|_| is_had);
        if *self.plans.at(from) == plan {
            return Ok(());
        }
        // Two changes within one second: the one that was there first counts.
        self.plans.set(from, plan).map_err(|_| NoChange::Stale)
    }

    fn billed_month(&self, at: Timestamp) -> Result<Month, NoChange> {
        match Month::of(at) {
            month if month == self.billed => Ok(month),
            asked => Err(NoChange::Month { asked, next: self.billed.later(1) }),
        }
    }

    /// What a change at this time would be, and cost. Nothing is changed.
    ///
    /// # Errors
    /// [`NoChange`]
    pub fn quote(
        &self,
        agreement: &Agreement,
        wish: &Wish,
        at: Timestamp,
    ) -> Result<Quote, NoChange> {
        if self.next == Next::Ended {
            return Err(NoChange::Over);
        }
        // Who is stopped can leave.
        if self.is_paused && *wish != Wish::End {
            return Err(NoChange::Paused);
        }
        let month = self.billed_month(at)?;
        let at = month.rest(at).from();
        let next_month = month.later(1).begins();
        let quote = |from, line, monthly, held| Quote {
            version: self.version,
            wish: wish.clone(),
            at,
            from,
            line,
            monthly,
            held,
        };
        let items = match wish {
            Wish::End if self.next == Next::End => return Err(NoChange::Same),
            Wish::End => {
                let nothing = Amount::zero(self.currency);
                return Ok(quote(next_month, None, nothing, self.held.clone()));
            }
            Wish::Have(items) => items,
        };
        let is_next = matches!(&self.next, Next::Items(next) if next == items);
        if is_next || (self.next == Next::Same && self.items == *items) {
            return Err(NoChange::Same);
        }
        let wished = self.with(agreement, items, at)?;
        let sum = |held: &BTreeMap<_, _>| Amount::sum(self.currency, held.values().copied());
        let (now, then) = (sum(&self.held)?, sum(&wished)?);
        if then.micros() < now.micros() {
            return Ok(quote(next_month, None, then, self.held.clone()));
        }
        let line = self.difference(&wished, items, month.rest(at))?;
        Ok(quote(at, line, then, wished))
    }

    /// Does what was quoted. The same once more changes nothing.
    ///
    /// # Errors
    /// [`NoChange`]; nothing is changed then.
    pub fn accept(
        &mut self,
        called: Ref,
        quote: &Quote,
        now: Timestamp,
    ) -> Result<Accepted, NoChange> {
        if let Some(known) = self.changes.get(&called) {
            return if known == quote {
                Ok(Accepted::Again)
            } else {
                Err(NoChange::Conflict(called))
            };
        }
        if quote.version != self.version {
            return Err(NoChange::Stale);
        }
        let age = now.duration_since(quote.at);
        if age.is_negative() || age > QUOTED_FOR || Month::of(now) != Month::of(quote.at) {
            return Err(NoChange::Late(quote.at));
        }
        let mut changed = Self { version: self.version + 1, ..self.clone() };
        changed.next = match &quote.wish {
            Wish::End => Next::End,
            Wish::Have(items) if quote.from > quote.at => Next::Items(items.clone()),
            Wish::Have(items) => {
                (changed.items, changed.held) = (items.clone(), quote.held.clone());
                changed.note_plan(quote.at, true)?;
                Next::Same
            }
        };
        changed.changes.insert(called, quote.clone());
        *self = changed;
        Ok(Accepted::New)
    }

    /// What each would be held at: what is there keeps what it was billed at, what comes costs what it does now.
    fn with(
        &self,
        agreement: &Agreement,
        items: &Items,
        at: Timestamp,
    ) -> Result<BTreeMap<Sku, Amount>, NoChange> {
        let mut wished = BTreeMap::new();
        for (sku, count) in items.each() {
            let had = self.items.count(sku);
            let held = self.held.get(&sku).copied().unwrap_or(Amount::zero(self.currency));
            let amount = if count > had {
                held.plus(agreement.price(sku, at)?.times(count - had)?)?
            } else {
                held.at_rate(u128::from(count), u128::from(had))?
            };
            wished.insert(sku, amount);
        }
        Ok(wished)
    }

    /// What the rest of the month costs more.
    fn difference(
        &self,
        wished: &BTreeMap<Sku, Amount>,
        items: &Items,
        rest: Period,
    ) -> Result<Option<Line>, AmountError> {
        let month = Month::of(rest.from()).period();
        let nothing = Amount::zero(self.currency);
        let mut why = vec![Reason::new("", nothing)];
        let all = self.held.keys().chain(wished.keys().filter(|sku| !self.held.contains_key(sku)));
        for sku in all {
            let of = |held: &BTreeMap<Sku, Amount>| held.get(sku).copied().unwrap_or(nothing);
            let (before, after) = (of(&self.held), of(wished));
            if before == after {
                continue;
            }
            let unused = prorated(before, rest, month)?.negated()?;
            why.push(Reason::new(format!("{sku} at {before}, what is left of it"), unused));
            let used = prorated(after, rest, month)?;
            why.push(Reason::new(format!("{sku} at {after}, for what is left"), used));
        }
        let plan = items.plan;
        let what = if plan == self.items.plan {
            format!("change of what there is beside plan {plan}")
        } else {
            format!("change to plan {plan}")
        };
        let line = Line::of(Sku::Plan(plan), what, rest, why)?;
        // Parts of a millionth may be missing where it costs as much.
        Ok(Some(line).filter(|line| line.amount().is_positive()))
    }

    /// Has its items for the month, and is billed for this part of it.
    fn hold(
        &mut self,
        agreement: &Agreement,
        month: Month,
        part: Period,
    ) -> Result<Vec<Line>, NoChange> {
        let (mut held, mut lines) = (BTreeMap::new(), Vec::new());
        for (sku, count) in self.items.each() {
            let price = agreement.price(sku, part.from())?;
            let amount = price.times(count)?;
            let billed = prorated(amount, part, month.period())?;
            let why = vec![Reason::new(format!("{count} at {price} a month"), billed)];
            lines.push(Line::of(sku, sku.to_string(), part, why)?);
            held.insert(sku, amount);
        }
        (self.held, self.is_paused) = (held, false);
        Ok(lines)
    }
}

impl Quote {
    /// When it was reckoned: the moment up to which what there was is billed.
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// From when on it is had.
    pub const fn from(&self) -> Timestamp {
        self.from
    }

    /// What is billed at once; nothing where it is had from the next month on.
    pub const fn line(&self) -> Option<&Line> {
        self.line.as_ref()
    }

    /// What a whole month costs from then on, by the prices of today.
    pub const fn monthly(&self) -> Amount {
        self.monthly
    }
}

#[cfg(test)]
mod tests;
