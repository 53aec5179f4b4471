//! What we ask of whoever moves money.

use async_trait::async_trait;
use blueprint::{Currency, Slug};
use jiff::{SignedDuration, Timestamp};

use super::{CustomerId, IntentId, Object, ObjectRef, PayoutId, SellerId, Wish};

/// Something to be done, and the key under which it is done once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Which.
    pub intent: IntentId,
    /// Made of it: [`IntentId::key`].
    pub key: String,
    /// What.
    pub wish: Wish,
}

/// What to look for: something that may have been done between these two times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Whose it would be.
    pub intent: IntentId,
    /// What it would be.
    pub wish: Wish,
    /// When it was first sent.
    pub since: Timestamp,
    /// When it is looked for.
    pub until: Timestamp,
}

/// Pages of a rail that people are sent to. They move nothing, and a new one is made each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkTo {
    /// Where who is to be paid says who they are.
    Onboarding {
        /// Who.
        seller: SellerId,
        /// Where they go afterwards.
        back: String,
        /// Where they go when the page is too old: to ask for another one.
        anew: String,
    },
    /// Where who pays sees receipts, changes cards and cancels.
    Portal {
        /// Who.
        customer: CustomerId,
        /// On whose account.
        on: Option<SellerId>,
        /// Where they go afterwards.
        back: String,
    },
}

/// What moved on our balance at the rail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// What the rail calls it.
    pub id: String,
    /// What it is booked as: [`Cash::booked_as`](super::Cash), with `:undone` behind it where that moved back, and
    /// `:back` where a dispute was won.
    pub about: String,
    /// In which currency.
    pub currency: Currency,
    /// Minor units that came, or below zero went, before the rail's fee.
    pub gross: i64,
    /// Minor units that the rail took.
    pub fee: i64,
}

/// Some of the movements of a payout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// These.
    pub movements: Vec<Movement>,
    /// After which the next ones come; `None`: these were the last.
    pub next: Option<String>,
}

/// Why a rail did not do something, as far as we know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// This request did nothing, and is safe to send again, no sooner than after that.
    #[error("the rail did nothing now: {why}")]
    Again {
        /// What it says, without secrets.
        why: String,
        /// What it wants us to wait.
        after: Option<SignedDuration>,
    },
    /// It will not do this, however often it is asked.
    #[error("the rail refuses: {0}")]
    Refused(String),
    /// Nobody here knows whether it did it.
    #[error("what the rail did is unknown: {0}")]
    Unknown(String),
}

/// Who moves money. Nothing here retries, remembers or decides: intents do.
#[async_trait]
pub trait PaymentRail: Send + Sync {
    /// As the ledger knows it: `rail:NAME/cash` is what it holds for us.
    fn name(&self) -> &Slug;

    /// Whether nobody pays anything here. Whoever shows its pages and receipts says so on them.
    fn is_test_money(&self) -> bool;

    /// Does it; asked again under the same key, it does nothing and answers as before, as long as it keeps keys.
    ///
    /// # Errors
    /// [`Trouble`]
    async fn send(&self, order: &Order) -> Result<Object, Trouble>;

    /// What was made of an intent, by what the rail kept beside it: `None` where there is nothing.
    ///
    /// # Errors
    /// [`Trouble`]: then nobody knows.
    async fn find(&self, search: &Search) -> Result<Option<Object>, Trouble>;

    /// Something as it is now.
    ///
    /// # Errors
    /// [`Trouble`]
    async fn fetch(&self, object: &ObjectRef) -> Result<Object, Trouble>;

    /// The address of a page.
    ///
    /// # Errors
    /// [`Trouble`]
    async fn link(&self, to: &LinkTo) -> Result<String, Trouble>;

    /// What is in a payout of ours, the payout itself among it, after where the last page ended.
    ///
    /// # Errors
    /// [`Trouble`]
    async fn movements(&self, payout: &PayoutId, after: Option<&str>) -> Result<Page, Trouble>;
}
