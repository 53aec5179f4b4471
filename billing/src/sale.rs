//! A sale on a platform, and what becomes of it: as journals.
//!
//! Who bought pays a price and tax. The rail holds the money; of the price each has their part by the
//! [`Rule`], the tax is kept for those it belongs to. What is given back is taken from the same parts, and
//! from the tax in proportion. A dispute takes the money from the rail at once and leaves open whose it is:
//! what each had of it is kept back until it is won, when they have it again, or lost, when it is
//! gone for good.

use blueprint::Money;
use blueprint::name::BlueprintName;
use jiff::Timestamp;

use crate::amount::{Amount, AmountError};
use crate::ledger::{Account, Book, Entry, EventKey, Journal, NoJournal, Party};
use crate::split::{NoSplit, Parts, Rule, allocate};

/// Something that was sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    /// On which platform.
    pub tenant: BlueprintName,
    /// Who holds the money.
    pub rail: Party,
    /// What is shared: the price without tax.
    pub price: Money,
    /// The tax on it, in the same currency.
    pub tax: Money,
}

/// What is left of a sale: whose it is, and for whom tax is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sold {
    tenant: BlueprintName,
    rail: Party,
    parts: Parts,
    /// Minor units.
    tax: i64,
}

/// Why it is no sale, or cannot be taken back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSale {
    /// The parts.
    #[error(transparent)]
    Split(#[from] NoSplit),
    /// The amounts.
    #[error(transparent)]
    Amount(#[from] AmountError),
    /// Nothing moves.
    #[error(transparent)]
    Journal(#[from] NoJournal),
}

/// What a dispute became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The rail gives the money back.
    Won,
    /// It stays with who bought.
    Lost,
}

/// An event, and when it was.
pub type Told = (EventKey, Timestamp);

impl Sale {
    /// What is sold, and what that moves.
    ///
    /// # Errors
    /// [`NoSale`]: an amount below zero, two currencies, or nothing at all.
    pub fn sell(self, rule: &Rule, (key, at): Told) -> Result<(Sold, Journal), NoSale> {
        let Self { tenant, rail, price, tax } = self;
        if tax.currency() != price.currency() {
            return Err(NoSplit::Mixed(tax.currency(), price.currency()).into());
        }
        if tax.amount() < 0 {
            return Err(NoSplit::BelowZero(tax).into());
        }
        let sold = Sold { tenant, rail, parts: rule.split(price)?, tax: tax.amount() };
        let journal = Journal::new(key, "sale", at, sold.entries(Way::In, Book::Payable)?)?;
        Ok((sold, journal))
    }
}

/// Whether the rail gets money or gives it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

impl Sold {
    /// What is left of it, tax included.
    pub fn left(&self) -> Money {
        let price = self.parts.whole();
        Money::new(price.amount().saturating_add(self.tax), price.currency())
    }

    /// What each still has of the price.
    pub const fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The tax that is kept of it.
    pub fn tax(&self) -> Money {
        Money::new(self.tax, self.parts.whole().currency())
    }

    /// Gives `back` of what was paid, tax included, to who bought.
    ///
    /// # Errors
    /// [`NoSale`]; nothing is given back then.
    pub fn refund(&mut self, back: Money, (key, at): Told) -> Result<Journal, NoSale> {
        let mut left = self.clone();
        let taken = left.take(back)?;
        let journal = Journal::new(key, "refund", at, taken.entries(Way::Out, Book::Payable)?)?;
        *self = left;
        Ok(journal)
    }

    /// The rail takes `disputed` of what was paid until it is known whose it is. What it took is to be kept for
    /// [`Self::settle`].
    ///
    /// # Errors
    /// [`NoSale`]; nothing is taken then.
    pub fn dispute(&mut self, disputed: Money, (key, at): Told) -> Result<(Self, Journal), NoSale> {
        let mut left = self.clone();
        let taken = left.take(disputed)?;
        let journal = Journal::new(key, "dispute", at, taken.entries(Way::Out, Book::Reserve)?)?;
        *self = left;
        Ok((taken, journal))
    }

    /// What was disputed is theirs again, or gone.
    ///
    /// # Errors
    /// [`NoSale`]; nothing changes then.
    pub fn settle(
        &mut self,
        disputed: &Self,
        verdict: Verdict,
        (key, at): Told,
    ) -> Result<Journal, NoSale> {
        match verdict {
            Verdict::Won => {
                let entries = disputed.entries(Way::In, Book::Reserve)?;
                let journal = Journal::new(key, "dispute won", at, entries)?;
                self.parts.have_again(&disputed.parts);
                self.tax += disputed.tax;
                Ok(journal)
            }
            // What was kept back for it is what they do not get.
            Verdict::Lost => {
                let entries = disputed.between(Book::Payable, Book::Reserve)?;
                Ok(Journal::new(key, "dispute lost", at, entries)?)
            }
        }
    }

    /// Takes so much off it.
    fn take(&mut self, back: Money) -> Result<Self, NoSale> {
        let left = self.left();
        if back.currency() != left.currency() {
            return Err(NoSplit::Mixed(back.currency(), left.currency()).into());
        }
        if back.amount() < 0 {
            return Err(NoSplit::BelowZero(back).into());
        }
        if back.amount() > left.amount() {
            return Err(NoSplit::MoreThanLeft { asked: back, left }.into());
        }
        let price = self.parts.whole().amount();
        let [of_price, of_tax] = match *allocate(back.amount(), &[price, self.tax]) {
            [of_price, of_tax] => [of_price, of_tax],
            _ => [back.amount(), 0],
        };
        let parts = self.parts.give_back(Money::new(of_price, left.currency()))?;
        self.tax -= of_tax;
        Ok(Self { tenant: self.tenant.clone(), rail: self.rail.clone(), parts, tax: of_tax })
    }

    /// The rail gets it or gives it, for whom it is: by this book of those who have a part; what is the factory's
    /// own it has earned, or has not.
    fn entries(&self, way: Way, book: Book) -> Result<Vec<Entry>, AmountError> {
        let signed = |amount: Amount, goes: Way| {
            if goes == Way::In { Ok(amount) } else { amount.negated() }
        };
        let (whole, other) =
            (Amount::of(self.left())?, if way == Way::In { Way::Out } else { Way::In });
        let mut entries =
            vec![Entry::new(Account::new(self.rail.clone(), Book::Cash), signed(whole, way)?)];
        for (account, amount) in self.owed(book)? {
            entries.push(Entry::new(account, signed(amount, other)?));
        }
        entries.retain(|entry| !entry.amount.is_zero());
        Ok(entries)
    }

    /// From one book of those who have a part to another of theirs.
    fn between(&self, from: Book, to: Book) -> Result<Vec<Entry>, AmountError> {
        let mut entries = Vec::new();
        for ((from, amount), (to, _)) in self.owed(from)?.into_iter().zip(self.owed(to)?) {
            if !amount.is_zero() && from != to {
                entries.push(Entry::new(from, amount));
                entries.push(Entry::new(to, amount.negated()?));
            }
        }
        Ok(entries)
    }

    /// Who has how much of it, and where: by this book of theirs.
    fn owed(&self, book: Book) -> Result<Vec<(Account, Amount)>, AmountError> {
        let mut owed = Vec::new();
        for (party, part) in self.parts.each() {
            let book = match (party, book) {
                (Party::Factory, Book::Payable) => Book::Revenue,
                _ => book,
            };
            owed.push((Account::new(party.clone(), book), Amount::of(part)?));
        }
        let tax = match book {
            Book::Payable => Book::Tax,
            book => book,
        };
        let tenant = Party::Tenant(self.tenant.clone());
        owed.push((Account::new(tenant, tax), Amount::of(self.tax())?));
        Ok(owed)
    }
}
