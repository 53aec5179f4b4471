//! Invoices: lines that were reckoned in millionths, each rounded once, and what becomes of them.
//!
//! What is rounded is the total, to the nearest minor unit; lines are rounded down or up so that they sum to
//! it, those up that lost most. What rounding left over goes to an account of its own, so that what was used
//! in millionths is taken in millionths. Once issued nothing is rewritten: credit notes take back of single
//! lines, tax in proportion, until nothing is left of them.

mod draft;
mod event;
mod issued;
mod name;
mod rounding;
mod tax;

use blueprint::Slug;
use blueprint::money::{Currency, Money};

pub use draft::{Draft, Payer};
pub use event::{Event, Moved};
pub use issued::{Invoice, apply};
pub use name::{InvoiceName, LONGEST_REF, NoRef, Ref};
pub use rounding::{Rounded, round};
pub use tax::{Tax, TaxKind, Taxes};

use crate::amount::{Amount, AmountError};
use crate::ledger::NoJournal;

/// Why something is no invoice, or cannot happen to it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoInvoice {
    /// There is nothing in it.
    #[error("an invoice has lines, and one of them above nothing")]
    Nothing,
    /// Something in it is below zero.
    #[error("{0} is below zero; an invoice takes, and a credit note gives back")]
    BelowZero(Amount),
    /// Taxes are not those of its lines.
    #[error(
        "taxes of {taxes} lines were told for {lines}, or of more than a line has, or below zero"
    )]
    Taxes {
        /// How many were told.
        taxes: usize,
        /// How many lines there are.
        lines: usize,
    },
    /// It is nothing that moves.
    #[error("nothing is to be moved")]
    NothingMoves,
    /// More than there is.
    #[error("{asked} is more than the {left} that is left of {of}")]
    MoreThanLeft {
        /// To be moved.
        asked: Money,
        /// What can be.
        left: Money,
        /// Of what.
        of: String,
    },
    /// There is no such line.
    #[error("it has no line {0}")]
    NoLine(usize),
    /// A line is named twice in one credit note.
    #[error("line {0} is named twice; name what is given back of it once")]
    LineTwice(usize),
    /// Nothing was told under this name.
    #[error("nothing is called {0} here")]
    Unknown(Ref),
    /// Something else was told under this name.
    #[error("{0} was told before and said something else")]
    Conflict(Ref),
    /// Nobody pays with what somebody else is owed.
    #[error("{0} owes nothing to {1}")]
    NotTheirs(InvoiceName, Slug),
    /// Currencies.
    #[error("{0} and {1} cannot be reckoned together")]
    Mixed(Currency, Currency),
    /// The amounts.
    #[error(transparent)]
    Amount(#[from] AmountError),
    /// What moves.
    #[error(transparent)]
    Journal(#[from] NoJournal),
}
