//! What a seller is owed, what is kept back of it, and what they owe us.
//!
//! Journals of sales, refunds and disputes say what each has of a sale, and nothing of what they have in all: a
//! refund may take from somebody who was paid long ago. Whoever posts one that is new settles the sellers in it
//! after it, in the same transaction: what is kept back is what [`Reserves`](super::reserve::Reserves) say, and
//! nobody is below zero; what they cannot give back is a receivable, which what they earn next pays first.

use std::collections::BTreeSet;

use blueprint::money::{Currency, Money};
use jiff::Timestamp;

use crate::amount::{Amount, AmountError};
use crate::ledger::{Account, Book, Entry, EventKey, Journal, NoJournal, Party};

/// What a journal that moves money of sellers is called: [`Journal::what`].
pub const PASSED_ON: &str = "passed on";
/// What a journal that only settles is called.
pub const SETTLED: &str = "settled";

/// What is between a seller and us, in one currency. Once settled, nothing of it is below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wallet {
    /// What they can have.
    pub payable: Amount,
    /// What is kept back.
    pub reserve: Amount,
    /// What they owe us.
    pub receivable: Amount,
}

/// Why something is not paid out, or settled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPayout {
    /// More than they can have.
    #[error(
        "{asked} is more than the {left} that can be paid out; what is kept back becomes free later"
    )]
    MoreThanThere {
        /// How much.
        asked: Money,
        /// What there is.
        left: Amount,
    },
    /// The amounts.
    #[error(transparent)]
    Amount(#[from] AmountError),
    /// What moves.
    #[error(transparent)]
    Journal(#[from] NoJournal),
}

/// What is on an account in a currency, in millionths: of the ledger, after the journal that is settled.
pub type On<'a> = &'a dyn Fn(&Account, Currency) -> i128;
/// What is to be kept back of what somebody is owed: see
/// [`Reserves::held`](super::reserve::Reserves::held).
pub type Held<'a> = &'a dyn Fn(&Party, Currency) -> Money;

impl Wallet {
    /// Of a seller, by what is on their accounts.
    ///
    /// # Errors
    /// [`AmountError`]
    pub fn of(seller: &Party, currency: Currency, on: On<'_>) -> Result<Self, AmountError> {
        let owed = |book| -> Result<_, AmountError> {
            let micros = on(&Account::new(seller.clone(), book), currency);
            let micros = i64::try_from(-micros).map_err(|_| AmountError::Overflow)?;
            Ok(Amount::new(micros, currency))
        };
        Ok(Self {
            payable: owed(Book::Payable)?,
            reserve: owed(Book::Reserve)?,
            receivable: owed(Book::Receivable)?.negated()?,
        })
    }

    /// All that is theirs; below zero where they owe us more.
    ///
    /// # Errors
    /// [`AmountError`]
    pub fn theirs(self) -> Result<Amount, AmountError> {
        self.payable.plus(self.reserve)?.minus(self.receivable)
    }

    /// What they can have now, in whole minor units.
    pub fn free(self) -> Money {
        let (nearest, left) = self.payable.to_minor();
        let above = i64::from(left.micros() < 0);
        Money::new((nearest.amount() - above).max(0), nearest.currency())
    }

    /// How it should be, where so much is to be kept back.
    fn settled(self, held: Amount) -> Result<Self, AmountError> {
        let (theirs, nothing) = (self.theirs()?, Amount::zero(self.payable.currency()));
        if !theirs.is_positive() {
            return Ok(Self { payable: nothing, reserve: nothing, receivable: theirs.negated()? });
        }
        let reserve = Amount::new(held.micros().clamp(0, theirs.micros()), theirs.currency());
        Ok(Self { payable: theirs.minus(reserve)?, reserve, receivable: nothing })
    }

    /// From this to how it should be.
    fn entries(self, seller: &Party, to: Self) -> Result<Vec<Entry>, AmountError> {
        let moved = [
            (Book::Payable, self.payable.minus(to.payable)?),
            (Book::Reserve, self.reserve.minus(to.reserve)?),
            (Book::Receivable, to.receivable.minus(self.receivable)?),
        ];
        let moved = moved.into_iter().filter(|(_, amount)| !amount.is_zero());
        Ok(moved.map(|(book, it)| Entry::new(Account::new(seller.clone(), book), it)).collect())
    }
}

/// Settles all sellers of a journal that was posted just now. Nothing where nothing is to be moved.
///
/// # Errors
/// [`NoPayout`]
pub fn settle_after(
    journal: &Journal,
    on: On<'_>,
    held: Held<'_>,
) -> Result<Option<Journal>, NoPayout> {
    let EventKey { tenant, source, event } = journal.key();
    let key = EventKey::new(tenant, source, format!("{event}:settled"));
    settle(&sellers(journal), (key, journal.at()), on, held)
}

/// Settles these sellers, each in a currency: when what was kept back becomes free. Nothing where nothing is to be
/// moved.
///
/// # Errors
/// [`NoPayout`]
pub fn settle(
    sellers: &BTreeSet<(Party, Currency)>,
    (key, at): (EventKey, Timestamp),
    on: On<'_>,
    held: Held<'_>,
) -> Result<Option<Journal>, NoPayout> {
    let mut entries = Vec::new();
    for (seller, currency) in sellers {
        let wallet = Wallet::of(seller, *currency, on)?;
        let to = wallet.settled(Amount::of(held(seller, *currency))?)?;
        entries.extend(wallet.entries(seller, to)?);
    }
    if entries.is_empty() {
        return Ok(None);
    }
    Ok(Some(Journal::new(key, SETTLED, at, entries)?))
}

/// The sellers whose money a journal moves, and in which currencies.
pub fn sellers(journal: &Journal) -> BTreeSet<(Party, Currency)> {
    let is_theirs = |account: &Account| {
        matches!(account.party, Party::Creator(..) | Party::Tenant(_))
            && matches!(account.book, Book::Payable | Book::Reserve | Book::Receivable)
    };
    let entries = journal.entries().iter().filter(|entry| is_theirs(&entry.account));
    entries.map(|entry| (entry.account.party.clone(), entry.amount.currency())).collect()
}

/// Hands a seller what they can have.
///
/// # Errors
/// [`NoPayout`]: above all, of more than that.
pub fn pass_on(
    seller: &Party,
    rail: &Party,
    amount: Money,
    wallet: Wallet,
    (key, at): (EventKey, Timestamp),
) -> Result<Journal, NoPayout> {
    let part = Amount::of(amount)?;
    if part.minus(wallet.payable)?.is_positive() {
        return Err(NoPayout::MoreThanThere { asked: amount, left: wallet.payable });
    }
    let entries = vec![
        Entry::new(Account::new(rail.clone(), Book::Cash), part.negated()?),
        Entry::new(Account::new(seller.clone(), Book::Payable), part),
    ];
    Ok(Journal::new(key, PASSED_ON, at, entries)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::memory::Ledger;

    const AT: &str = "2027-03-01T00:00:00Z";

    fn usd(text: &str) -> Amount {
        Amount::of(format!("{text} USD").parse().unwrap()).unwrap()
    }

    fn creator() -> Party {
        "creator:harbour:0198c5d0-7a3c-7000-8000-000000000001".parse().unwrap()
    }

    fn rail() -> Party {
        "rail:test".parse().unwrap()
    }

    fn wallet(ledger: &Ledger) -> [Amount; 3] {
        let on = |account: &Account, currency| ledger.balance(account, currency);
        let Wallet { payable, reserve, receivable } =
            Wallet::of(&creator(), Currency::USD, &on).unwrap();
        [payable, reserve, receivable]
    }

    /// Books that the rail got so much for them, or gave it, and settles.
    fn moves(ledger: &mut Ledger, event: &str, text: &str, held: &str) -> Option<Journal> {
        let key = EventKey::new("harbour", "test", event);
        let amount = usd(text);
        let entries = vec![
            Entry::new(Account::new(rail(), Book::Cash), amount),
            Entry::new(Account::new(creator(), Book::Payable), amount.negated().unwrap()),
        ];
        let journal = Journal::new(key, "sale", AT.parse().unwrap(), entries).unwrap();
        ledger.post(journal.clone());
        let held: Money = format!("{held} USD").parse().unwrap();
        let on = |account: &Account, currency| ledger.balance(account, currency);
        let settled = settle_after(&journal, &on, &|_, _| held).unwrap();
        if let Some(settled) = settled.clone() {
            ledger.post(settled);
        }
        settled
    }

    #[test]
    fn what_cannot_be_given_back_is_owed_and_paid_first_by_what_is_earned_next() {
        let mut ledger = Ledger::default();
        assert_eq!(moves(&mut ledger, "a", "7.00", "0.00"), None);
        assert_eq!(wallet(&ledger), ["7.00", "0.00", "0.00"].map(usd));
        moves(&mut ledger, "b", "3.00", "1.00").unwrap();
        assert_eq!(wallet(&ledger), ["9.00", "1.00", "0.00"].map(usd));
        let settled = moves(&mut ledger, "c", "-12.50", "1.00").unwrap();
        assert_eq!(settled.key().event, "c:settled");
        assert_eq!(wallet(&ledger), ["0.00", "0.00", "2.50"].map(usd));
        moves(&mut ledger, "d", "2.00", "0.20").unwrap();
        assert_eq!(wallet(&ledger), ["0.00", "0.00", "0.50"].map(usd));
        moves(&mut ledger, "e", "2.00", "0.20").unwrap();
        assert_eq!(wallet(&ledger), ["1.30", "0.20", "0.00"].map(usd));
    }

    #[test]
    fn nobody_is_paid_more_than_they_can_have() {
        let mut ledger = Ledger::default();
        moves(&mut ledger, "a", "7.00", "0.71");
        let on = |account: &Account, currency| ledger.balance(account, currency);
        let wallet = Wallet::of(&creator(), Currency::USD, &on).unwrap();
        let told = || (EventKey::new("harbour", "test", "p"), AT.parse().unwrap());
        let pay = |text: &str| {
            let amount = format!("{text} USD").parse().unwrap();
            pass_on(&creator(), &rail(), amount, wallet, told())
        };
        let more = pay("6.30").unwrap_err();
        assert!(more.to_string().starts_with("6.30 USD is more than the 6.29 USD"), "{more}");
        assert_eq!(pay("6.29").unwrap().what(), PASSED_ON);
        assert_eq!(wallet.free(), "6.29 USD".parse().unwrap());
    }
}
