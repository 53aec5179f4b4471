//! Taxes, as whoever knows them told them for each line.

use blueprint::money::Money;

use super::NoInvoice;

/// What is tax of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tax {
    /// In words, such as `VAT 19 %`.
    pub what: String,
    /// How much, in whole minor units.
    pub amount: Money,
}

/// Whether prices have their tax in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaxKind {
    /// It comes on top.
    Exclusive,
    /// It is a part of the line.
    Inclusive,
}

/// What a provider told of all lines of a draft, in their order; `None` where there is no tax on one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taxes {
    /// Whether it comes on top.
    pub kind: TaxKind,
    /// Of each line.
    pub lines: Vec<Option<Tax>>,
}

impl Taxes {
    /// None, on so many lines.
    pub fn none(lines: usize) -> Self {
        Self { kind: TaxKind::Exclusive, lines: vec![None; lines] }
    }

    /// What each line is without tax, and the tax on it.
    pub(super) fn split(&self, prices: &[Money]) -> Result<Vec<(Money, Money)>, NoInvoice> {
        let wrong = || NoInvoice::Taxes { taxes: self.lines.len(), lines: prices.len() };
        if self.lines.len() != prices.len() {
            return Err(wrong());
        }
        let split = |(price, tax): (&Money, &Option<Tax>)| {
            let none = Money::new(0, price.currency());
            let tax = tax.as_ref().map_or(none, |tax| tax.amount);
            let rest = price.checked_sub(tax);
            let rest = rest.map_err(|_| NoInvoice::Mixed(tax.currency(), price.currency()))?;
            let net = match self.kind {
                TaxKind::Exclusive => *price,
                TaxKind::Inclusive => rest,
            };
            if tax.amount() < 0 || net.amount() < 0 { Err(wrong()) } else { Ok((net, tax)) }
        };
        prices.iter().zip(&self.lines).map(split).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn told(kind: TaxKind, amounts: &[&str]) -> Taxes {
        let tax = |text: &&str| Some(Tax { what: "VAT".into(), amount: money(text) });
        Taxes { kind, lines: amounts.iter().map(tax).collect() }
    }

    #[test]
    fn tax_comes_on_top_or_out_of_the_price() {
        let price = [money("119.00 USD")];
        let split = |kind| told(kind, &["19.00 USD"]).split(&price).unwrap();
        assert_eq!(split(TaxKind::Exclusive), [(money("119.00 USD"), money("19.00 USD"))]);
        assert_eq!(split(TaxKind::Inclusive), [(money("100.00 USD"), money("19.00 USD"))]);
        assert_eq!(Taxes::none(1).split(&price), Ok(vec![(price[0], money("0.00 USD"))]));
    }

    #[test]
    fn taxes_that_are_not_those_of_the_lines_are_refused() {
        let price = [money("10.00 USD")];
        let wrong = |lines: usize| Err(NoInvoice::Taxes { taxes: lines, lines: 1 });
        assert_eq!(Taxes::none(2).split(&price), wrong(2));
        assert_eq!(Taxes::none(0).split(&price), wrong(0));
        for kind in [TaxKind::Exclusive, TaxKind::Inclusive] {
            assert_eq!(told(kind, &["-0.01 USD"]).split(&price), wrong(1));
            let mixed = told(kind, &["1 JPY"]).split(&price);
            assert!(matches!(mixed, Err(NoInvoice::Mixed(..))), "{mixed:?}");
        }
        assert_eq!(told(TaxKind::Inclusive, &["10.01 USD"]).split(&price), wrong(1));
        assert!(told(TaxKind::Exclusive, &["10.01 USD"]).split(&price).is_ok());
    }
}
