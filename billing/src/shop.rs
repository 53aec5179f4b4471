//! What people pay a platform, and who gets what of it. No input, no output and no clock.
//!
//! ```text
//! the blueprint's monetization -> Offers (Dated: what was bought keeps its terms)
//!   Deal: what somebody buys, as it was offered then
//!     -> Subscription: begins, changes by a quote, is paid or not, ends: facts and a time
//!     -> Holdings: what a person has now;  may: what they may do, or why not and what would help
//!   Bill -> paid on a rail -> Sale by the Rule of a Team -> journals
//!     -> settle: what a seller cannot give back is owed to us; Reserves keep a part of what they earn
//!        -> Statement: folded from journals alone, in words and as CSV
//! ```
//!
//! Whoever keeps all of this does, in one transaction for each event and with the sellers in it locked:
//!
//! ```text
//! let rule = sharing.of_team(&team, buyer, referrer)?;              // or of_tenant
//! let (sold, journal) = sale.sell(&rule, (key, at))?;               // later: sold.refund, dispute, settle
//! reserves.sold(&called, sold.parts(), policy, at);                 // later: reserves.left
//! if let Posted::New(_) = post(&journal) {
//!     if let Some(settled) = settle_after(&journal, &balance, &held)? { post(&settled) }
//! }
//! subscription.told(called, Fact::Paid { term, amount, at })?;      // or accept(called, &quote, at)
//! ```
//!
//! Whoever tells these things something tells it under a name: told twice it is the same, told otherwise it is
//! refused. Days, months and years are those of the calendar in UTC, wherever anybody is.

pub mod access;
pub mod bill;
pub mod csv;
pub mod offers;
pub mod reserve;
pub mod statement;
pub mod subscription;
pub mod team;
pub mod term;
pub mod wallet;
