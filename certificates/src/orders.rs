//! How certificates come: one open order for each name, made true step by step.
//!
//! ```text
//! want -> take -> advance: new order -> answer the challenge -> finalize -> store
//!           ^        |  killed anywhere, or no answer: later, from where the authority says it is
//!           +--------+
//! ```
//! What an authority knows of an order is asked each time and never remembered: all that is kept is
//! where the order is, the key that it is for, and, before the authority is told to look, the
//! answer it will find. So an answer that was lost costs a question, and no certificate is ordered
//! twice for it.

mod advance;
mod renewal;
mod table;
mod turns;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

pub use advance::{Issuer, OwnDomain, Settings};
pub use instant_acme::RetryPolicy;
pub use table::{
    Answer, answer, answer_for, bring, current, due_for_renewal, is_due, next_due, open, tidy, want,
};
pub(crate) use table::{key_field, key_place};

use crate::acme::Trouble;

/// An order under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its key; the certificate that comes of it has the same.
    pub id: Uuid,
    /// For which name.
    pub name: String,
    /// What it renews, by the authority's own name for it.
    pub replaces: Option<String>,
    /// Whom it was given to.
    pub authority: Option<String>,
    /// Where it is.
    pub url: Option<String>,
    /// Refusals in a row.
    pub refusals: u8,
    /// Since when nobody answered.
    pub silent_since: Option<Timestamp>,
    /// What stands against it.
    pub failure: Option<String>,
    pub(crate) key: Vec<u8>,
    pub(crate) csr: Vec<u8>,
}

/// What an order came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advanced {
    /// The certificate is there.
    Issued,
    /// Later.
    Later(Trouble),
}

/// So long nobody else takes an order that is being advanced.
pub(crate) const TAKEN: SignedDuration = SignedDuration::from_secs(120);
