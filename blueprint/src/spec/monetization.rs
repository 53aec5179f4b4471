//! What is sold, and how the money is shared.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_default;
use crate::{
    money::{Bps, Currency, Money},
    text::Slug,
};

/// What is sold, and how the money is shared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Monetization {
    /// How the platform earns. Default: freemium.
    #[serde(default)]
    pub pricing_strategy: PricingStrategy,
    /// The one currency of all prices here. Default: USD.
    #[serde(default)]
    pub currency: Currency,
    /// What people can subscribe to, cheapest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 12))]
    pub tiers: Vec<Tier>,
    /// What making an agent costs; nothing when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_creation_fee: Option<Money>,
    /// What a creator gets of a sale of their agent, in basis points: 7000 is 70 %, the rest
    /// stays with the platform. Default: 7000.
    #[serde(default = "creator_share")]
    pub creator_share_bps: Bps,
}

impl Default for Monetization {
    fn default() -> Self {
        Self {
            pricing_strategy: PricingStrategy::default(),
            currency: Currency::default(),
            tiers: Vec::new(),
            agent_creation_fee: None,
            creator_share_bps: creator_share(),
        }
    }
}

fn creator_share() -> Bps {
    Bps::percent(70)
}

/// How the platform earns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PricingStrategy {
    /// One tier is free, others are paid.
    #[default]
    Freemium,
    /// Tiers are paid by the month or year.
    Subscription,
    /// People pay for what they use.
    Usage,
    /// People pay for single agents; the platform keeps a share.
    Marketplace,
    /// Prices are agreed with each customer.
    Custom,
}

/// Something people can subscribe to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tier {
    /// Stays the same for ever, so that subscriptions find their tier.
    pub id: Slug,
    /// The name people see.
    #[schemars(length(min = 1, max = 60))]
    pub name: String,
    /// What one period costs.
    pub price: Money,
    /// The period. Default: month.
    #[serde(default, skip_serializing_if = "is_default")]
    pub interval: BillingInterval,
    /// One line on who it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 160))]
    pub summary: Option<String>,
    /// What it brings, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 12), inner(length(min = 1, max = 120)))]
    pub benefits: Vec<String>,
    /// Days before the first payment; none when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 90))]
    pub trial_days: Option<u16>,
    /// How much of the platform it opens; a limit left out is no limit.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: TierLimits,
    /// What use beyond the limits costs; where left out, use stops at the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_price: Option<UsagePrice>,
}

/// The period of a subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BillingInterval {
    /// A calendar month.
    #[default]
    Month,
    /// Twelve of them.
    Year,
}

/// How much of the platform a tier opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TierLimits {
    /// Messages a person can send in a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub messages_per_day: Option<u32>,
    /// Agents a person can have made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub agents: Option<u32>,
    /// People who share one subscription; 1 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub seats: Option<u32>,
}

/// What use costs beyond a tier's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsagePrice {
    /// What is counted.
    pub unit: UsageUnit,
    /// What one unit costs.
    pub price: Money,
}

/// What is counted when people pay for use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UsageUnit {
    /// One message and its answer.
    Message,
    /// A thousand tokens, read and written together.
    ThousandTokens,
}
