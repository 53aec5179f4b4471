//! What happens to an invoice that was issued.

use blueprint::Slug;
use blueprint::money::Money;

use super::{InvoiceName, Ref};
use crate::ledger::Journal;
use crate::rating::dunning::Fact;
use crate::sale::Verdict;

/// Something that happened to an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Money came, under the name that the rail has for it. What is more than is open is owed back.
    Paid {
        /// Who holds it.
        rail: Slug,
        /// How much.
        amount: Money,
    },
    /// A credit note: so much of these lines is not to be paid, tax included. What was paid for it is owed
    /// back.
    Credited {
        /// Which lines, from 0 on, and how much of each.
        lines: Vec<(usize, Money)>,
        /// What the note says.
        why: String,
    },
    /// Money that is owed back went back where it came from.
    Refunded {
        /// The payment.
        payment: Ref,
        /// How much.
        amount: Money,
    },
    /// Who paid says they did not, and the rail took it until it is known.
    Disputed {
        /// The payment.
        payment: Ref,
        /// How much.
        amount: Money,
    },
    /// The dispute of this name was judged. What was lost is to be paid again.
    Judged(Verdict),
    /// What another invoice owed back pays this one.
    Applied {
        /// The other one.
        from: InvoiceName,
        /// How much.
        amount: Money,
    },
    /// What this one owed back pays another.
    Given {
        /// The other one.
        to: InvoiceName,
        /// How much.
        amount: Money,
    },
}

/// What an event moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// For the ledger.
    pub journal: Journal,
    /// For who asks whether everything is paid.
    pub fact: Option<Fact>,
}

impl Event {
    /// In a word: names are unique among events of one kind.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Paid { .. } => "payment",
            Self::Credited { .. } => "credit",
            Self::Refunded { .. } => "refund",
            Self::Disputed { .. } => "dispute",
            Self::Judged(_) => "verdict",
            Self::Applied { .. } => "applied",
            Self::Given { .. } => "given",
        }
    }

    /// What the journal calls it.
    pub(super) const fn what(&self) -> &'static str {
        match self {
            Self::Paid { .. } => "invoice paid",
            Self::Credited { .. } => "credit note",
            Self::Refunded { .. } => "invoice refunded",
            Self::Disputed { .. } => "payment disputed",
            Self::Judged(Verdict::Won) => "dispute of a payment won",
            Self::Judged(Verdict::Lost) => "dispute of a payment lost",
            Self::Applied { .. } | Self::Given { .. } => "credit applied",
        }
    }
}
