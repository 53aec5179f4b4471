//! What a person is to pay, and what they paid: lines in whole minor units, and the tax as whoever knows it told
//! it.

use blueprint::Currency;
use blueprint::money::Money;
use blueprint::spec::{UsagePrice, UsageUnit};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::amount::{Amount, AmountError};
use crate::rating::invoice::{Ref, Tax, TaxKind};
use crate::rating::time::Period;

/// One thing that is paid for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// In words.
    pub what: String,
    /// How much; below zero where it makes the bill less.
    pub price: Money,
}

/// What is to be paid for a term of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// Which term; what is told of its payment names it.
    pub term: u32,
    /// When it is to be paid.
    pub due: Timestamp,
    /// For which time it is paid in advance; nothing of it where only what was used is left to be paid.
    pub period: Period,
    /// What for. Nothing of it is below zero.
    pub lines: Vec<Line>,
    /// All of it.
    pub total: Money,
}

/// What was paid, for whoever paid it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What it is called.
    pub called: Ref,
    /// When it was paid.
    pub at: Timestamp,
    /// What for.
    pub lines: Vec<Line>,
    /// Without tax: what is shared among those who sold.
    pub price: Money,
    /// The tax, where there is some.
    pub tax: Option<(TaxKind, Tax)>,
    /// What was paid.
    pub total: Money,
}

/// Why something is no receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReceipt {
    /// Nothing is paid.
    #[error("a receipt is of something that was paid")]
    Nothing,
    /// The tax is below zero, or above what it is part of.
    #[error("{0} is no tax on {1}")]
    Tax(Money, Money),
    /// The amounts.
    #[error(transparent)]
    Amount(#[from] AmountError),
}

impl Line {
    /// So much for this.
    pub fn new(what: impl Into<String>, price: Money) -> Self {
        Self { what: what.into(), price }
    }

    /// So many units of use, of tokens single ones, rounded once to the nearest minor unit.
    ///
    /// # Errors
    /// [`AmountError`]
    pub fn usage(usage: UsagePrice, units: u64) -> Result<Self, AmountError> {
        let (of, unit) = match usage.unit {
            UsageUnit::Message => (1, "messages"),
            UsageUnit::ThousandTokens => (1_000, "tokens"),
        };
        let amount = Amount::of(usage.price)?.at_rate(u128::from(units), of)?;
        let (price, _) = amount.to_minor();
        let each = if of == 1 { "each" } else { "a thousand" };
        Ok(Self::new(format!("{units} {unit} at {} {each}", usage.price), price))
    }
}

impl Receipt {
    /// Of these lines, with the tax on all of them together.
    ///
    /// # Errors
    /// [`NoReceipt`]
    pub fn new(
        called: Ref,
        at: Timestamp,
        lines: Vec<Line>,
        tax: Option<(TaxKind, Tax)>,
    ) -> Result<Self, NoReceipt> {
        let currency = lines.first().ok_or(NoReceipt::Nothing)?.price.currency();
        let sum = total(currency, &lines)?;
        let nothing = Money::new(0, currency);
        let taxed = tax.as_ref().map_or(nothing, |(_, tax)| tax.amount);
        let is_wrong = |_| NoReceipt::Tax(taxed, sum);
        let (price, total) = match tax.as_ref().map(|(kind, _)| *kind) {
            None => (sum, sum),
            Some(TaxKind::Exclusive) => (sum, sum.checked_add(taxed).map_err(is_wrong)?),
            Some(TaxKind::Inclusive) => (sum.checked_sub(taxed).map_err(is_wrong)?, sum),
        };
        if taxed.amount() < 0 || price.amount() < 0 {
            return Err(NoReceipt::Tax(taxed, sum));
        }
        if total.amount() == 0 {
            return Err(NoReceipt::Nothing);
        }
        Ok(Self { called, at, lines, price, tax, total })
    }

    /// The tax, which may be nothing.
    pub fn taxed(&self) -> Money {
        let nothing = Money::new(0, self.price.currency());
        self.tax.as_ref().map_or(nothing, |(_, tax)| tax.amount)
    }
}

/// What lines come to.
///
/// # Errors
/// [`AmountError`]
pub fn total(currency: Currency, lines: &[Line]) -> Result<Money, AmountError> {
    let mut sum = Amount::zero(currency);
    for line in lines {
        sum = sum.plus(Amount::of(line.price)?)?;
    }
    // Sums of whole minor units are whole minor units.
    Ok(sum.to_minor().0)
}

/// What of a price is for the rest of a time that began with it, in whole minor units: what is used is rounded
/// down, so that the parts of any division of that time sum to the price.
pub(super) fn rest(price: Money, at: Timestamp, whole: Period) -> Money {
    let used = Period::new(whole.from(), at.clamp(whole.from(), whole.until()));
    let used = match i128::from(whole.seconds()) {
        0 => i128::from(price.amount()),
        all => i128::from(price.amount()) * i128::from(used.seconds()) / all,
    };
    // No part is above the whole.
    let used = i64::try_from(used).unwrap_or(price.amount());
    Money::new(price.amount() - used, price.currency())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn receipt(prices: &[&str], tax: Option<(TaxKind, &str)>) -> Result<Receipt, NoReceipt> {
        let lines = prices.iter().map(|price| Line::new("x", money(price))).collect();
        let tax =
            tax.map(|(kind, amount)| (kind, Tax { what: "VAT".into(), amount: money(amount) }));
        Receipt::new("r-1".parse().unwrap(), Timestamp::UNIX_EPOCH, lines, tax)
    }

    #[test]
    fn tax_is_in_the_price_or_comes_on_top() {
        let sums = |receipt: Receipt| [receipt.price, receipt.taxed(), receipt.total];
        let told = |texts: [&str; 3]| texts.map(money);
        let prices = ["10.00 USD", "-1.00 USD"];
        let none = receipt(&prices, None).unwrap();
        assert_eq!(sums(none), told(["9.00 USD", "0.00 USD", "9.00 USD"]));
        let on_top = receipt(&prices, Some((TaxKind::Exclusive, "1.71 USD"))).unwrap();
        assert_eq!(sums(on_top), told(["9.00 USD", "1.71 USD", "10.71 USD"]));
        let within = receipt(&prices, Some((TaxKind::Inclusive, "1.44 USD"))).unwrap();
        assert_eq!(sums(within), told(["7.56 USD", "1.44 USD", "9.00 USD"]));
    }

    #[test]
    fn a_receipt_is_of_something_and_has_no_more_tax_than_that() {
        assert_eq!(receipt(&[], None), Err(NoReceipt::Nothing));
        assert_eq!(receipt(&["0 JPY"], None), Err(NoReceipt::Nothing));
        for tax in ["-0.01 USD", "10.01 USD", "1 JPY"] {
            let wrong = receipt(&["10.00 USD"], Some((TaxKind::Inclusive, tax)));
            assert_eq!(wrong, Err(NoReceipt::Tax(money(tax), money("10.00 USD"))));
        }
        let mixed = receipt(&["1.00 USD", "1 JPY"], None);
        assert!(matches!(mixed, Err(NoReceipt::Amount(AmountError::Mixed(..)))));
    }

    #[test]
    fn use_is_rounded_once() {
        let line = |unit, price, units| {
            let line = Line::usage(UsagePrice { unit, price: money(price) }, units).unwrap();
            (line.what, line.price)
        };
        assert_eq!(
            line(UsageUnit::ThousandTokens, "0.02 USD", 12_750),
            ("12750 tokens at 0.02 USD a thousand".into(), money("0.26 USD"))
        );
        assert_eq!(
            line(UsageUnit::Message, "0.005 KWD", 3),
            ("3 messages at 0.005 KWD each".into(), money("0.015 KWD"))
        );
        assert_eq!(line(UsageUnit::ThousandTokens, "1 JPY", 499).1, money("0 JPY"));
    }

    proptest! {
        #[test]
        fn however_a_term_is_cut_its_parts_cost_what_it_costs(
            price in 0..10_000_000_i64,
            mut cuts in prop::collection::vec(0..31 * 86_400_i64, 0..12),
        ) {
            let second = |second| Timestamp::from_second(second).unwrap();
            let (whole, price) = (
                Period::new(second(0), second(31 * 86_400)),
                Money::new(price, Currency::USD),
            );
            cuts.sort_unstable();
            let ends: Vec<_> = [0].into_iter().chain(cuts).chain([31 * 86_400]).collect();
            let left = |at| rest(price, second(at), whole).amount();
            let parts = ends.windows(2).map(|ends| left(ends[0]) - left(ends[1]));
            let parts: Vec<_> = parts.collect();
            prop_assert!(parts.iter().all(|part| *part >= 0));
            prop_assert_eq!(parts.iter().sum::<i64>(), price.amount());
        }
    }
}
