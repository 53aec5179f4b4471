//! What a rail has made, as it is now.

use blueprint::Money;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{IntentId, SellerId};

/// Where something is at a rail.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// What the rail calls such things.
    pub word: String,
    /// What it calls this one.
    pub id: String,
    /// On whose account: ours where it is nobody's.
    pub account: Option<SellerId>,
}

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Who pays.
    Customer,
    /// Who is paid.
    Seller,
    /// A page to pay on.
    Checkout,
    /// Money that was paid, or is to be.
    Payment,
    /// Payments that come again.
    Subscription,
    /// What one of those is for.
    Invoice,
    /// Money given back.
    Refund,
    /// Money passed on.
    Transfer,
    /// Money passed on that came back.
    TakeBack,
    /// Money that left for our bank.
    Payout,
    /// Somebody's bank took their money back.
    Dispute,
    /// Nothing that concerns us.
    Other,
}

/// How it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It is as it is wished; what it moves has moved.
    Settled,
    /// The rail or a person has yet to do something.
    Open,
    /// It was as it is wished, and goes on no more.
    Ended,
    /// Nothing moved, or it moved back; why.
    Failed(String),
}

/// What moved on our balance at the rail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cash {
    /// What the rail's balance calls it.
    pub booked_as: String,
    /// What came, or below zero went, before the rail's fee.
    pub gross: Money,
    /// What the rail took for it, once that is known.
    pub fee: Option<Money>,
}

/// Something at a rail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Where it is.
    pub at_rail: ObjectRef,
    /// What it is.
    pub kind: Kind,
    /// Which of our intents made it.
    pub intent: Option<IntentId>,
    /// How it stands.
    pub standing: Standing,
    /// What it moved on our balance; `None`: nothing.
    pub cash: Option<Cash>,
    /// What of that is on our balance again: of a dispute that was won. The rail's balance calls it as it called
    /// what was taken, with `:back` behind it.
    #[serde(default)]
    pub back: Option<Money>,
    /// The payment it is of, where it is a page or an invoice that was paid.
    pub payment: Option<String>,
    /// Where to send the person who waits for it.
    pub link: Option<String>,
    /// When it happened, by the rail's clock: the same whenever it is asked.
    pub at: Timestamp,
}
