//! What a platform earned, and what others had of it.

use blueprint::Currency;
use blueprint::name::BlueprintName;
use jiff::Timestamp;

use super::{credited, is_handed, is_own};
use crate::amount::{Amount, AmountError};
use crate::ledger::{Account, Book, Journal, Party};
use crate::rating::time::Period;
use crate::shop::csv::{Cell, table};

/// What a platform sold in some time, and who has what of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revenue {
    /// Which platform.
    pub tenant: BlueprintName,
    /// When.
    pub period: Period,
    /// What was the platform's before; below zero where it owed more.
    pub before: Amount,
    /// What happened, the first first.
    pub rows: Vec<Shared>,
    /// What was handed to the platform.
    pub handed: Amount,
}

/// One sale, or something that became of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// When.
    pub at: Timestamp,
    /// What, as its journal says.
    pub what: String,
    /// The event, as whoever told it calls it.
    pub event: String,
    /// Who has what.
    pub sums: Sums,
}

/// Who has what of sales.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sums {
    /// What was paid without tax; below zero where it went back. It is the sum of the next three.
    pub price: Amount,
    /// Creators, and who brought buyers.
    pub creators: Amount,
    /// The factory.
    pub fee: Amount,
    /// The platform.
    pub net: Amount,
    /// The tax, which is nobody's here.
    pub tax: Amount,
}

impl Revenue {
    /// By all journals there were until its end, the first first.
    ///
    /// # Errors
    /// [`AmountError`]
    pub fn of<'a>(
        tenant: &BlueprintName,
        currency: Currency,
        period: Period,
        journals: impl IntoIterator<Item = &'a Journal>,
    ) -> Result<Self, AmountError> {
        let nothing = Amount::zero(currency);
        let (mut before, mut handed, mut rows) = (nothing, nothing, Vec::new());
        for journal in journals.into_iter().filter(|journal| journal.at() < period.until()) {
            let sums = Sums::of(tenant, currency, journal)?;
            if journal.at() < period.from() {
                before = before.plus(sums.net)?;
            } else if is_handed(journal) {
                handed = handed.minus(sums.net)?;
            } else if !sums.is_nothing() {
                rows.push(Shared {
                    at: journal.at(),
                    what: journal.what().to_owned(),
                    event: journal.key().event.clone(),
                    sums,
                });
            }
        }
        rows.sort_by_key(|row| row.at);
        Ok(Self { tenant: tenant.clone(), period, before, rows, handed })
    }

    /// All of it.
    ///
    /// # Errors
    /// [`AmountError`]
    pub fn sums(&self) -> Result<Sums, AmountError> {
        let mut sums = Sums::nothing(self.before.currency());
        for row in &self.rows {
            sums = sums.plus(row.sums)?;
        }
        Ok(sums)
    }

    /// All of it in words that add up, with the largest sale as an example.
    ///
    /// # Errors
    /// [`AmountError`]
    pub fn in_words(&self) -> Result<String, AmountError> {
        let (sums, after) = (self.sums()?, self.before.plus(self.sums()?.net)?.minus(self.handed)?);
        let (before, net, handed) = (self.before, sums.net, self.handed);
        let text = format!(
            "From {} until {}, refunds taken off: {} Tax on it was {}. {before} were the platform's before, and \
             {handed} were handed to it: {before} + {net} - {handed} = {after} are its own now.",
            self.period.from(),
            self.period.until(),
            sums.in_words()?,
            sums.tax,
        );
        let largest = self.rows.iter().max_by_key(|row| row.sums.price.micros());
        if let Some(sale) = largest.filter(|sale| sale.sums.price.is_positive()) {
            let example = sale.sums.in_words()?;
            return Ok(format!("{text} For example {} at {}: {example}", sale.event, sale.at));
        }
        Ok(text)
    }

    /// Each row.
    pub fn csv(&self) -> String {
        let row = |row: &Shared| {
            let Sums { price, creators, fee, net, tax } = row.sums;
            let mut cells = vec![Cell::Time(row.at), Cell::text(&row.what), Cell::text(&row.event)];
            cells.extend([price, creators, fee, net, tax].map(Cell::Amount));
            cells.push(Cell::text(price.currency().code()));
            cells
        };
        let columns =
            ["time", "what", "event", "price", "creators", "fee", "net", "tax", "currency"];
        table(&columns, self.rows.iter().map(row))
    }
}

impl Sums {
    fn of(
        tenant: &BlueprintName,
        currency: Currency,
        journal: &Journal,
    ) -> Result<Self, AmountError> {
        if journal.key().tenant != tenant.as_str() {
            return Ok(Self::nothing(currency));
        }
        let credited = |is_of: &dyn Fn(&Account) -> bool| credited(journal, currency, is_of);
        let creators = credited(&|account| {
            matches!(&account.party, Party::Creator(of, _) if of == tenant) && is_own(account.book)
        })?;
        let is_tenant =
            |account: &Account| matches!(&account.party, Party::Tenant(it) if it == tenant);
        let net = credited(&|account| is_tenant(account) && is_own(account.book))?;
        let tax = credited(&|account| is_tenant(account) && account.book == Book::Tax)?;
        // What the factory is owed for other things, and what a rail took of it, is no fee.
        let fee = credited(&|account| {
            account.party == Party::Factory && matches!(account.book, Book::Revenue | Book::Reserve)
        })?;
        let price = creators.plus(fee)?.plus(net)?;
        Ok(Self { price, creators, fee, net, tax })
    }

    const fn nothing(currency: Currency) -> Self {
        let nothing = Amount::zero(currency);
        Self { price: nothing, creators: nothing, fee: nothing, net: nothing, tax: nothing }
    }

    fn is_nothing(self) -> bool {
        self == Self::nothing(self.price.currency())
    }

    fn plus(self, other: Self) -> Result<Self, AmountError> {
        Ok(Self {
            price: self.price.plus(other.price)?,
            creators: self.creators.plus(other.creators)?,
            fee: self.fee.plus(other.fee)?,
            net: self.net.plus(other.net)?,
            tax: self.tax.plus(other.tax)?,
        })
    }

    /// In words that add up.
    ///
    /// # Errors
    /// [`AmountError`]
    pub fn in_words(self) -> Result<String, AmountError> {
        let Self { price, creators, fee, net, .. } = self;
        let kept = price.minus(creators)?;
        Ok(format!(
            "{price} were paid without tax. Creators have {creators} of it. Of the {kept} that the platform \
             keeps, {fee} are the fee. That leaves {net}: {creators} + {fee} + {net} = {price}."
        ))
    }
}
