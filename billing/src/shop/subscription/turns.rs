//! The terms of a subscription, one after the other, as what was told makes them.

use std::collections::BTreeSet;

use blueprint::money::Money;
use jiff::{SignedDuration, Timestamp};

use super::{Deal, Fact, GRACE, Quote, SETTLING, Subscription, Why, Wish};
use crate::amount::AmountError;
use crate::rating::invoice::Ref;
use crate::rating::time::Period;
use crate::shop::bill::{Bill, Line, total};
use crate::shop::term::term;

/// All terms from the first to the one at some time, or to the end.
pub(super) struct Turns<'a> {
    told: &'a Subscription,
    all: Vec<Turn<'a>>,
    /// When it is over, and why; it may be later than that time.
    pub(super) end: Option<(Timestamp, Why)>,
    /// What was used and would be in the bill after the last one.
    left: Vec<Line>,
}

/// One of them.
pub(super) struct Turn<'a> {
    /// 0 is the trial.
    pub(super) number: u32,
    /// As it was, or would be.
    pub(super) period: Period,
    /// What it began with.
    begins_with: Deal,
    /// What is to be paid for it, and since when it is.
    bill: Bill,
    paid: Option<Timestamp>,
    /// The first that was told of a payment that failed.
    failed: Option<Timestamp>,
    /// The first of all that is paid for, with no trial before it: it is not had before it is paid.
    is_first: bool,
    /// It began by a change, which was paid when it was accepted.
    is_by_change: bool,
    /// What was accepted in it, the first first.
    changes: Vec<&'a Quote>,
}

/// Where the next term begins.
struct Begins<'a> {
    number: u32,
    deal: Deal,
    /// Its terms are counted from here.
    first: Timestamp,
    index: u16,
    /// What was accepted and paid, where it began by that.
    by: Option<&'a Quote>,
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

impl<'a> Turns<'a> {
    pub(super) fn until(told: &'a Subscription, now: Timestamp) -> Result<Self, AmountError> {
        let mut turns = Self { told, all: Vec::new(), end: None, left: Vec::new() };
        let mut begins = Some(turns.trial());
        while let Some(next) = begins.take() {
            begins = turns.turn(next)?.filter(|next| next.begins() <= now);
        }
        Ok(turns)
    }

    /// There is always one.
    pub(super) fn last(&self) -> &Turn<'a> {
        &self.all[self.all.len() - 1]
    }

    pub(super) fn over(&self, now: Timestamp) -> Option<(Timestamp, Why)> {
        self.end.filter(|(at, _)| *at <= now)
    }

    /// What is to be paid now: for the last term, or what was used when it is over.
    pub(super) fn due(&self, now: Timestamp) -> Result<Option<Bill>, AmountError> {
        let last = self.last();
        let Some((at, _)) = self.over(now) else {
            let is_open = !last.is_paid(now) && last.number > 0;
            return Ok(Some(last.bill.clone()).filter(|_| is_open));
        };
        let bill = self.of_use(at)?;
        let is_paid = self.told.payment(bill.term).is_some_and(|paid| paid <= now);
        Ok(Some(bill).filter(|bill| bill.total.amount() > 0 && !is_paid))
    }

    /// What was used and not paid when it was over, also of a bill for a term that was not had.
    fn of_use(&self, at: Timestamp) -> Result<Bill, AmountError> {
        let last = self.last();
        let unpaid = last.bill.lines.iter().skip(1).filter(|_| last.paid.is_none());
        let lines: Vec<_> = unpaid.chain(&self.left).cloned().collect();
        let total = total(self.told.currency(), &lines)?;
        Ok(Bill { term: last.number + 1, due: at, period: Period::new(at, at), lines, total })
    }

    /// What was paid for a term that never was, twice for one, or after it was over.
    pub(super) fn too_late(&self, now: Timestamp) -> Result<Vec<Ref>, AmountError> {
        let of_use = match self.over(now) {
            Some((at, _)) => Some(self.of_use(at)?).filter(|bill| bill.total.amount() > 0),
            None => None,
        };
        let counts = |number: u32, at: Timestamp| {
            let turn = self.all.iter().find(|turn| turn.number == number);
            match (turn, self.over(now)) {
                (Some(turn), _) => turn.paid == Some(at) && turn.bill.total.amount() > 0,
                // In advance.
                (None, None) => true,
                (None, Some(_)) => of_use.as_ref().is_some_and(|bill| bill.term == number),
            }
        };
        let (mut seen, mut late) = (BTreeSet::new(), Vec::new());
        for (_, called, fact) in self.told.told_in(Period::new(Timestamp::MIN, Timestamp::MAX)) {
            let Fact::Paid { term, at, .. } = fact else { continue };
            if *at <= now && !(counts(*term, *at) && seen.insert(*term)) {
                late.push(called.clone());
            }
        }
        Ok(late)
    }

    /// The number of the bill, if it is told to be paid, that what is used at this time would be in.
    pub(super) fn billed(&self, at: Timestamp) -> Option<u32> {
        let bills = self.all.iter().filter(|turn| turn.period.from() > at && !turn.is_by_change);
        let bill = bills.map(|turn| turn.number).next()?;
        self.told.payment(bill).map(|_| bill)
    }

    fn trial(&self) -> Begins<'a> {
        let (deal, first) = (self.told.deal.clone(), self.told.begun);
        let number = u32::from(deal.trial_days == 0);
        Begins { number, deal, first, index: 0, by: None }
    }

    /// Has another term, and says what follows it.
    fn turn(&mut self, begins: Begins<'a>) -> Result<Option<Begins<'a>>, AmountError> {
        let period = begins.period();
        let told = self.told.told_in(period);
        let bill = self.bill(&begins, period)?;
        // What was used before a change is in the bill after it.
        let before = if begins.by.is_some() { std::mem::take(&mut self.left) } else { Vec::new() };
        let number = begins.number;
        let is_first = begins.by.is_none() && number == 1 && self.all.is_empty();
        let deadline = later(period.from(), if is_first { SETTLING } else { GRACE });
        let paid = match begins.by {
            _ if bill.total.amount() == 0 => Some(period.from()),
            Some(quote) => Some(quote.at),
            None => self.told.payment(number).filter(|paid| *paid <= deadline),
        };
        let failed = self.told.failure(number);
        let mut turn = Turn {
            number,
            period,
            begins_with: begins.deal.clone(),
            bill,
            paid,
            failed,
            is_first,
            is_by_change: begins.by.is_some(),
            changes: Vec::new(),
        };
        let counts = |quote: &Quote| begins.by.is_none_or(|by| by.version < quote.version);
        let mut refunded = 0_i128;
        let mut cut = None;
        for (at, _, fact) in told {
            if turn.paid.is_none() && at >= deadline {
                break;
            }
            match fact {
                Fact::Changed(quote) if !counts(quote) => {}
                Fact::Changed(quote) if turn.cuts(quote) => {
                    turn.period = Period::new(period.from(), at);
                    cut = Some(quote);
                }
                Fact::Changed(quote) => {
                    turn.changes.push(quote);
                    // What was not paid for ends at once.
                    if quote.wish == Wish::Stop && turn.paid.is_none_or(|paid| paid > at) {
                        (self.end, turn.paid) = (Some((at, Why::Cancelled)), None);
                    }
                }
                Fact::Ended { at } => self.end = Some((*at, Why::Ended)),
                Fact::Refunded { term, amount, at } if *term == number => {
                    refunded += i128::from(amount.amount());
                    if refunded >= i128::from(turn.cost(*at)) {
                        self.end = Some((*at, Why::Refunded));
                    }
                }
                _ => {}
            }
            if cut.is_some() || self.end.is_some() {
                break;
            }
        }
        if turn.paid.is_none() && self.end.is_none() && deadline < turn.period.until() {
            self.end = Some((deadline, Why::Unpaid));
        }
        let until = self.end.map_or(turn.period.until(), |(at, _)| at);
        self.left = self.used(&turn, Period::new(period.from(), until))?;
        self.left.splice(..0, before);
        let follows = match cut {
            Some(quote) => Some(begins.by(quote)),
            None => self.follows(&turn, begins),
        };
        self.all.push(turn);
        Ok(follows.filter(|_| self.end.is_none()))
    }

    /// What follows a term that was not cut.
    fn follows(&mut self, turn: &Turn<'_>, begins: Begins<'a>) -> Option<Begins<'a>> {
        let until = turn.period.until();
        let had = turn.deal(Timestamp::MAX).clone();
        match turn.planned(Timestamp::MAX) {
            Some(Wish::Stop) => {
                self.end = self.end.or(Some((until, Why::Cancelled)));
                None
            }
            Some(Wish::Have(deal)) => Some(begins.then(deal, until)),
            Some(Wish::Stay) | None => Some(begins.then(had, until)),
        }
    }

    fn bill(&self, begins: &Begins<'a>, period: Period) -> Result<Bill, AmountError> {
        let (deal, currency) = (&begins.deal, self.told.currency());
        let price = match begins.by {
            _ if begins.number == 0 => Money::new(0, currency),
            Some(quote) => quote.charge,
            None => deal.price,
        };
        let mut lines = vec![Line::new(format!("{}, {period}", deal.name), price)];
        lines.extend(self.left.iter().filter(|_| begins.by.is_none()).cloned());
        let total = total(currency, &lines)?;
        Ok(Bill { term: begins.number, due: period.from(), period, lines, total })
    }

    /// What was used in this stretch, at the prices that counted.
    fn used(&self, turn: &Turn<'_>, period: Period) -> Result<Vec<Line>, AmountError> {
        let mut each: Vec<(_, u64)> = Vec::new();
        for (at, _, fact) in self.told.told_in(period) {
            let (Fact::Used { units, .. }, Some(usage)) = (fact, turn.deal(at).usage) else {
                continue;
            };
            match each.iter_mut().find(|(known, _)| *known == usage) {
                Some((_, sum)) => *sum = sum.checked_add(*units).ok_or(AmountError::Overflow)?,
                None => each.push((usage, *units)),
            }
        }
        each.into_iter().map(|(usage, units)| Line::usage(usage, units)).collect()
    }
}

impl<'a> Begins<'a> {
    fn begins(&self) -> Timestamp {
        self.period().from()
    }

    fn period(&self) -> Period {
        if self.number == 0 {
            let days = SignedDuration::from_hours(24 * i64::from(self.deal.trial_days));
            return Period::new(self.first, later(self.first, days));
        }
        term(self.first, self.deal.every, self.index)
    }

    /// The term after it. Another length of terms is counted anew.
    fn then(self, deal: Deal, until: Timestamp) -> Self {
        let goes_on = self.number > 0 && self.deal.every == deal.every;
        let (first, index) =
            if goes_on { (self.first, self.index.saturating_add(1)) } else { (until, 0) };
        Self { number: self.number + 1, deal, first, index, by: None }
    }

    fn by(self, quote: &'a Quote) -> Self {
        let deal = match &quote.wish {
            Wish::Have(deal) => deal.clone(),
            Wish::Stop | Wish::Stay => self.deal,
        };
        Self { number: self.number + 1, deal, first: quote.at, index: 0, by: Some(quote) }
    }
}

impl Turn<'_> {
    /// What is had at this time of it.
    pub(super) fn deal(&self, at: Timestamp) -> &Deal {
        let changed = self.changes.iter().rev().find_map(|quote| match &quote.wish {
            Wish::Have(deal) if quote.is_at_once() && quote.at <= at => Some(deal),
            _ => None,
        });
        changed.unwrap_or(&self.begins_with)
    }

    /// What is to be when it is over, as it was wished until this time. Who had something at once since wished for
    /// nothing else.
    pub(super) fn planned(&self, at: Timestamp) -> Option<Wish> {
        let last = self.changes.iter().rev().find(|quote| quote.at <= at)?;
        Some(last.wish.clone()).filter(|_| !last.is_at_once())
    }

    pub(super) fn is_paid(&self, now: Timestamp) -> bool {
        self.paid.is_some_and(|paid| paid <= now)
    }

    pub(super) const fn is_first(&self) -> bool {
        self.is_first
    }

    /// Whether a payment failed, or did not come in the time that one takes.
    pub(super) fn failed(&self, now: Timestamp) -> bool {
        let late = later(self.period.from(), SETTLING);
        self.failed.is_some_and(|failed| failed <= now) || late <= now
    }

    /// Until when it is to be paid.
    pub(super) fn deadline(&self) -> Timestamp {
        let wait = if self.is_first { SETTLING } else { GRACE };
        later(self.period.from(), wait)
    }

    /// What was paid for it until this time, changes too.
    fn cost(&self, at: Timestamp) -> i64 {
        let changes = self.changes.iter().filter(|quote| quote.at <= at);
        let changes = changes.map(|quote| quote.charge.amount()).sum::<i64>();
        self.bill.total.amount().saturating_add(changes).max(1)
    }

    /// Whether a change ends this term and begins another: terms of another length, that are had at once.
    fn cuts(&self, quote: &Quote) -> bool {
        match &quote.wish {
            Wish::Have(deal) => {
                quote.is_at_once()
                    && self.number > 0
                    && deal.every != self.deal(Timestamp::MAX).every
            }
            Wish::Stop | Wish::Stay => false,
        }
    }
}

impl Subscription {
    fn payment(&self, number: u32) -> Option<Timestamp> {
        let of = |fact: &Fact| match fact {
            Fact::Paid { term, at, .. } if *term == number => Some(*at),
            _ => None,
        };
        self.facts.values().filter_map(of).min()
    }

    fn failure(&self, number: u32) -> Option<Timestamp> {
        let of = |fact: &Fact| match fact {
            Fact::Failed { term, at } if *term == number => Some(*at),
            _ => None,
        };
        self.facts.values().filter_map(of).min()
    }
}
