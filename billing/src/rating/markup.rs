//! What comes on top of what AI costs: less for each further part of a month's use, and never below a fifth.

use blueprint::money::{Bps, Currency};
use blueprint::plan::{LEAST_AI_MARKUP, PlanName};

use crate::amount::{Amount, AmountError};

/// Shares of what use costs in a month: each part of the cost has its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tiers {
    currency: Currency,
    /// From so many millionths on, this share; the first from nothing on.
    from: Vec<(i64, Bps)>,
}

/// Why these are no tiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTiers {
    /// Less than what use brings at least.
    #[error("{0} is below the least markup of {LEAST_AI_MARKUP}")]
    BelowLeast(Bps),
    /// Not one after another.
    #[error("the tier from {0} on does not follow the one before it")]
    Order(Amount),
    /// Two currencies.
    #[error(transparent)]
    Amount(#[from] AmountError),
}

/// What one platform's use of one month came to so far.
///
/// In whole parts, so that nothing is rounded twice: what was charged in all is the exact markup, rounded up
/// once to a whole millionth, in however many windows it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meter {
    currency: Currency,
    /// Millionths.
    cost: i128,
    /// Ten-thousandths of millionths.
    markup: i128,
}

impl Tiers {
    /// From this cost on, a tier; and two of the list's follow it.
    const VOLUMES: [i64; 2] = [1_000, 10_000];
    /// So much less each time.
    const STEP: u16 = 500;

    /// `first` on use from nothing on, then each of these from its cost on.
    ///
    /// # Errors
    /// [`NoTiers`]
    pub fn new(
        currency: Currency,
        first: Bps,
        above: impl IntoIterator<Item = (Amount, Bps)>,
    ) -> Result<Self, NoTiers> {
        let mut from = vec![(0, first)];
        for (cost, share) in above {
            if cost.currency() != currency {
                return Err(AmountError::Mixed(cost.currency(), currency).into());
            }
            if from.iter().any(|(before, _)| cost.micros() <= *before) {
                return Err(NoTiers::Order(cost));
            }
            from.push((cost.micros(), share));
        }
        match from.iter().find(|(_, share)| *share < LEAST_AI_MARKUP) {
            Some((_, share)) => Err(NoTiers::BelowLeast(*share)),
            None => Ok(Self { currency, from }),
        }
    }

    /// The plan's own markup, five points less on what a month costs above 1,000 and again above 10,000 of
    /// the currency's major unit, as far as the least allows.
    pub fn by_volume(plan: PlanName, currency: Currency) -> Self {
        let mut share = plan.entitlements().ai_markup_bps.max(LEAST_AI_MARKUP);
        let mut from = vec![(0, share)];
        for volume in Self::VOLUMES {
            let less = Bps::new(share.get().saturating_sub(Self::STEP));
            share = less.unwrap_or(share).max(LEAST_AI_MARKUP);
            from.push((volume * 1_000_000, share));
        }
        Self { currency, from }
    }

    /// What they are in.
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// The markup on what is used between these two costs of a month, in ten-thousandths of millionths.
    fn between(&self, before: i128, after: i128) -> i128 {
        let ends = self.from.iter().skip(1).map(|(from, _)| i128::from(*from)).chain([i128::MAX]);
        let parts = self.from.iter().zip(ends).map(|((from, share), end)| {
            let part = after.min(end) - before.max(i128::from(*from));
            part.max(0) * i128::from(share.get())
        });
        parts.sum()
    }
}

impl Meter {
    /// A month in which nothing was used yet.
    pub const fn new(currency: Currency) -> Self {
        Self { currency, cost: 0, markup: 0 }
    }

    /// One that counted before: what use cost, in millionths, and the [markup](Self::markup) on it.
    pub const fn kept(currency: Currency, cost: i128, markup: i128) -> Self {
        Self { currency, cost, markup }
    }

    /// What it is in.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The markup so far in ten-thousandths of millionths, as a meter is kept.
    pub const fn markup(self) -> i128 {
        self.markup
    }

    /// What use cost so far, in millionths.
    pub const fn cost(self) -> i128 {
        self.cost
    }

    /// What was charged on top so far, in millionths.
    pub const fn charged(self) -> i128 {
        // Rounded up: never less than the share that was agreed.
        self.markup.div_euclid(Bps::WHOLE as i128)
            + if self.markup.rem_euclid(Bps::WHOLE as i128) > 0 { 1 } else { 0 }
    }

    /// Counts what more was used, and says what comes on top.
    ///
    /// # Errors
    /// [`AmountError`]; nothing is counted then. Use never costs less than nothing.
    pub fn count(&mut self, cost: Amount, tiers: &Tiers) -> Result<Amount, AmountError> {
        for other in [cost.currency(), tiers.currency] {
            if other != self.currency {
                return Err(AmountError::Mixed(other, self.currency));
            }
        }
        let after = self.cost + i128::from(cost.micros().max(0));
        let markup = self.markup + tiers.between(self.cost, after);
        let counted = Self { cost: after, markup, ..*self };
        let more = i64::try_from(counted.charged() - self.charged());
        let more = more.map_err(|_| AmountError::Overflow)?;
        *self = counted;
        Ok(Amount::new(more, self.currency))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usd(micros: i64) -> Amount {
        Amount::new(micros, Currency::USD)
    }

    fn tiers(plan: PlanName) -> Tiers {
        Tiers::by_volume(plan, Currency::USD)
    }

    #[test]
    fn each_part_of_a_months_cost_has_the_share_of_its_tier() {
        for (plan, on_hundred, on_five_thousand, on_twenty_thousand) in [
            (PlanName::Starter, 40, 1_800, 6_550),
            (PlanName::Business, 30, 1_300, 4_550),
            (PlanName::Enterprise, 25, 1_050, 4_050),
        ] {
            let markup = |dollars: i64| {
                let mut meter = Meter::new(Currency::USD);
                meter.count(usd(dollars * 1_000_000), &tiers(plan)).unwrap().micros() / 1_000_000
            };
            let marked = [100, 5_000, 20_000].map(markup);
            assert_eq!(marked, [on_hundred, on_five_thousand, on_twenty_thousand], "{plan}");
        }
    }

    #[test]
    fn no_tier_is_below_the_least_nor_out_of_order() {
        let new = |first, above: Vec<(i64, u16)>| {
            let above = above.into_iter().map(|(from, bps)| (usd(from), Bps::new(bps).unwrap()));
            Tiers::new(Currency::USD, Bps::new(first).unwrap(), above)
        };
        assert!(new(2_000, vec![(10, 2_000)]).is_ok());
        let below = NoTiers::BelowLeast(Bps::new(1_999).unwrap());
        assert_eq!(new(1_999, vec![]), Err(below));
        assert_eq!(new(4_000, vec![(10, 1_999)]), Err(below));
        assert_eq!(new(4_000, vec![(10, 3_000), (10, 2_500)]), Err(NoTiers::Order(usd(10))));
        assert_eq!(new(4_000, vec![(0, 3_000)]), Err(NoTiers::Order(usd(0))));
        let yen = Amount::new(1, "JPY".parse().unwrap());
        let mixed = AmountError::Mixed(yen.currency(), Currency::USD);
        let share = Bps::percent(30);
        assert_eq!(Tiers::new(Currency::USD, share, [(yen, share)]), Err(NoTiers::Amount(mixed)));
    }

    #[test]
    fn a_millionth_is_marked_up_by_one_and_five_by_two() {
        let mut meter = Meter::new(Currency::USD);
        let mut count =
            |micros| meter.count(usd(micros), &tiers(PlanName::Starter)).unwrap().micros();
        assert_eq!([count(1), count(1), count(3), count(0)], [1, 0, 1, 0]);
    }

    #[test]
    fn a_meter_counts_one_currency_and_nothing_below_zero() {
        let mut meter = Meter::new(Currency::USD);
        let yen = "JPY".parse().unwrap();
        let mixed = Err(AmountError::Mixed(yen, Currency::USD));
        assert_eq!(meter.count(Amount::new(1, yen), &tiers(PlanName::Starter)), mixed);
        let of_yen = Tiers::by_volume(PlanName::Starter, yen);
        assert_eq!(meter.count(usd(1), &of_yen), mixed);
        assert_eq!(meter.count(usd(-5), &tiers(PlanName::Starter)), Ok(usd(0)));
        assert_eq!(meter, Meter::new(Currency::USD));
        meter.count(usd(3), &tiers(PlanName::Starter)).unwrap();
        assert_eq!(Meter::kept(meter.currency(), meter.cost(), meter.markup()), meter);
    }

    fn any_tiers() -> impl Strategy<Value = Tiers> {
        let above = prop::collection::btree_map(1..1_000_000_i64, 2_000..=10_000_u16, 0..4);
        (2_000..=10_000_u16, above).prop_map(|(first, above)| {
            let bps = |bps| Bps::new(bps).unwrap();
            let above = above.into_iter().map(|(from, share)| (usd(from), bps(share)));
            Tiers::new(Currency::USD, bps(first), above).unwrap()
        })
    }

    proptest! {
        #[test]
        fn however_use_comes_a_month_costs_the_same(
            tiers in any_tiers(), parts in prop::collection::vec(0..400_000_i64, 1..20),
        ) {
            let mut meter = Meter::new(Currency::USD);
            let counted = parts.iter().map(|part| meter.count(usd(*part), &tiers).unwrap().micros());
            let charged: i64 = counted.sum();
            let mut at_once = Meter::new(Currency::USD);
            let whole = at_once.count(usd(parts.iter().sum()), &tiers).unwrap();
            prop_assert_eq!((charged, meter), (whole.micros(), at_once));
            prop_assert_eq!(meter.charged(), i128::from(charged));
        }

        #[test]
        fn no_month_brings_less_than_a_fifth_whatever_tiers_follow_each_other(
            parts in prop::collection::vec((any_tiers(), 0..400_000_i64), 1..20),
        ) {
            let mut meter = Meter::new(Currency::USD);
            for (tiers, part) in &parts {
                meter.count(usd(*part), tiers).unwrap();
                prop_assert!(meter.charged() * 5 >= meter.cost());
            }
            prop_assert!(meter.charged() <= meter.cost());
        }
    }
}
