//! What an organization pays the factory, and until when it may. No input, no output and no clock.
//!
//! ```text
//! price lists + contracts  ->  Agreement: what a thing costs at a time
//!   Subscription: plan and extras, in advance by the month; a change is quoted, then accepted
//!   Meter: AI use by windows, cost and markup, as it is used
//!   storage, services, what is missing of a commitment: when the month, or the term, is over
//!     -> lines in millionths -> Draft (each rounded once) + taxes -> Invoice
//!        -> payments, credit notes, refunds, disputes -> journals
//!        -> facts -> Dunning: from current over past due, grace, suspended to retained, and back
//! ```
//!
//! What is told twice is the same: every journal's event is called after the invoice it is about, and whoever
//! tells it again gets the same journal.

pub mod contract;
pub mod dated;
pub mod dunning;
pub mod invoice;
pub mod line;
pub mod markup;
pub mod prices;
pub mod subscription;
pub mod time;
pub mod usage;

/// Whose events all of this is, in [`EventKey::tenant`](crate::ledger::EventKey::tenant).
pub const CONTROL: &str = "control";
