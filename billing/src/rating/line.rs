//! What stands in an invoice: an amount in millionths, and everything it is the sum of.

use std::fmt;

use blueprint::name::BlueprintName;
use blueprint::plan::PlanName;
use jiff::Timestamp;

use super::contract::Agreement;
use super::dated::Dated;
use super::prices::{NoPrice, Sku};
use super::time::{Month, Period};
use crate::amount::{Amount, AmountError};

/// One thing that is paid for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    sku: Sku,
    what: String,
    period: Period,
    amount: Amount,
    why: Vec<Reason>,
}

/// One of the amounts that a line is the sum of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// In words.
    pub what: String,
    /// How much, below zero where it makes the line less.
    pub amount: Amount,
}

/// Bytes of a gibibyte.
const GIBIBYTE: u128 = 1 << 30;
/// Minutes of an hour.
const HOUR: u128 = 60;

impl Reason {
    /// So much for this.
    pub fn new(what: impl Into<String>, amount: Amount) -> Self {
        Self { what: what.into(), amount }
    }
}

impl Line {
    /// The sum of all that it is for; reasons that come to nothing are left out.
    ///
    /// # Errors
    /// [`AmountError`]; a line without any reason is of no currency, and overflows.
    pub fn of(
        sku: Sku,
        what: impl Into<String>,
        period: Period,
        mut why: Vec<Reason>,
    ) -> Result<Self, AmountError> {
        let currency = why.first().ok_or(AmountError::Overflow)?.amount.currency();
        let amount = Amount::sum(currency, why.iter().map(|reason| reason.amount))?;
        why.retain(|reason| !reason.amount.is_zero());
        Ok(Self { sku, what: what.into(), period, amount, why })
    }

    /// Services of so many minutes that were given in a month, by the hour.
    ///
    /// # Errors
    /// [`NoPrice`]
    pub fn services(
        agreement: &Agreement,
        month: Month,
        what: &str,
        minutes: u32,
    ) -> Result<Self, NoPrice> {
        let price = agreement.price(Sku::SERVICES, month.begins())?;
        let amount = price.at_rate(u128::from(minutes), HOUR)?;
        let why = vec![Reason::new(format!("{minutes} minutes at {price} an hour"), amount)];
        Ok(Self::of(Sku::SERVICES, what, month.period(), why)?)
    }

    /// What a platform stored in a month while it had a plan: bytes from some time on, each for as long as it was
    /// there, beyond what the plan brings. Nothing where storage has no price.
    ///
    /// # Errors
    /// [`AmountError`]
    pub fn storage(
        agreement: &Agreement,
        plans: &Dated<Option<PlanName>>,
        tenant: &BlueprintName,
        month: Month,
        stored: &Dated<u64>,
    ) -> Result<Option<Self>, AmountError> {
        let (period, at) = (month.period(), month.begins());
        let Ok(price) = agreement.price(Sku::Storage, at) else { return Ok(None) };
        let (mut used, mut brought) = (0, 0);
        for (stretch, plan) in plans.during(period) {
            // What was there before anything was had, or while platforms were stopped, is nobody's to pay.
            let Some(plan) = plan else { continue };
            used += byte_seconds(stored.during(stretch), |bytes| u128::from(*bytes));
            let gibibytes = u128::from(agreement.stored(*plan, at));
            brought += gibibytes * GIBIBYTE * u128::from(stretch.seconds());
        }
        let unit = GIBIBYTE * u128::from(period.seconds());
        let amount = price.at_rate(used.saturating_sub(brought), unit)?;
        if amount.is_zero() {
            return Ok(None);
        }
        let of_month = |all: u128| Gibibytes { thousandths: all * 1_000 / unit };
        let (used, brought) = (of_month(used), of_month(brought));
        let why = format!("{used} GiB on average, {brought} of it with the plan, at {price}");
        let why = vec![Reason::new(why, amount)];
        Self::of(Sku::Storage, format!("storage of {tenant}"), period, why).map(Some)
    }

    /// What is paid for.
    pub const fn sku(&self) -> Sku {
        self.sku
    }

    /// In words.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Which time it is for.
    pub const fn period(&self) -> Period {
        self.period
    }

    /// How much, before it is rounded.
    pub const fn amount(&self) -> Amount {
        self.amount
    }

    /// What it is the sum of.
    pub fn why(&self) -> &[Reason] {
        &self.why
    }

    /// Whether journals of what was used have it already.
    pub fn is_used(&self) -> bool {
        self.sku == Sku::Ai
    }
}

/// What a price for all of `whole` comes to in `part` of it, rounded so that the parts of any division of
/// the whole sum to the price.
pub(super) fn prorated(price: Amount, part: Period, whole: Period) -> Result<Amount, AmountError> {
    let part = whole.within(part);
    // Until when counts, not how long: what one part is rounded by the next one has.
    let until =
        |time: Timestamp| price.part(Period::new(whole.from(), time).seconds(), whole.seconds());
    until(part.until()).minus(until(part.from()))
}

fn byte_seconds<T>(stretches: Vec<(Period, &T)>, bytes: impl Fn(&T) -> u128) -> u128 {
    let each =
        stretches.into_iter().map(|(period, value)| bytes(value) * u128::from(period.seconds()));
    each.sum()
}

/// Shown with three decimals.
struct Gibibytes {
    thousandths: u128,
}

impl fmt::Display for Gibibytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.thousandths / 1_000, self.thousandths % 1_000)
    }
}

#[cfg(test)]
mod tests {
    use blueprint::money::Currency;
    use proptest::prelude::*;

    use super::*;
    use crate::rating::prices::PriceList;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn usd(micros: i64) -> Amount {
        Amount::new(micros, Currency::USD)
    }

    fn february() -> Month {
        Month::of(at("2028-02-01T00:00:00Z"))
    }

    fn agreed() -> Agreement {
        let list = PriceList::factory().unwrap().with(Sku::Storage, usd(250_000)).unwrap();
        let list = list.with_storage(PlanName::Business, 10).with_storage(PlanName::Starter, 1);
        Agreement::new(Dated::new(list)).unwrap()
    }

    #[test]
    fn a_leap_day_is_a_twenty_ninth_of_its_month() {
        let (month, price) = (february().period(), usd(29_000_000));
        let leap = Period::new(at("2028-02-29T00:00:00Z"), month.until());
        assert_eq!(prorated(price, leap, month), Ok(usd(1_000_000)));
        let second = Period::new(at("2028-02-29T23:59:59Z"), month.until());
        assert_eq!(prorated(price, second, month), Ok(usd(12)));
        assert_eq!(prorated(price, month, month), Ok(price));
        let before = Period::new(at("2028-01-01T00:00:00Z"), month.from());
        assert_eq!(prorated(price, before, month), Ok(usd(0)));
    }

    #[test]
    fn minutes_are_parts_of_an_hour() {
        let line = Line::services(&agreed(), february(), "onboarding", 90).unwrap();
        assert_eq!(line.amount(), usd(750_000_000));
        assert_eq!(line.why()[0].what, "90 minutes at 500.00 USD an hour");
    }

    #[test]
    fn storage_costs_for_as_long_as_it_is_there_beyond_what_the_plan_brings() {
        let half = at("2028-02-15T12:00:00Z");
        let tenant: BlueprintName = "harbour".parse().unwrap();
        let line = |plans: &Dated<_>, stored: &Dated<u64>| {
            Line::storage(&agreed(), plans, &tenant, february(), stored).unwrap()
        };
        let business = Dated::new(Some(PlanName::Business));
        let mut stored = Dated::new(0);
        stored.set(half, 100 << 30).unwrap();
        // Fifty on average, of which ten come with the plan.
        let billed = line(&business, &stored).unwrap();
        assert_eq!(billed.amount(), usd(10_000_000));
        assert_eq!(
            billed.why()[0].what,
            "50.000 GiB on average, 10.000 of it with the plan, at 0.25 USD"
        );
        assert_eq!(line(&business, &Dated::new(10 << 30)), None);
        let mut upgraded = Dated::new(Some(PlanName::Starter));
        upgraded.set(half, Some(PlanName::Business)).unwrap();
        assert_eq!(line(&upgraded, &Dated::new(10 << 30)).unwrap().amount(), usd(1_125_000));
        let unpriced = Agreement::new(Dated::new(PriceList::factory().unwrap())).unwrap();
        let free = Line::storage(&unpriced, &business, &tenant, february(), &stored);
        assert_eq!(free, Ok(None));
    }

    #[test]
    fn a_line_is_the_sum_of_its_reasons() {
        let of = |amounts: &[i64]| {
            let why = amounts.iter().map(|micros| Reason::new("x", usd(*micros))).collect();
            Line::of(Sku::Ai, "x", february().period(), why)
        };
        let line = of(&[5, 0, -2]).unwrap();
        assert_eq!((line.amount(), line.why().len()), (usd(3), 2));
        assert_eq!(of(&[]), Err(AmountError::Overflow));
        assert_eq!(of(&[i64::MAX, 1]), Err(AmountError::Overflow));
    }

    proptest! {
        #[test]
        fn the_parts_of_a_month_however_it_is_divided_cost_what_it_costs(
            price in 0..10_000_000_000_i64,
            mut cuts in prop::collection::vec(0..29 * 86_400_i64, 0..12),
        ) {
            let month = february().period();
            cuts.sort_unstable();
            let cut = |second| month.from() + jiff::SignedDuration::from_secs(second);
            let cuts: Vec<_> = std::iter::once(month.from())
                .chain(cuts.into_iter().map(cut)).chain([month.until()]).collect();
            let mut sum = 0;
            for ends in cuts.windows(2) {
                let part = Period::new(ends[0], ends[1]);
                let cost = prorated(usd(price), part, month).unwrap().micros();
                let exact = i128::from(price) * i128::from(part.seconds());
                let billed = i128::from(cost) * i128::from(month.seconds());
                prop_assert!((exact - billed).abs() <= i128::from(month.seconds()));
                sum += cost;
            }
            prop_assert_eq!(sum, price);
        }
    }
}
