//! What somebody earned in some time, reckoned from the ledger's journals and nothing else.
//!
//! Every row is one journal, and what it says adds up: of a sale, what creators, the factory and the platform have
//! is its price; of all rows, what was theirs before and what came and went is what is theirs now. While a dispute
//! is open its tax stands with what the platform bears, and goes where it belongs once it is lost.

mod creator;
mod tenant;

pub use creator::{Earned, Earnings};
pub use tenant::{Revenue, Shared, Sums};

use blueprint::Currency;

use super::wallet::PASSED_ON;
use crate::amount::{Amount, AmountError};
use crate::ledger::{Account, Book, Journal};

/// What a journal is called that brings back what was [`PASSED_ON`].
pub const TAKEN_BACK: &str = "taken back";

/// Whether money was handed to those it belongs to, or came back from them: nothing was earned by it.
fn is_handed(journal: &Journal) -> bool {
    journal.what().starts_with(PASSED_ON) || journal.what().starts_with(TAKEN_BACK)
}

/// What a journal leaves of a currency on accounts like these: above zero what they are owed, or earned.
fn credited(
    journal: &Journal,
    currency: Currency,
    is_of: impl Fn(&Account) -> bool,
) -> Result<Amount, AmountError> {
    let entries = journal.entries().iter();
    let entries = entries.filter(|it| it.amount.currency() == currency && is_of(&it.account));
    Amount::sum(currency, entries.map(|entry| entry.amount))?.negated()
}

/// Whether what is there is a seller's own.
const fn is_own(book: Book) -> bool {
    matches!(book, Book::Payable | Book::Reserve | Book::Receivable)
}
