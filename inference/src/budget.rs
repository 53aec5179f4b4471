//! What may be spent: a reservation before an answer begins, settled exactly when it ends.
//!
//! Two limits stand beside each other. A tenant's money is leased from a [`Treasury`], so that
//! several replicas never spend more together than there is; a person's tokens of a day (in UTC)
//! are counted here. A [`Reservation`] takes both for the longest answer that may come, and gives
//! back what was not used. Nothing is ever spent beyond what was leased:
//!
//! - A lease is renewed when half of its [`LIFE`] is over or its money runs low, in the
//!   background and once at a time for each tenant.
//! - When the treasury cannot be reached, a tenant goes on spending what it holds until [`GRACE`]
//!   after the lease's end, less [`WIND_DOWN`] in which only what runs already may end.
//! - After [`GRACE`] the treasury counts the rest of an unanswered lease as free again, and the
//!   replica, whose clock started before the treasury's, has stopped spending it.
//! - Money that nobody used for [`LIFE`] is given back.

mod account;
mod ledger;
mod local;
mod people;
mod purse;
mod remote;
mod renewal;
mod reservation;
mod treasury;

#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;

pub use account::Limits;
pub use ledger::Ledger;
pub use local::{Local, Standing};
pub use remote::{Remote, RemoteError};
pub use reservation::{Charge, Reservation};
pub use treasury::Treasury;
pub use usage::{Allowance, Claim, GRACE, LIFE, Lease, TreasuryError, Vault, WIND_DOWN};

pub(crate) use usage::later;

use crate::prices::Unpriced;

/// Why an answer may not begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// What it would cost is unknown.
    #[error(transparent)]
    Unpriced(#[from] Unpriced),
    /// The model is priced in another currency than the budget is in.
    #[error("the model's price and the budget are in different currencies")]
    Currency,
    /// The tenant has no money left for an answer of this length.
    #[error("the budget is spent")]
    BudgetSpent {
        /// When there is money again, if that is known.
        renews_at: Option<Timestamp>,
    },
    /// There would be enough money, but answers under way may still need it.
    #[error("the rest of the budget is kept for answers under way")]
    BudgetHeld,
    /// The person has not so many tokens left today.
    #[error("the person's tokens for today are spent")]
    DailyTokensSpent {
        /// Tokens left today; the answer may need more.
        left: u64,
        /// Until the next day in UTC begins.
        renews_in: Duration,
    },
    /// More different people today than are counted for one tenant.
    #[error("more people than can be counted asked today")]
    TooManyPeople {
        /// Until the next day in UTC begins.
        renews_in: Duration,
    },
    /// Whoever knows the budget does not answer, and what was leased is used up or out of date.
    #[error("no money could be leased")]
    LeaseUnavailable {
        /// When the next try is made.
        retry_in: Duration,
    },
}

/// How long from `from` until `to`; zero if that is over.
pub(crate) fn until(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}
