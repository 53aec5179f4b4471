//! Amounts as the ledger counts them: whole millionths of a currency's major unit, owed or owned.

use std::fmt;

use blueprint::money::{Bps, Currency, Money};

/// Millionths in one major unit.
const MAJOR: i64 = 1_000_000;

/// So many millionths of the major unit of a currency, above or below zero: 1,500,000 USD is 1.50 dollars.
///
/// Whole minor units of every currency are whole amounts here, so nothing is rounded where money comes
/// in; where it goes out, [`Self::to_minor`] says what is left over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Amount {
    micros: i64,
    currency: Currency,
}

/// A sum that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Two currencies met in one sum.
    #[error("{0} and {1} cannot be reckoned together")]
    Mixed(Currency, Currency),
    /// It has no room in 64 bits: nine million millions of a major unit.
    #[error("the amount is too large")]
    Overflow,
}

impl Amount {
    /// So many millionths.
    pub const fn new(micros: i64, currency: Currency) -> Self {
        Self { micros, currency }
    }

    /// Nothing, of this currency.
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// What money is worth.
    ///
    /// # Errors
    /// [`AmountError::Overflow`]
    pub fn of(money: Money) -> Result<Self, AmountError> {
        let currency = money.currency();
        let micros = money.amount().checked_mul(minor(currency)).ok_or(AmountError::Overflow)?;
        Ok(Self { micros, currency })
    }

    /// Millionths of the major unit.
    pub const fn micros(self) -> i64 {
        self.micros
    }

    /// What they are of.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.micros == 0
    }

    /// Whether it is above nothing.
    pub const fn is_positive(self) -> bool {
        self.micros > 0
    }

    /// The sum.
    ///
    /// # Errors
    /// [`AmountError`]
    pub fn plus(self, other: Self) -> Result<Self, AmountError> {
        self.same_currency(other)?;
        let micros = self.micros.checked_add(other.micros).ok_or(AmountError::Overflow)?;
        Ok(Self { micros, ..self })
    }

    /// The difference.
    ///
    /// # Errors
    /// [`AmountError`]
    pub fn minus(self, other: Self) -> Result<Self, AmountError> {
        self.plus(other.negated()?)
    }

    /// As much on the other side of zero.
    ///
    /// # Errors
    /// [`AmountError::Overflow`]
    pub fn negated(self) -> Result<Self, AmountError> {
        let micros = self.micros.checked_neg().ok_or(AmountError::Overflow)?;
        Ok(Self { micros, ..self })
    }

    /// The share of `bps` in it, rounded towards zero: what cannot be divided stays with who pays the share.
    pub fn share(self, bps: Bps) -> Self {
        let share = i128::from(self.micros) * i128::from(bps.get()) / i128::from(Bps::WHOLE);
        // No share is above the whole.
        Self { micros: i64::try_from(share).unwrap_or(self.micros), ..self }
    }

    /// `part` of `whole` of it, rounded towards zero; nothing where the whole is nothing. Both count the
    /// same thing, and neither is below zero.
    pub fn part(self, part: u64, whole: u64) -> Self {
        let part = part.min(whole);
        let micros = match i128::from(whole) {
            0 => 0,
            whole => i128::from(self.micros) * i128::from(part) / whole,
        };
        Self { micros: i64::try_from(micros).unwrap_or(self.micros), ..self }
    }

    /// So many of it.
    ///
    /// # Errors
    /// [`AmountError::Overflow`]
    pub fn times(self, count: u32) -> Result<Self, AmountError> {
        let micros = self.micros.checked_mul(i64::from(count)).ok_or(AmountError::Overflow)?;
        Ok(Self { micros, ..self })
    }

    /// What `used` costs where it is the price of `unit`, rounded towards zero; nothing where the unit is
    /// nothing.
    ///
    /// # Errors
    /// [`AmountError::Overflow`]
    pub fn at_rate(self, used: u128, unit: u128) -> Result<Self, AmountError> {
        let unit = i128::try_from(unit).map_err(|_| AmountError::Overflow)?;
        let used = i128::try_from(used).map_err(|_| AmountError::Overflow)?;
        let micros = match unit {
            0 => 0,
            unit => i128::from(self.micros).checked_mul(used).ok_or(AmountError::Overflow)? / unit,
        };
        let micros = i64::try_from(micros).map_err(|_| AmountError::Overflow)?;
        Ok(Self { micros, ..self })
    }

    /// The sum of all these, of this currency.
    ///
    /// # Errors
    /// [`AmountError`]
    pub fn sum(
        currency: Currency,
        amounts: impl IntoIterator<Item = Self>,
    ) -> Result<Self, AmountError> {
        amounts.into_iter().try_fold(Self::zero(currency), Self::plus)
    }

    /// In whole minor units, rounded to the nearest, halves away from zero; and what that leaves out, which is
    /// below zero where it was rounded up.
    pub fn to_minor(self) -> (Money, Self) {
        let unit = minor(self.currency);
        let (whole, rest) = (self.micros / unit, self.micros % unit);
        let away = if 2 * rest.abs() >= unit { rest.signum() } else { 0 };
        let money = Money::new(whole + away, self.currency);
        let left = rest - away * unit;
        (money, Self { micros: left, ..self })
    }

    fn same_currency(self, other: Self) -> Result<(), AmountError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(AmountError::Mixed(self.currency, other.currency))
        }
    }
}

/// Millionths in one minor unit.
pub(crate) fn minor(currency: Currency) -> i64 {
    MAJOR / 10_i64.pow(u32::from(currency.decimals()))
}

impl fmt::Display for Amount {
    /// `1.50 USD`; more decimals than the currency has only where they say something: `0.000001 USD`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { micros, currency } = self;
        let sign = if *micros < 0 { "-" } else { "" };
        let major = MAJOR.unsigned_abs();
        let (whole, rest) = (micros.unsigned_abs() / major, micros.unsigned_abs() % major);
        let fraction = format!("{rest:06}");
        let shown = fraction.trim_end_matches('0').len().max(usize::from(currency.decimals()));
        match &fraction[..shown] {
            "" => write!(f, "{sign}{whole} {currency}"),
            fraction => write!(f, "{sign}{whole}.{fraction} {currency}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DECIMALS: [&str; 3] = ["JPY", "USD", "KWD"];

    fn currency() -> impl Strategy<Value = Currency> {
        proptest::sample::select(&DECIMALS[..]).prop_map(|code| code.parse().unwrap())
    }

    #[test]
    fn amounts_are_shown_with_as_many_decimals_as_they_need() {
        let shown = |micros, code: &str| Amount::new(micros, code.parse().unwrap()).to_string();
        assert_eq!(shown(1_500_000, "USD"), "1.50 USD");
        assert_eq!(shown(-1, "USD"), "-0.000001 USD");
        assert_eq!(shown(7_000_000, "JPY"), "7 JPY");
        assert_eq!(shown(7_500_000, "JPY"), "7.5 JPY");
        assert_eq!(shown(1_000, "KWD"), "0.001 KWD");
        assert_eq!(shown(i64::MIN, "USD"), "-9223372036854.775808 USD");
    }

    #[test]
    fn halves_are_rounded_away_from_zero_and_what_is_left_is_told() {
        let minor = |micros| {
            let (money, left) = Amount::new(micros, Currency::USD).to_minor();
            (money.amount(), left.micros())
        };
        assert_eq!(minor(14_999), (1, 4_999));
        assert_eq!(minor(15_000), (2, -5_000));
        assert_eq!(minor(-15_000), (-2, 5_000));
        assert_eq!(minor(-14_999), (-1, -4_999));
    }

    #[test]
    fn what_is_used_costs_its_part_of_the_unit() {
        let hour = Amount::new(500_000_000, Currency::USD);
        assert_eq!(hour.at_rate(90, 60), Ok(Amount::new(750_000_000, Currency::USD)));
        assert_eq!(hour.at_rate(1, 60), Ok(Amount::new(8_333_333, Currency::USD)));
        assert_eq!(hour.at_rate(1, 0), Ok(Amount::zero(Currency::USD)));
        assert_eq!(hour.at_rate(u128::MAX, 1), Err(AmountError::Overflow));
        assert_eq!(hour.at_rate(1 << 90, 1), Err(AmountError::Overflow));
        assert_eq!(hour.times(3), Ok(Amount::new(1_500_000_000, Currency::USD)));
        assert_eq!(Amount::new(i64::MAX, Currency::USD).times(2), Err(AmountError::Overflow));
    }

    #[test]
    fn currencies_do_not_mix_and_nothing_runs_over() {
        let (dollars, yen) =
            (Amount::new(1, Currency::USD), Amount::new(1, "JPY".parse().unwrap()));
        assert_eq!(dollars.plus(yen), Err(AmountError::Mixed(dollars.currency(), yen.currency())));
        let most = Amount::new(i64::MAX, Currency::USD);
        assert_eq!(most.plus(dollars), Err(AmountError::Overflow));
        assert_eq!(Amount::new(i64::MIN, Currency::USD).negated(), Err(AmountError::Overflow));
        assert_eq!(Amount::of(Money::new(i64::MAX, Currency::USD)), Err(AmountError::Overflow));
    }

    proptest! {
        #[test]
        fn what_is_rounded_and_what_is_left_are_the_whole(micros: i64, currency in currency()) {
            let amount = Amount::new(micros / 2, currency);
            let (money, left) = amount.to_minor();
            prop_assert_eq!(Amount::of(money).unwrap().plus(left), Ok(amount));
            prop_assert!(2 * left.micros().abs() <= minor(currency));
        }

        #[test]
        fn whole_minor_units_stay_whole(minor in -1_000_000_000_000_i64..1_000_000_000_000, currency in currency()) {
            let money = Money::new(minor, currency);
            let (back, left) = Amount::of(money).unwrap().to_minor();
            prop_assert_eq!((back, left.is_zero()), (money, true));
        }

        #[test]
        fn a_share_and_the_rest_are_the_whole(micros: i64, bps in 0..=10_000_u16) {
            let whole = Amount::new(micros / 2, Currency::USD);
            let share = whole.share(Bps::new(bps).unwrap());
            prop_assert_eq!(share.plus(whole.minus(share).unwrap()), Ok(whole));
            prop_assert!(share.micros().abs() <= whole.micros().abs());
        }

        #[test]
        fn a_part_is_never_more_than_the_whole(micros: i64, part: u64, whole: u64) {
            let amount = Amount::new(micros, Currency::USD);
            let some = amount.part(part, whole);
            prop_assert!(some.micros().unsigned_abs() <= amount.micros().unsigned_abs());
            prop_assert_eq!(amount.part(whole, whole.max(1)).micros() == micros, whole > 0 || micros == 0);
        }
    }
}
