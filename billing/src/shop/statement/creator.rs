//! What a creator earned.

use blueprint::Currency;
use jiff::Timestamp;

use super::{credited, is_handed, is_own};
use crate::amount::{Amount, AmountError};
use crate::ledger::{Account, Journal, Party, memory};
use crate::rating::time::Period;
use crate::shop::csv::{Cell, table};
use crate::shop::wallet::Wallet;

/// What somebody who sells earned in some time, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earnings {
    /// Who.
    pub whose: Party,
    /// When.
    pub period: Period,
    /// What was theirs before; below zero where they owed more.
    pub before: Amount,
    /// What happened, the first first.
    pub rows: Vec<Earned>,
    /// What they have in the end.
    pub wallet: Wallet,
}

/// One thing that happened to what is theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earned {
    /// When.
    pub at: Timestamp,
    /// What, as its journal says.
    pub what: String,
    /// The event, as whoever told it calls it.
    pub event: String,
    /// What came, or went, where it is below zero.
    pub amount: Amount,
    /// Whether it was handed to them, not earned.
    pub is_handed: bool,
}

impl Earnings {
    /// By all journals there were until its end, the first first.
    ///
    /// # Errors
    /// [`AmountError`]
    pub fn of<'a>(
        whose: &Party,
        currency: Currency,
        period: Period,
        journals: impl IntoIterator<Item = &'a Journal>,
    ) -> Result<Self, AmountError> {
        let is_theirs = |account: &Account| account.party == *whose && is_own(account.book);
        let (mut before, mut rows, mut told) = (Amount::zero(currency), Vec::new(), Vec::new());
        for journal in journals.into_iter().filter(|journal| journal.at() < period.until()) {
            told.push(journal);
            let amount = credited(journal, currency, is_theirs)?;
            if amount.is_zero() {
                continue;
            }
            if journal.at() < period.from() {
                before = before.plus(amount)?;
                continue;
            }
            rows.push(Earned {
                at: journal.at(),
                what: journal.what().to_owned(),
                event: journal.key().event.clone(),
                amount,
                is_handed: is_handed(journal),
            });
        }
        rows.sort_by_key(|row| row.at);
        let balances = memory::fold(told);
        let on = |account: &Account, currency| {
            balances.get(&(account.clone(), currency)).copied().unwrap_or_default()
        };
        let wallet = Wallet::of(whose, currency, &on)?;
        Ok(Self { whose: whose.clone(), period, before, rows, wallet })
    }

    /// What was earned: parts of sales, and disputes that were won.
    ///
    /// # Errors
    /// [`AmountError`]
    pub fn earned(&self) -> Result<Amount, AmountError> {
        self.sum(|row| !row.is_handed && row.amount.is_positive())
    }

    /// What went again of it, below zero: by refunds and disputes.
    ///
    /// # Errors
    /// [`AmountError`]
    pub fn given_back(&self) -> Result<Amount, AmountError> {
        self.sum(|row| !row.is_handed && !row.amount.is_positive())
    }

    /// What was handed to them, below zero.
    ///
    /// # Errors
    /// [`AmountError`]
    pub fn handed(&self) -> Result<Amount, AmountError> {
        self.sum(|row| row.is_handed)
    }

    /// All of it in words that add up.
    ///
    /// # Errors
    /// [`AmountError`]
    pub fn in_words(&self) -> Result<String, AmountError> {
        let Wallet { payable, reserve, receivable } = self.wallet;
        let (before, earned) = (self.before, self.earned()?);
        let (back, handed) = (self.given_back()?.negated()?, self.handed()?.negated()?);
        let owes = if receivable.is_zero() {
            String::new()
        } else {
            format!(", and {receivable} are still owed by them")
        };
        Ok(format!(
            "From {} on {before} were theirs. They earned {earned}, {back} of what was earned went back, and \
             {handed} were handed to them. Until {} that leaves {}: {payable} can be handed to them and \
             {reserve} are kept back for now{owes}. {before} + {earned} - {back} - {handed} = {}.",
            self.period.from(),
            self.period.until(),
            self.wallet.theirs()?,
            self.wallet.theirs()?,
        ))
    }

    /// Each row.
    pub fn csv(&self) -> String {
        let row = |row: &Earned| {
            vec![
                Cell::Time(row.at),
                Cell::text(&row.what),
                Cell::text(&row.event),
                Cell::Amount(row.amount),
                Cell::text(row.amount.currency().code()),
            ]
        };
        table(&["time", "what", "event", "amount", "currency"], self.rows.iter().map(row))
    }

    fn sum(&self, counts: impl Fn(&Earned) -> bool) -> Result<Amount, AmountError> {
        let rows = self.rows.iter().filter(|row| counts(row));
        Amount::sum(self.before.currency(), rows.map(|row| row.amount))
    }
}
