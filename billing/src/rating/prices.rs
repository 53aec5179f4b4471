//! What is sold, and what one of it costs.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use blueprint::money::Currency;
use blueprint::plan::{EXTRAS, Extra, PlanName, price};

use super::markup::Tiers;
use crate::amount::{Amount, AmountError};

/// Something that stands in a line of an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sku {
    /// A plan, for a month.
    Plan(PlanName),
    /// One of [`EXTRAS`], by its id.
    Extra(&'static str),
    /// A gibibyte that is stored for a month.
    Storage,
    /// What models cost, and what comes on top.
    Ai,
    /// What is missing of a commitment.
    Shortfall,
}

/// What things cost from some time on, in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceList {
    currency: Currency,
    prices: BTreeMap<Sku, Amount>,
    markups: BTreeMap<PlanName, Tiers>,
    /// Gibibytes that a plan brings.
    stored: BTreeMap<PlanName, u32>,
}

/// Why something has no price, or not this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPrice {
    /// Nobody can buy it by itself, or at all.
    #[error("{0} has no price")]
    NotSold(Sku),
    /// It is listed, and not there yet.
    #[error("{0} cannot be bought yet")]
    NotYet(Sku),
    /// Nobody is paid for buying.
    #[error("{0} below zero is no price")]
    BelowZero(Amount),
    /// The amounts.
    #[error(transparent)]
    Amount(#[from] AmountError),
}

impl Sku {
    /// Professional services, by the hour.
    pub const SERVICES: Self = Self::Extra("services");

    /// The extra of this id.
    pub fn extra(id: &str) -> Option<Self> {
        EXTRAS.iter().find(|extra| extra.id == id).map(|extra| Self::Extra(extra.id))
    }

    /// Whether it is paid for each month that one has it.
    pub fn is_by_the_month(self) -> bool {
        match self {
            Self::Plan(_) => true,
            Self::Extra(_) => self.listed().is_some_and(|extra| extra.per.ends_with("month")),
            Self::Storage | Self::Ai | Self::Shortfall => false,
        }
    }

    /// Whether it can be bought.
    pub fn is_available(self) -> bool {
        self.listed().is_none_or(|extra| extra.available)
    }

    fn listed(self) -> Option<&'static Extra> {
        let Self::Extra(id) = self else { return None };
        EXTRAS.iter().find(|extra| extra.id == id)
    }
}

impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan(plan) => write!(f, "plan {plan}"),
            Self::Extra(id) => f.write_str(id),
            Self::Storage => f.write_str("storage"),
            Self::Ai => f.write_str("ai"),
            Self::Shortfall => f.write_str("shortfall"),
        }
    }
}

/// Nothing that is sold is called so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing that is sold is called {0:?}")]
pub struct UnknownSku(String);

impl FromStr for Sku {
    type Err = UnknownSku;

    fn from_str(text: &str) -> Result<Self, UnknownSku> {
        let plan = text.strip_prefix("plan ").and_then(|plan| plan.parse().ok());
        let reckoned = [Self::Storage, Self::Ai, Self::Shortfall];
        let reckoned = reckoned.into_iter().find(|sku| sku.to_string() == text);
        let known = plan.map(Self::Plan).or(reckoned).or_else(|| Self::extra(text));
        known.ok_or_else(|| UnknownSku(text.to_owned()))
    }
}

impl PriceList {
    /// The factory's own: prices of plans and extras, and the markup on AI by volume. Storage has no price
    /// in it, so it is not billed.
    ///
    /// # Errors
    /// [`NoPrice`]: none of these numbers.
    pub fn factory() -> Result<Self, NoPrice> {
        let mut list = Self::new(Currency::USD, |plan| Tiers::by_volume(plan, Currency::USD));
        for plan in PlanName::ALL {
            list = list.with(Sku::Plan(plan), Amount::of(price(plan))?)?;
        }
        for extra in &EXTRAS {
            list = list.with(Sku::Extra(extra.id), Amount::of(extra.price)?)?;
        }
        Ok(list)
    }

    /// One without prices, with the markups of plans.
    pub fn new(currency: Currency, markup: impl Fn(PlanName) -> Tiers) -> Self {
        let markups = PlanName::ALL.into_iter().map(|plan| (plan, markup(plan))).collect();
        Self { currency, prices: BTreeMap::new(), markups, stored: BTreeMap::new() }
    }

    /// With what one of these costs.
    ///
    /// # Errors
    /// [`NoPrice`]: of another currency, below zero, or of what is reckoned and has no price.
    pub fn with(mut self, sku: Sku, price: Amount) -> Result<Self, NoPrice> {
        may_cost(sku, price, self.currency)?;
        self.prices.insert(sku, price);
        Ok(self)
    }

    /// With so many gibibytes that the plan brings.
    pub fn with_storage(mut self, plan: PlanName, gibibytes: u32) -> Self {
        self.stored.insert(plan, gibibytes);
        self
    }

    /// What its prices are in.
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// What one of these costs.
    pub fn price(&self, sku: Sku) -> Option<Amount> {
        self.prices.get(&sku).copied()
    }

    /// What comes on top of what AI costs.
    pub fn markup(&self, plan: PlanName) -> Option<&Tiers> {
        self.markups.get(&plan)
    }

    /// Gibibytes that the plan brings.
    pub fn stored(&self, plan: PlanName) -> u32 {
        self.stored.get(&plan).copied().unwrap_or_default()
    }
}

/// Whether this may be the price of that.
pub(super) fn may_cost(sku: Sku, price: Amount, currency: Currency) -> Result<(), NoPrice> {
    if matches!(sku, Sku::Ai | Sku::Shortfall) {
        return Err(NoPrice::NotSold(sku));
    }
    if price.currency() != currency {
        return Err(AmountError::Mixed(price.currency(), currency).into());
    }
    if price.micros() < 0 {
        return Err(NoPrice::BelowZero(price));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factorys_list_has_the_prices_of_plans_and_extras() {
        let list = PriceList::factory().unwrap();
        let price = |sku| list.price(sku).map(|price| price.to_string());
        let plans = PlanName::ALL.map(|plan| price(Sku::Plan(plan)).unwrap());
        assert_eq!(plans, ["99.00 USD", "999.00 USD", "9999.00 USD"]);
        let extra = |id| Sku::extra(id).unwrap();
        assert_eq!(price(extra("advanced-analytics")).unwrap(), "299.00 USD");
        assert_eq!(price(extra("platform-connection")).unwrap(), "99.00 USD");
        assert_eq!(price(Sku::SERVICES).unwrap(), "500.00 USD");
        assert_eq!((price(Sku::Storage), price(Sku::Ai)), (None, None));
        assert_eq!(Sku::extra("a-pony"), None);
    }

    #[test]
    fn what_is_bought_by_the_hour_or_not_yet_is_known_from_the_list() {
        let extra = |id| Sku::extra(id).unwrap();
        assert!(extra("advanced-analytics").is_by_the_month());
        assert!(!Sku::SERVICES.is_by_the_month() && Sku::SERVICES.is_available());
        assert!(!extra("platform-connection").is_available());
        assert!(Sku::Plan(PlanName::Starter).is_by_the_month());
        assert!(!Sku::Ai.is_by_the_month() && !Sku::Storage.is_by_the_month());
    }

    #[test]
    fn what_is_sold_is_read_as_it_is_written() {
        let plans = PlanName::ALL.map(Sku::Plan).into_iter();
        let extras = EXTRAS.iter().map(|extra| Sku::Extra(extra.id));
        for sku in plans.chain(extras).chain([Sku::Storage, Sku::Ai, Sku::Shortfall]) {
            assert_eq!(sku.to_string().parse(), Ok(sku));
        }
        for bad in ["plan gold", "starter", "", "AI"] {
            assert_eq!(bad.parse::<Sku>(), Err(UnknownSku(bad.to_owned())));
        }
    }

    #[test]
    fn a_list_is_of_one_currency_and_pays_nobody() {
        let list = || PriceList::factory().unwrap();
        let yen = Amount::new(1, "JPY".parse().unwrap());
        let mixed = AmountError::Mixed(yen.currency(), Currency::USD);
        assert_eq!(list().with(Sku::Storage, yen), Err(NoPrice::Amount(mixed)));
        let below = Amount::new(-1, Currency::USD);
        assert_eq!(list().with(Sku::Storage, below), Err(NoPrice::BelowZero(below)));
        let one = Amount::new(1, Currency::USD);
        for sku in [Sku::Ai, Sku::Shortfall] {
            assert_eq!(list().with(sku, one), Err(NoPrice::NotSold(sku)));
        }
        let stored = list().with_storage(PlanName::Business, 50);
        assert_eq!((stored.stored(PlanName::Business), stored.stored(PlanName::Starter)), (50, 0));
    }
}
