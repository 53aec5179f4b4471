//! An invoice before its taxes are known.

use blueprint::Slug;
use blueprint::money::Money;
use jiff::Timestamp;

use super::{Invoice, InvoiceName, NoInvoice, Rounded, Taxes, round};
use crate::rating::contract::{Agreement, Payment};
use crate::rating::line::Line;

/// Lines that are rounded already: what a provider of taxes is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub(super) name: InvoiceName,
    pub(super) organization: Slug,
    pub(super) issued: Timestamp,
    pub(super) payment: Payment,
    pub(super) lines: Vec<Line>,
    pub(super) rounded: Rounded,
}

/// Who pays, by what was agreed with them.
#[derive(Clone, Copy, Debug)]
pub struct Payer<'a> {
    /// By its short name.
    pub organization: &'a Slug,
    /// What was agreed.
    pub agreement: &'a Agreement,
}

impl Draft {
    /// What is to be paid for all of these. Lines that come to nothing at all are left out.
    ///
    /// # Errors
    /// [`NoInvoice`]
    pub fn new(
        name: InvoiceName,
        payer: Payer<'_>,
        mut lines: Vec<Line>,
        issued: Timestamp,
    ) -> Result<Self, NoInvoice> {
        lines.retain(|line| !line.amount().is_zero());
        if lines.is_empty() {
            return Err(NoInvoice::Nothing);
        }
        if let Some(below) = lines.iter().find(|line| line.amount().micros() < 0) {
            return Err(NoInvoice::BelowZero(below.amount()));
        }
        let amounts: Vec<_> = lines.iter().map(Line::amount).collect();
        let rounded = round(payer.agreement.currency(), &amounts)?;
        let payment = payer.agreement.payment(issued, &lines);
        let organization = payer.organization.clone();
        Ok(Self { name, organization, issued, payment, lines, rounded })
    }

    /// Its lines, and what each is to be paid with: what taxes are asked for.
    pub fn lines(&self) -> impl Iterator<Item = (&Line, Money)> {
        self.lines.iter().zip(self.rounded.parts.iter().copied())
    }

    /// Issues it, with these taxes.
    ///
    /// # Errors
    /// [`NoInvoice`]
    pub fn issue(self, taxes: Taxes) -> Result<Invoice, NoInvoice> {
        Invoice::issue(self, taxes)
    }
}
