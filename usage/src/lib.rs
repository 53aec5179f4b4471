//! What models cost and used: the words that model servers and whoever knows the budgets share.
//!
//! Money is leased to replicas of model servers: a [`Claim`] says what one spent and wants, a
//! [`Lease`] what it may spend. What an answer used is an [`Event`], told once more whenever it is
//! not known whether it was heard. [`Vault`] is the arithmetic that brings the two together for one
//! tenant, exactly, in any order. No input, no output and no clock: whatever depends on time is
//! handed it.

mod event;
mod money;
mod month;
mod treasury;
mod vault;

pub use event::{Event, Outcome};
pub use money::{Micros, Tokens};
pub use month::{day_of, first_of_next_month};
pub use treasury::{Allowance, Claim, GRACE, LIFE, Lease, TreasuryError, WIND_DOWN};
pub use vault::Vault;

use std::time::Duration;

use jiff::Timestamp;

/// `time` later by `by`, or the end of time.
#[must_use]
pub fn later(time: Timestamp, by: Duration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}
