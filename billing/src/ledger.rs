//! What happened to money, for ever.
//!
//! Double entry: a [`Journal`] moves amounts between [`Account`]s and sums to nothing in each currency. What
//! is on the left side (debit) is above zero here: what somebody owes us, what a rail holds for us, what
//! something cost. What is on the right side (credit) is below: what we owe, what we earned.
//!
//! Each event is taken once, by its [`EventKey`], which never ends. The same event told with other content is
//! kept as a conflict and changes nothing. Journals are only ever added ([`store`]); what was wrong is made
//! good by another journal. Batches of them are [sealed](seal) in a chain, so that who changes one behind
//! our back, or takes one out, is found. [`memory`] does the same in memory: what the store is held
//! against.

mod account;
mod journal;
pub mod memory;
pub mod seal;
pub mod store;

pub use account::{Account, Book, NoAccount, Party};
pub use journal::{Content, Entry, EventKey, Journal, LONGEST_NAME, MOST_ENTRIES, NoJournal};

/// What became of a journal that was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posted {
    /// It is in the ledger now, under this number.
    New(i64),
    /// It was there before, and says the same; its number.
    Again(i64),
    /// Its event was told before and said something else: that one counts. This one is kept as a conflict.
    Conflict(i64),
}
