//! What a person may do now on a platform, and if not: why, what would help, and when it counts again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use blueprint::money::Money;
use blueprint::spec::{PricingStrategy, UsagePrice};
use jiff::Timestamp;
use uuid::Uuid;

use super::offers::{AgentPrice, Deal, Item, Offers};
use super::subscription::{Next, State, Subscription, Why as Ended};
use super::term::day;
use crate::amount::AmountError;

/// What a person has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    tier: Option<Deal>,
    /// Something is to be paid.
    owes: bool,
    /// A tier is over as it was not paid for.
    lapsed: bool,
    agents: BTreeSet<Uuid>,
}

/// What a person wants to do, and how much of it they did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Send a message.
    Message {
        /// To an agent that somebody else made, for this price; to their own, for nothing.
        agent: Option<(Uuid, AgentPrice)>,
        /// Messages sent since [`day`] began, those to agents that are paid by the message left out.
        today: u32,
    },
    /// Make an agent.
    MakeAgent {
        /// How many they have made that are still there.
        made: u32,
    },
    /// Let another person use the subscription.
    Share {
        /// How many use it, who pays for it among them.
        people: u32,
    },
}

/// Whether they may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// And what that costs.
    Yes(Cost),
    /// And why not.
    No(No),
}

/// What something costs that may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// It is free, or paid for.
    Nothing,
    /// This is to be paid for it, each time.
    Each(Money),
    /// It is beyond the limit, and told as [`Used`](super::subscription::Fact::Used): the next bill has it.
    Used(UsagePrice),
}

/// Why something may not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct No {
    /// Why.
    pub why: Reason,
    /// What would help, the simplest first.
    pub helps: Vec<Help>,
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is for people who have a tier.
    NoTier,
    /// What they had was not paid for.
    Unpaid,
    /// It is for people with whom the platform agreed on a price.
    NotAgreed,
    /// The agent is for people who bought it.
    NotBought(Uuid, AgentPrice),
    /// So many messages a day.
    Messages(u32),
    /// So many agents.
    Agents(u32),
    /// So many people for one subscription.
    People(u32),
}

/// What would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Help {
    /// It counts again then.
    Wait(Timestamp),
    /// Pay the bill that is unpaid.
    Pay,
    /// Buy the agent.
    Buy(Uuid, AgentPrice),
    /// Have this instead.
    Have(Deal),
    /// Delete an agent.
    Delete,
    /// Ask the platform.
    Ask,
}

impl Holdings {
    /// What is had now of these subscriptions, and the agents that were bought for good.
    ///
    /// # Errors
    /// [`AmountError`]
    pub fn at<'a>(
        now: Timestamp,
        subscriptions: impl IntoIterator<Item = &'a Subscription>,
        bought: impl IntoIterator<Item = Uuid>,
    ) -> Result<Self, AmountError> {
        let mut held = Self { agents: bought.into_iter().collect(), ..Self::default() };
        for subscription in subscriptions {
            let standing = subscription.standing(now)?;
            held.owes |= standing.due.is_some() && standing.state != State::Waiting;
            match (&standing.deal.item, standing.state.has()) {
                (Item::Tier(_), true) => {
                    // Who has two has the one that costs more.
                    let known = held.tier.as_ref().map(Deal::yearly);
                    if known.is_none_or(|known| known < standing.deal.yearly()) {
                        held.tier = Some(standing.deal);
                    }
                }
                (Item::Tier(_), false) => {
                    held.lapsed |= matches!(standing.next, Next::Over(_, Ended::Unpaid));
                }
                (Item::Agent(agent), true) => {
                    held.agents.insert(*agent);
                }
                (Item::Agent(_), false) => {}
            }
        }
        Ok(held)
    }

    /// The tier that was subscribed to, if one is had.
    pub const fn tier(&self) -> Option<&Deal> {
        self.tier.as_ref()
    }

    /// Whether this agent is theirs, for good or for now.
    pub fn has(&self, agent: Uuid) -> bool {
        self.agents.contains(&agent)
    }
}

/// What somebody has of the platform.
enum Level {
    /// A tier, bought or given.
    Tier(Deal),
    /// All of it: the platform sells no tiers, or only agents.
    Open,
    /// Nothing.
    Closed(Reason),
}

/// Whether somebody who has this may do that now. People who run the platform are not asked for.
pub fn may(offers: &Offers, held: &Holdings, act: Act, now: Timestamp) -> Answer {
    let level = level(offers, held);
    match act {
        Act::Message { agent, today } => message(offers, held, level, agent, today, now),
        Act::MakeAgent { made } => {
            let fee = offers.creation_fee().map_or(Cost::Nothing, Cost::Each);
            within(offers, held, &level, fee, made, &Limit::AGENTS)
        }
        Act::Share { people } => {
            within(offers, held, &level, Cost::Nothing, people, &Limit::PEOPLE)
        }
    }
}

/// What is counted, and does not count anew by itself.
struct Limit {
    of: fn(&Deal) -> Option<u32>,
    /// Without a tier.
    open: Option<u32>,
    why: fn(u32) -> Reason,
    help: Option<Help>,
}

impl Limit {
    const AGENTS: Self = Self {
        of: |deal| deal.limits.agents,
        open: None,
        why: Reason::Agents,
        help: Some(Help::Delete),
    };
    /// A subscription is for one, where it does not say otherwise.
    const PEOPLE: Self = Self {
        of: |deal| Some(deal.limits.seats.unwrap_or(1)),
        open: Some(1),
        why: Reason::People,
        help: None,
    };
}

fn level(offers: &Offers, held: &Holdings) -> Level {
    if let Some(deal) = held.tier.clone().or_else(|| offers.free()) {
        return Level::Tier(deal);
    }
    match offers.strategy() {
        PricingStrategy::Custom => Level::Closed(Reason::NotAgreed),
        PricingStrategy::Marketplace => Level::Open,
        _ if offers.deals().next().is_none() => Level::Open,
        _ if held.lapsed => Level::Closed(Reason::Unpaid),
        _ => Level::Closed(Reason::NoTier),
    }
}

fn message(
    offers: &Offers,
    held: &Holdings,
    level: Level,
    agent: Option<(Uuid, AgentPrice)>,
    today: u32,
    now: Timestamp,
) -> Answer {
    let bought = agent.filter(|(agent, _)| held.has(*agent));
    match agent {
        // Each is paid for: no tier is asked for, and no limit.
        Some((_, AgentPrice::Message(price))) if bought.is_none() => {
            return Answer::Yes(Cost::Each(price));
        }
        Some((agent, price @ (AgentPrice::Month(_) | AgentPrice::Once(_)))) if bought.is_none() => {
            return no(Reason::NotBought(agent, price), vec![Help::Buy(agent, price)]);
        }
        _ => {}
    }
    let deal = match level {
        Level::Open => return Answer::Yes(Cost::Nothing),
        // What was bought for itself is had without a tier.
        Level::Closed(_) if bought.is_some() => return Answer::Yes(Cost::Nothing),
        Level::Closed(why) => return closed(offers, held, why, |_| true),
        Level::Tier(deal) => deal,
    };
    match deal.messages() {
        Some(limit) if today >= limit => {
            if let Some(usage) = deal.usage {
                return Answer::Yes(Cost::Used(usage));
            }
            let enough = |other: &Deal| {
                other.usage.is_some() || other.messages().is_none_or(|most| most > limit)
            };
            let mut helps = vec![Help::Wait(day(now).until())];
            helps.extend(better(offers, held, enough));
            no(Reason::Messages(limit), helps)
        }
        _ => Answer::Yes(Cost::Nothing),
    }
}

fn within(
    offers: &Offers,
    held: &Holdings,
    level: &Level,
    cost: Cost,
    count: u32,
    limit: &Limit,
) -> Answer {
    let most = match level {
        Level::Closed(why) => {
            let enough = |deal: &Deal| (limit.of)(deal).is_none_or(|most| most > count);
            return closed(offers, held, *why, enough);
        }
        Level::Open => limit.open,
        Level::Tier(deal) => (limit.of)(deal),
    };
    match most {
        Some(most) if count >= most => {
            let enough = |other: &Deal| (limit.of)(other).is_none_or(|more| more > count);
            let mut helps: Vec<_> = limit.help.clone().filter(|_| most > 0).into_iter().collect();
            helps.extend(better(offers, held, enough));
            no((limit.why)(most), helps)
        }
        _ => Answer::Yes(cost),
    }
}

fn no(why: Reason, mut helps: Vec<Help>) -> Answer {
    if helps.is_empty() {
        helps.push(Help::Ask);
    }
    Answer::No(No { why, helps })
}

fn closed(offers: &Offers, held: &Holdings, why: Reason, enough: impl Fn(&Deal) -> bool) -> Answer {
    no(why, better(offers, held, enough).collect())
}

/// The tier that costs least among those that are offered and enough. Somebody with a bill to pay pays it first.
fn better(
    offers: &Offers,
    held: &Holdings,
    enough: impl Fn(&Deal) -> bool,
) -> impl Iterator<Item = Help> {
    let mut by_price: BTreeMap<i128, Deal> = BTreeMap::new();
    let given = held.tier.clone().or_else(|| offers.free());
    for deal in offers.deals().filter(|deal| enough(deal)) {
        if given.as_ref().is_none_or(|given| given.item != deal.item) {
            by_price.entry(deal.yearly()).or_insert(deal);
        }
    }
    let pay = held.owes.then_some(Help::Pay);
    pay.into_iter().chain(by_price.into_values().next().map(Help::Have))
}

impl No {
    /// When it counts again by itself, if it does.
    pub fn again(&self) -> Option<Timestamp> {
        self.helps.iter().find_map(|help| match help {
            Help::Wait(until) => Some(*until),
            _ => None,
        })
    }
}

impl Reason {
    /// Its name for programs, which stays the same.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoTier => "no-tier",
            Self::Unpaid => "unpaid",
            Self::NotAgreed => "not-agreed",
            Self::NotBought(..) => "not-bought",
            Self::Messages(_) => "messages",
            Self::Agents(_) => "agents",
            Self::People(_) => "people",
        }
    }
}

impl fmt::Display for No {
    /// `All 30 messages of today are sent. It counts again at …, or with Pro at 12.00 USD a month.`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.", self.why)?;
        for (place, help) in self.helps.iter().enumerate() {
            match place {
                0 => write!(f, " {help}")?,
                _ => write!(f, ", or {}", lower(&help.to_string()))?,
            }
        }
        f.write_str(".")
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTier => f.write_str("This is for people who have subscribed"),
            Self::Unpaid => f.write_str("The last bill was not paid"),
            Self::NotAgreed => f.write_str("Prices are agreed with each customer"),
            Self::NotBought(_, price) => write!(f, "This agent costs {price}"),
            Self::Messages(limit) => write!(f, "All {limit} messages of today are sent"),
            Self::Agents(0) => f.write_str("Making agents is not in it"),
            Self::Agents(limit) => write!(f, "All {limit} agents are made"),
            Self::People(limit) => write!(f, "All {limit} seats are taken"),
        }
    }
}

impl fmt::Display for Help {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wait(until) => write!(f, "It counts again at {until}"),
            Self::Pay => f.write_str("Pay the bill"),
            Self::Buy(_, price) => write!(f, "Buy it for {price}"),
            Self::Have(deal) => write!(f, "Take {deal}"),
            Self::Delete => f.write_str("Delete one"),
            Self::Ask => f.write_str("Ask the platform"),
        }
    }
}

/// As it stands inside a sentence.
fn lower(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests;
