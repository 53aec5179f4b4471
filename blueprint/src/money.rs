//! Money: whole minor units and a currency. Never a float.

mod currency;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub(crate) use currency::ALL as CURRENCIES;
pub use currency::{Currency, UnknownCurrency};

/// An amount in a currency, counted in its minor unit: 999 USD here is 9.99 dollars, 999 JPY is
/// 999 yen, 999 KWD is 0.999 dinars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Money {
    /// Whole minor units of the currency (cents for USD): 999 is 9.99 dollars.
    #[schemars(range(min = 0, max = 999_999_999_999_i64))]
    amount: i64,
    /// ISO 4217 code, such as USD.
    currency: Currency,
}

/// Why money could not be read or reckoned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not `9.99 USD`.
    #[error("`{0}` is not an amount and a currency, such as `9.99 USD`")]
    Form(String),
    /// No such code in ISO 4217.
    #[error(transparent)]
    Currency(#[from] UnknownCurrency),
    /// More decimals than the currency has.
    #[error("{currency} has {} decimals, `{text}` has more", currency.decimals())]
    Decimals {
        /// The amount as written.
        text: String,
        /// The currency it was written in.
        currency: Currency,
    },
    /// Two currencies met in one sum.
    #[error("{0} and {1} cannot be reckoned together")]
    Mixed(Currency, Currency),
    /// The result has no room in 64 bits.
    #[error("the amount is too large")]
    Overflow,
}

impl Money {
    /// `amount` in minor units of `currency`.
    pub const fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// Minor units.
    pub const fn amount(self) -> i64 {
        self.amount
    }

    /// What the units are of.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// Reads `9.99 USD`, `-5 JPY`, `0.5 KWD`: no thousands separators, no more decimals than the
    /// currency has.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        let form = || MoneyError::Form(text.to_owned());
        let (number, code) = text.trim().split_once(' ').ok_or_else(form)?;
        let currency: Currency = code.parse()?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let (sign, digits) = whole.strip_prefix('-').map_or((1, whole), |rest| (-1, rest));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !is_number(digits) || (number.contains('.') && !is_number(fraction)) {
            return Err(form());
        }
        let decimals = usize::from(currency.decimals());
        if fraction.len() > decimals {
            return Err(MoneyError::Decimals { text: number.to_owned(), currency });
        }
        let units = format!("{digits}{fraction:0<decimals$}");
        let units: i64 = units.parse().map_err(|_| MoneyError::Overflow)?;
        Ok(Self::new(sign * units, currency))
    }

    /// The sum, in one currency.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let amount = self.amount.checked_add(other.amount).ok_or(MoneyError::Overflow)?;
        Ok(Self { amount, ..self })
    }

    /// The difference, in one currency; may be below zero.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let amount = self.amount.checked_sub(other.amount).ok_or(MoneyError::Overflow)?;
        Ok(Self { amount, ..self })
    }

    /// `count` times the amount.
    pub fn checked_mul(self, count: i64) -> Result<Self, MoneyError> {
        let amount = self.amount.checked_mul(count).ok_or(MoneyError::Overflow)?;
        Ok(Self { amount, ..self })
    }

    /// The share of `bps` in this amount, rounded towards zero: what cannot be divided stays with
    /// the one who pays the share. Cannot overflow, as no share is above the whole.
    pub fn share(self, bps: Bps) -> Self {
        let share = i128::from(self.amount) * i128::from(bps.get()) / i128::from(Bps::WHOLE);
        Self { amount: i64::try_from(share).unwrap_or(self.amount), ..self }
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::Mixed(self.currency, other.currency))
        }
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        Self::parse(text)
    }
}

impl fmt::Display for Money {
    /// `9.99 USD`, with as many decimals as the currency has.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { amount, currency } = self;
        let sign = if *amount < 0 { "-" } else { "" };
        let units = amount.unsigned_abs();
        let decimals = u32::from(currency.decimals());
        if decimals == 0 {
            return write!(f, "{sign}{units} {currency}");
        }
        let major = 10_u64.pow(decimals);
        let width = usize::from(currency.decimals());
        write!(f, "{sign}{}.{:0width$} {currency}", units / major, units % major)
    }
}

/// A share in basis points, 0 to 10,000: 7000 is 70 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Bps(u16);

/// More than the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} basis points are more than the whole; use 0 to 10000, where 7000 is 70 %")]
pub struct AboveWhole(u16);

impl Bps {
    /// The whole, 100 %.
    pub const WHOLE: u16 = 10_000;

    /// `bps` hundredths of a percent, where it is no more than the whole.
    pub const fn new(bps: u16) -> Option<Self> {
        if bps <= Self::WHOLE { Some(Self(bps)) } else { None }
    }

    /// A share of whole percents, 0 to 100; more counts as 100.
    pub const fn percent(percent: u8) -> Self {
        if percent <= 100 { Self(percent as u16 * 100) } else { Self(Self::WHOLE) }
    }

    /// Hundredths of a percent.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for Bps {
    type Error = AboveWhole;

    fn try_from(bps: u16) -> Result<Self, AboveWhole> {
        Self::new(bps).ok_or(AboveWhole(bps))
    }
}

impl From<Bps> for u16 {
    fn from(bps: Bps) -> u16 {
        bps.0
    }
}

impl fmt::Display for Bps {
    /// `70 %`, `12.5 %`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, hundredths) = (self.0 / 100, self.0 % 100);
        match (hundredths / 10, hundredths % 10) {
            (0, 0) => write!(f, "{whole} %"),
            (tenths, 0) => write!(f, "{whole}.{tenths} %"),
            _ => write!(f, "{whole}.{hundredths:02} %"),
        }
    }
}

impl schemars::JsonSchema for Bps {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Bps".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": 0, "maximum": Self::WHOLE })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn money(text: &str) -> Money {
        Money::parse(text).unwrap()
    }

    #[test]
    fn each_currency_shows_its_own_decimals() {
        for text in ["9.99 USD", "0.05 EUR", "-1.00 USD", "999 JPY", "0.999 KWD", "-12.345 BHD"] {
            assert_eq!(money(text).to_string(), text);
        }
        assert_eq!(money("5 USD").amount(), 500);
        assert_eq!(money("5.5 KWD").amount(), 5500);
        assert_eq!(money("-0.01 USD").amount(), -1);
    }

    #[test]
    fn what_is_not_exactly_money_is_refused() {
        for bad in
            ["", "9.99", "USD 9.99", "9,99 USD", "1.000,00 EUR", "9. USD", ".5 USD", "1e3 USD"]
        {
            assert!(
                matches!(Money::parse(bad), Err(MoneyError::Form(_) | MoneyError::Currency(_))),
                "{bad}"
            );
        }
        assert!(matches!(Money::parse("9.999 USD"), Err(MoneyError::Decimals { .. })));
        assert!(matches!(Money::parse("1.5 JPY"), Err(MoneyError::Decimals { .. })));
        assert!(matches!(Money::parse("5 usd"), Err(MoneyError::Currency(_))));
        assert_eq!(Money::parse("99999999999999999999 USD"), Err(MoneyError::Overflow));
    }

    #[test]
    fn sums_are_checked() {
        let five = money("5 USD");
        assert_eq!(five.checked_add(money("0.01 USD")), Ok(money("5.01 USD")));
        assert_eq!(five.checked_sub(money("6 USD")), Ok(money("-1 USD")));
        assert_eq!(five.checked_mul(3), Ok(money("15 USD")));
        let euro = money("1 EUR");
        assert_eq!(
            five.checked_add(euro),
            Err(MoneyError::Mixed(five.currency(), euro.currency()))
        );
        let most = Money::new(i64::MAX, five.currency());
        assert_eq!(most.checked_add(five), Err(MoneyError::Overflow));
        assert_eq!(most.checked_mul(2), Err(MoneyError::Overflow));
    }

    #[test]
    fn a_share_rounds_towards_zero() {
        let seventy = Bps::percent(70);
        assert_eq!(money("10.00 USD").share(seventy), money("7.00 USD"));
        assert_eq!(money("0.01 USD").share(seventy), money("0.00 USD"));
        assert_eq!(money("-0.01 USD").share(seventy), money("0.00 USD"));
        let least = Money::new(i64::MIN, Currency::USD);
        assert_eq!(least.share(Bps::percent(100)), least);
    }

    #[test]
    fn basis_points_read_as_percent() {
        let shown = |bps| Bps::new(bps).map(|bps| bps.to_string());
        assert_eq!(shown(7000).as_deref(), Some("70 %"));
        assert_eq!(shown(1250).as_deref(), Some("12.5 %"));
        assert_eq!(shown(1).as_deref(), Some("0.01 %"));
        assert_eq!(shown(10_001), None);
    }

    proptest! {
        #[test]
        fn shown_money_reads_back(amount: i64, at in 0..CURRENCIES.len()) {
            let money = Money::new(amount, CURRENCIES[at].0.parse().unwrap());
            let read = Money::parse(&money.to_string());
            // The one amount without a positive twin cannot be written as sign and digits.
            if amount != i64::MIN {
                prop_assert_eq!(read, Ok(money));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = Money::parse(&text);
        }
    }
}
