//! Where money comes from: the promise between a replica and whoever knows the budget.
//!
//! A replica holds money of a tenant under an id of its own making. Its [`Claim`] says all it
//! knows, as sums since the holding began: what it spent, and what it wants to hold beyond that.
//! So a claim that is lost, late or doubled does no harm: the next one says it all again, and an
//! older one than the last is refused. Wanting nothing gives everything back.

mod vault;

use std::time::Duration;

use async_trait::async_trait;
use blueprint::Currency;
use jiff::Timestamp;
use uuid::Uuid;

pub use vault::Vault;

use crate::prices::Micros;

/// How long a lease is good without being renewed.
pub const LIFE: Duration = Duration::from_mins(5);
/// How long after its end a lease may still be spent when the treasury cannot be reached.
pub const GRACE: Duration = Duration::from_hours(1);
/// So long before the grace ends nothing new begins, so that what runs can end within it. What
/// takes longer still is recorded, and billed as far as the budget allows.
pub const WIND_DOWN: Duration = Duration::from_mins(10);

/// What a replica spent and what it wants to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The holding, chosen by the replica: new after each start, and after one was lost.
    pub holding: Uuid,
    /// Later claims of a holding have larger numbers.
    pub number: u64,
    /// Whose money.
    pub tenant: String,
    /// Of which currency.
    pub currency: Currency,
    /// Spent since the holding began.
    pub spent: Micros,
    /// Wanted beyond that, what is reserved now included.
    pub want: Micros,
}

/// What may be spent beyond what the claim said was spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// The tenant has no budget: what it spends is only counted.
    Unlimited,
    /// This much. Never less than what was wanted and already held, as a replica may have spent
    /// that by now.
    UpTo(Micros),
}

/// An answer to a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What may be spent.
    pub allowance: Allowance,
    /// For how long, counted by the replica from when it sent the claim: its clock then ends
    /// before the treasury's, however the two are set.
    pub life: Duration,
    /// When the budget is renewed, if it has such a time.
    pub renews_at: Option<Timestamp>,
}

/// Why there is no lease.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreasuryError {
    /// Nobody answered, or not in words we know; for the log.
    #[error("the treasury does not answer: {0}")]
    Unreachable(String),
    /// The holding ended, as it was not renewed within life and grace. What it spent counts by
    /// its records; the replica begins a new one.
    #[error("the holding has ended")]
    Ended,
    /// A later claim was answered already.
    #[error("a later claim was answered already")]
    Stale,
    /// The budget is in another currency.
    #[error("the budget is in another currency")]
    Currency,
}

/// Knows the budgets.
#[async_trait]
pub trait Treasury: Send + Sync {
    /// Takes note of what was spent, and leases what is wanted or what is left.
    async fn lease(&self, claim: &Claim) -> Result<Lease, TreasuryError>;

    /// Money that was spent beyond budgets since the start, and that nobody pays
    /// ([`Vault::forgone`]), where this process is who knows.
    fn forgone(&self) -> Vec<(Currency, Micros)> {
        Vec::new()
    }
}
