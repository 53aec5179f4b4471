//! AI use, by windows: one journal for each platform, model and hour, which says of which answers it is.
//!
//! What comes after the journal of its hour was made is in another of the same hour, with the next number. A
//! journal says how many answers it is of and what their ids and costs come to in 128 bits, so that the rows
//! of what was used can be held against it for ever.

use std::collections::BTreeMap;

use blueprint::Slug;
use blueprint::name::BlueprintName;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::line::{Line, Reason};
use super::markup::{Meter, Tiers};
use super::prices::Sku;
use super::time::{Month, Period};
use crate::amount::{Amount, AmountError};
use crate::ledger::{Account, Book, Entry, EventKey, Journal, NoJournal, Party};

/// What one answer cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// Its name for ever.
    pub id: Uuid,
    /// When it was.
    pub at: Timestamp,
    /// What it cost, without markup.
    pub cost: Amount,
}

/// An hour's use of a model by a platform, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// Which platform.
    pub tenant: BlueprintName,
    /// What was used: the model.
    pub model: String,
    hour: Timestamp,
    number: u32,
}

/// A window that was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metered {
    /// Which.
    pub window: Window,
    /// Of how many answers.
    pub answers: usize,
    /// What they cost.
    pub cost: Amount,
    /// What comes on top.
    pub markup: Amount,
    /// What that moves; nothing where it cost nothing.
    pub journal: Option<Journal>,
}

/// Why use cannot be counted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoUse {
    /// One answer was told twice, differently.
    #[error("{0} was told twice and says two things")]
    Conflict(Uuid),
    /// It is not of that hour.
    #[error("{id} was at {at}, which is not in the hour from {hour}")]
    OtherHour {
        /// Which.
        id: Uuid,
        /// When it was.
        at: Timestamp,
        /// What was counted.
        hour: Timestamp,
    },
    /// It cost less than nothing.
    #[error("{0} cost less than nothing")]
    BelowZero(Uuid),
    /// The amounts.
    #[error(transparent)]
    Amount(#[from] AmountError),
    /// What moves.
    #[error(transparent)]
    Journal(#[from] NoJournal),
}

impl Window {
    /// The hour in which `at` is; the first journal of it has number 0.
    pub fn of(tenant: BlueprintName, model: impl Into<String>, at: Timestamp, number: u32) -> Self {
        let into = at.as_second().rem_euclid(SignedDuration::from_hours(1).as_secs());
        let hour = Timestamp::from_second(at.as_second() - into).unwrap_or(at);
        Self { tenant, model: model.into(), hour, number }
    }

    /// What its journal is called.
    pub fn key(&self) -> EventKey {
        let Self { tenant, model, hour, number } = self;
        let hour = hour.strftime("%Y-%m-%dT%H");
        EventKey::new(tenant.as_str(), "usage", format!("ai/{hour}/{number}/{model}"))
    }

    /// The month whose volume it is part of.
    pub fn month(&self) -> Month {
        Month::of(self.hour)
    }

    /// Its hour.
    pub fn period(&self) -> Period {
        Period::new(self.hour, self.hour + SignedDuration::from_hours(1))
    }

    /// Counts what was used in it, each answer once, on the meter of its month, and says what that moves.
    /// The journal is at the hour's beginning, so that it is the same whenever it is made.
    ///
    /// # Errors
    /// [`NoUse`]; nothing is counted then.
    pub fn count(
        self,
        payer: &Slug,
        uses: &[Use],
        meter: &mut Meter,
        tiers: &Tiers,
    ) -> Result<Metered, NoUse> {
        let mut each: BTreeMap<Uuid, Use> = BTreeMap::new();
        for told in uses {
            if !self.period().has(told.at) {
                return Err(NoUse::OtherHour { id: told.id, at: told.at, hour: self.hour });
            }
            if told.cost.micros() < 0 {
                return Err(NoUse::BelowZero(told.id));
            }
            if each.insert(told.id, *told).is_some_and(|before| before != *told) {
                return Err(NoUse::Conflict(told.id));
            }
        }
        let cost = Amount::sum(meter.currency(), each.values().map(|told| told.cost))?;
        let mut counted = *meter;
        let markup = counted.count(cost, tiers)?;
        let what = format!("ai use of {} answers {}", each.len(), fingerprint(each.values()));
        let unbilled = Account::new(Party::Organization(payer.clone()), Book::Unbilled);
        let revenue = Account::new(Party::Factory, Book::Revenue);
        let mut entries = Vec::new();
        for part in [cost, markup] {
            entries.push(Entry::new(unbilled.clone(), part));
            entries.push(Entry::new(revenue.clone(), part.negated()?));
        }
        entries.retain(|entry| !entry.amount.is_zero());
        let journal = if entries.is_empty() {
            None
        } else {
            Some(Journal::new(self.key(), what, self.hour, entries)?)
        };
        *meter = counted;
        Ok(Metered { window: self, answers: each.len(), cost, markup, journal })
    }
}

/// What all windows of a month come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// Of how many answers.
    pub answers: u64,
    /// In how many windows.
    pub windows: u64,
    /// What they cost.
    pub cost: Amount,
    /// What comes on top.
    pub markup: Amount,
}

impl Used {
    /// A platform's use as a line of an invoice.
    ///
    /// # Errors
    /// [`AmountError`]
    pub fn line(self, tenant: &BlueprintName, month: Month) -> Result<Line, AmountError> {
        let why = vec![
            Reason::new(format!("{} answers in {} windows", self.answers, self.windows), self.cost),
            Reason::new("markup", self.markup),
        ];
        Line::of(Sku::Ai, format!("ai use of {tenant}"), month.period(), why)
    }
}

/// A platform's use as a line of an invoice: all of these windows, which are of one month.
///
/// # Errors
/// [`AmountError`], also where there are none.
pub fn line(
    tenant: &BlueprintName,
    month: Month,
    windows: &[Metered],
) -> Result<Line, AmountError> {
    let sum = |of: fn(&Metered) -> Amount| {
        let currency = windows.first().ok_or(AmountError::Overflow)?.cost.currency();
        Amount::sum(currency, windows.iter().map(of))
    };
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let used = Used {
        answers: count(windows.iter().map(|window| window.answers).sum()),
        windows: count(windows.len()),
        cost: sum(|it| it.cost)?,
        markup: sum(|it| it.markup)?,
    };
    used.line(tenant, month)
}

/// Of ids and costs, in the order of ids.
fn fingerprint<'a>(uses: impl Iterator<Item = &'a Use>) -> String {
    let mut hasher = Sha256::new();
    for told in uses {
        hasher.update(told.id.as_bytes());
        hasher.update(told.cost.micros().to_be_bytes());
    }
    hex::encode(&hasher.finalize()[..16])
}

#[cfg(test)]
mod tests {
    use blueprint::money::Currency;
    use blueprint::plan::PlanName;

    use super::*;

    const HOUR: &str = "2028-02-29T23:00:00Z";

    fn answer(id: u128, seconds: i64, cost: i64) -> Use {
        let at = HOUR.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds);
        Use { id: Uuid::from_u128(id), at, cost: Amount::new(cost, Currency::USD) }
    }

    fn window(number: u32) -> Window {
        let at = answer(0, 1_234, 0).at;
        Window::of("harbour".parse().unwrap(), "smol", at, number)
    }

    fn count(window: Window, uses: &[Use], meter: &mut Meter) -> Result<Metered, NoUse> {
        let tiers = Tiers::by_volume(PlanName::Starter, Currency::USD);
        window.count(&"acme".parse().unwrap(), uses, meter, &tiers)
    }

    #[test]
    fn an_hours_answers_are_one_journal_of_what_they_cost_and_what_comes_on_top() {
        let mut meter = Meter::new(Currency::USD);
        let uses = [answer(2, 10, 300), answer(1, 0, 700), answer(2, 10, 300)];
        let counted = count(window(0), &uses, &mut meter).unwrap();
        assert_eq!(
            (counted.answers, counted.cost.micros(), counted.markup.micros()),
            (2, 1_000, 400)
        );
        let journal = counted.journal.unwrap();
        let key = EventKey::new("harbour", "usage", "ai/2028-02-29T23/0/smol");
        assert_eq!((journal.key(), journal.at()), (&key, HOUR.parse().unwrap()));
        let entries: Vec<_> = journal
            .entries()
            .iter()
            .map(|entry| (entry.account.to_string(), entry.amount.micros()))
            .collect();
        let (unbilled, revenue) = ("organization:acme/unbilled", "factory/revenue");
        let expected = [(unbilled, 1_000), (revenue, -1_000), (unbilled, 400), (revenue, -400)];
        assert_eq!(entries, expected.map(|(account, micros)| (account.to_owned(), micros)));
        assert_eq!(meter.cost(), 1_000);
    }

    #[test]
    fn the_same_answers_in_any_order_are_the_same_journal_and_others_are_not() {
        let journal = |uses: &[Use]| {
            let counted = count(window(0), uses, &mut Meter::new(Currency::USD)).unwrap();
            counted.journal.unwrap()
        };
        let (first, second) = (answer(1, 0, 700), answer(2, 10, 300));
        assert_eq!(journal(&[first, second]), journal(&[second, first]));
        // As many answers that cost as much in all.
        let others = journal(&[answer(1, 0, 300), answer(2, 10, 700)]);
        assert_ne!(others.content(), journal(&[first, second]).content());
    }

    #[test]
    fn what_comes_late_is_another_window_of_its_hour() {
        let mut meter = Meter::new(Currency::USD);
        count(window(0), &[answer(1, 0, 3)], &mut meter).unwrap();
        let late = count(window(1), &[answer(2, 3_599, 2)], &mut meter).unwrap();
        assert_eq!(late.window.month().to_string(), "2028-02");
        assert_eq!(late.markup.micros(), 0, "the first was rounded up for both");
        assert_ne!(window(0).key(), window(1).key());
        let windows = [late.clone(), late];
        let line = line(&"harbour".parse().unwrap(), window(0).month(), &windows).unwrap();
        assert_eq!(
            (line.amount().micros(), line.why()[0].what.as_str()),
            (4, "2 answers in 2 windows")
        );
    }

    #[test]
    fn what_cannot_be_counted_counts_nothing() {
        let mut meter = Meter::new(Currency::USD);
        let mut refused = |uses: &[Use]| count(window(0), uses, &mut meter).unwrap_err();
        let (id, one) = (Uuid::from_u128(1), answer(1, 0, 5));
        assert_eq!(refused(&[one, answer(1, 0, 6)]), NoUse::Conflict(id));
        assert_eq!(refused(&[answer(1, 0, -1)]), NoUse::BelowZero(id));
        for second in [-1, 3_600] {
            let other = answer(1, second, 5);
            let hour = HOUR.parse().unwrap();
            assert_eq!(refused(&[one, other]), NoUse::OtherHour { id, at: other.at, hour });
        }
        let yen = Use { cost: Amount::new(1, "JPY".parse().unwrap()), ..one };
        assert!(matches!(refused(&[yen]), NoUse::Amount(AmountError::Mixed(..))));
        assert_eq!(meter, Meter::new(Currency::USD));
        let free = count(window(0), &[answer(1, 0, 0)], &mut meter).unwrap();
        assert_eq!((free.journal, free.answers), (None, 1));
    }
}
