//! What a platform sells, as its blueprint says it.

use std::fmt;

use blueprint::money::{Bps, Currency, Money};
use blueprint::spec::{
    BillingInterval, Monetization, PricingStrategy, Tier, TierLimits, UsagePrice, UsageUnit,
};
use blueprint::text::Slug;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What counts from some time on. Keep them in a [`Dated`](crate::rating::dated::Dated): who comes later is
/// offered what counts then, and what was bought stays as it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Offers {
    strategy: PricingStrategy,
    currency: Currency,
    tiers: Vec<Tier>,
    creation_fee: Option<Money>,
    creator_share: Bps,
}

/// Something that is had by the month or year, as it was when it was offered. It keeps its price and its limits
/// for as long as it is had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deal {
    /// What is had.
    pub item: Item,
    /// What people know it by.
    pub name: String,
    /// What each term costs, in advance; it may be nothing.
    pub price: Money,
    /// How long a term is.
    pub every: BillingInterval,
    /// Days before the first payment.
    pub trial_days: u16,
    /// How much of the platform it opens.
    pub limits: TierLimits,
    /// What use beyond the limits costs; of messages without a limit, all use.
    pub usage: Option<UsagePrice>,
}

/// What a [`Deal`] is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Item {
    /// A tier of the platform.
    Tier(Slug),
    /// An agent, by the month.
    Agent(Uuid),
}

/// What a creator asks for an agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentPrice {
    /// Nothing.
    #[default]
    Free,
    /// So much for each message and its answer.
    Message(Money),
    /// So much a month, in advance.
    Month(Money),
    /// So much, and it is theirs for good.
    Once(Money),
}

/// Why something cannot be offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoOffer {
    /// Not in the platform's currency.
    #[error("{0} is not in {1}, the currency of the platform; ask for {1}")]
    Currency(Money, Currency),
    /// Below zero, or nothing where there has to be something.
    #[error("{0} is no price; ask for something above nothing, or offer it for nothing")]
    NoPrice(Money),
}

impl Offers {
    /// What the blueprint says.
    ///
    /// # Errors
    /// [`NoOffer`]: of a blueprint that nobody checked.
    pub fn of(monetization: &Monetization) -> Result<Self, NoOffer> {
        let Monetization {
            pricing_strategy,
            currency,
            tiers,
            agent_creation_fee,
            creator_share_bps,
        } = monetization;
        let usage = tiers.iter().filter_map(|tier| tier.usage_price).map(|usage| usage.price);
        let prices = tiers.iter().map(|tier| tier.price).chain(usage).chain(*agent_creation_fee);
        for price in prices {
            in_currency(price, *currency)?;
            if price.amount() < 0 {
                return Err(NoOffer::NoPrice(price));
            }
        }
        Ok(Self {
            strategy: *pricing_strategy,
            currency: *currency,
            tiers: tiers.clone(),
            creation_fee: agent_creation_fee.filter(|fee| fee.amount() > 0),
            creator_share: *creator_share_bps,
        })
    }

    /// How the platform earns.
    pub const fn strategy(&self) -> PricingStrategy {
        self.strategy
    }

    /// What everything is paid in.
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// What making an agent costs.
    pub const fn creation_fee(&self) -> Option<Money> {
        self.creation_fee
    }

    /// What the creators of an agent get of what it is sold for, all together.
    pub const fn creator_share(&self) -> Bps {
        self.creator_share
    }

    /// What anybody can subscribe to, in the order of the blueprint. Where prices are agreed with each customer
    /// that is nothing: see [`Self::tier`] and [`Deal::agreed`].
    pub fn deals(&self) -> impl Iterator<Item = Deal> {
        let is_open = self.strategy != PricingStrategy::Custom;
        self.tiers.iter().filter(move |_| is_open).map(deal)
    }

    /// One of the tiers, as it is offered or to be agreed upon.
    pub fn tier(&self, id: &Slug) -> Option<Deal> {
        self.tiers.iter().find(|tier| tier.id == *id).map(deal)
    }

    /// The tier that everybody has who has no other, where there is one.
    pub fn free(&self) -> Option<Deal> {
        let is_given =
            matches!(self.strategy, PricingStrategy::Freemium | PricingStrategy::Marketplace);
        self.deals().find(|deal| is_given && deal.price.amount() == 0)
    }

    /// What a creator may ask for an agent.
    ///
    /// # Errors
    /// [`NoOffer`]
    pub fn check(&self, price: AgentPrice) -> Result<AgentPrice, NoOffer> {
        let Some(asked) = price.money() else { return Ok(price) };
        in_currency(asked, self.currency)?;
        if asked.amount() > 0 { Ok(price) } else { Err(NoOffer::NoPrice(asked)) }
    }
}

impl Deal {
    /// An agent by the month.
    pub fn agent(agent: Uuid, name: impl Into<String>, monthly: Money) -> Self {
        Self {
            item: Item::Agent(agent),
            name: name.into(),
            price: monthly,
            every: BillingInterval::Month,
            trial_days: 0,
            limits: TierLimits::default(),
            usage: None,
        }
    }

    /// At another price, which was agreed with one customer.
    ///
    /// # Errors
    /// [`NoOffer`]
    pub fn agreed(self, price: Money) -> Result<Self, NoOffer> {
        in_currency(price, self.price.currency())?;
        if price.amount() < 0 { Err(NoOffer::NoPrice(price)) } else { Ok(Self { price, ..self }) }
    }

    /// For somebody who tried the platform before: nobody tries it twice.
    pub fn without_trial(self) -> Self {
        Self { trial_days: 0, ..self }
    }

    /// What it costs in a year: what two deals are compared by.
    pub fn yearly(&self) -> i128 {
        let times = match self.every {
            BillingInterval::Month => 12,
            BillingInterval::Year => 1,
        };
        i128::from(self.price.amount()) * times
    }

    /// How many messages a day are in it: all, where use has neither a limit nor a price.
    pub fn messages(&self) -> Option<u32> {
        match (self.limits.messages_per_day, self.usage) {
            (None, Some(_)) => Some(0),
            (limit, _) => limit,
        }
    }
}

impl AgentPrice {
    /// What is paid each time.
    pub const fn money(self) -> Option<Money> {
        match self {
            Self::Free => None,
            Self::Message(money) | Self::Month(money) | Self::Once(money) => Some(money),
        }
    }
}

fn deal(tier: &Tier) -> Deal {
    Deal {
        item: Item::Tier(tier.id.clone()),
        name: tier.name.clone(),
        price: tier.price,
        every: tier.interval,
        trial_days: tier.trial_days.unwrap_or_default(),
        limits: tier.limits,
        usage: tier.usage_price.filter(|usage| usage.price.amount() > 0),
    }
}

fn in_currency(price: Money, currency: Currency) -> Result<(), NoOffer> {
    if price.currency() == currency { Ok(()) } else { Err(NoOffer::Currency(price, currency)) }
}

impl fmt::Display for Deal {
    /// `Pro at 12.00 USD a month`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let every = match self.every {
            BillingInterval::Month => "month",
            BillingInterval::Year => "year",
        };
        write!(f, "{} at {} a {every}", self.name, self.price)?;
        match self.usage {
            None => Ok(()),
            Some(UsagePrice { unit: UsageUnit::Message, price }) => {
                write!(f, " and {price} a message beyond its limit")
            }
            Some(UsagePrice { unit: UsageUnit::ThousandTokens, price }) => {
                write!(f, " and {price} a thousand tokens beyond its limit")
            }
        }
    }
}

impl fmt::Display for AgentPrice {
    /// `5.00 USD a month`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Free => f.write_str("free"),
            Self::Message(money) => write!(f, "{money} a message"),
            Self::Month(money) => write!(f, "{money} a month"),
            Self::Once(money) => write!(f, "{money} once"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offers(strategy: PricingStrategy, tiers: &[(&str, &str)]) -> Result<Offers, NoOffer> {
        let tier = |(id, price): &(&str, &str)| Tier {
            id: id.parse().unwrap(),
            name: id.to_uppercase(),
            price: price.parse().unwrap(),
            interval: BillingInterval::Month,
            summary: None,
            benefits: Vec::new(),
            trial_days: Some(7),
            limits: TierLimits { messages_per_day: Some(30), ..TierLimits::default() },
            usage_price: None,
        };
        Offers::of(&Monetization {
            pricing_strategy: strategy,
            tiers: tiers.iter().map(tier).collect(),
            ..Monetization::default()
        })
    }

    #[test]
    fn tiers_are_sold_unless_prices_are_agreed_with_each_customer() {
        let tiers = [("free", "0.00 USD"), ("pro", "12.00 USD")];
        let names = |offers: &Offers| offers.deals().map(|deal| deal.name).collect::<Vec<_>>();
        let open = offers(PricingStrategy::Freemium, &tiers).unwrap();
        assert_eq!(names(&open), ["FREE", "PRO"]);
        assert_eq!(open.free().unwrap().name, "FREE");
        let pro = open.tier(&"pro".parse().unwrap()).unwrap();
        assert_eq!((pro.to_string(), pro.trial_days), ("PRO at 12.00 USD a month".into(), 7));
        assert_eq!(pro.clone().without_trial().trial_days, 0);
        assert_eq!(pro.yearly(), 14_400);
        let agreed = offers(PricingStrategy::Custom, &tiers).unwrap();
        assert_eq!((names(&agreed), agreed.free()), (vec![], None));
        let deal = agreed.tier(&"pro".parse().unwrap()).unwrap();
        assert_eq!(deal.agreed("9.00 USD".parse().unwrap()).unwrap().price.amount(), 900);
        assert_eq!(offers(PricingStrategy::Subscription, &tiers).unwrap().free(), None);
    }

    #[test]
    fn everything_is_in_the_currency_of_the_platform_and_not_below_zero() {
        let yen: Money = "100 JPY".parse().unwrap();
        let mixed = offers(PricingStrategy::Freemium, &[("pro", "100 JPY")]);
        assert_eq!(mixed, Err(NoOffer::Currency(yen, Currency::USD)));
        let below = offers(PricingStrategy::Freemium, &[("pro", "-0.01 USD")]);
        assert_eq!(below, Err(NoOffer::NoPrice("-0.01 USD".parse().unwrap())));
        let open = offers(PricingStrategy::Freemium, &[("pro", "0.00 USD")]).unwrap();
        let usd = |text: &str| text.parse::<Money>().unwrap();
        assert_eq!(open.check(AgentPrice::Free), Ok(AgentPrice::Free));
        let once = AgentPrice::Once(usd("5.00 USD"));
        assert_eq!(open.check(once), Ok(once));
        for bad in [AgentPrice::Message(yen), AgentPrice::Month(usd("0.00 USD"))] {
            assert!(open.check(bad).is_err(), "{bad}");
        }
    }
}
