//! One thing that happened to money.

use std::collections::BTreeMap;

use blueprint::Currency;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Account;
use crate::amount::Amount;

/// The longest part of a key, and the longest word for what happened, in bytes.
pub const LONGEST_NAME: usize = 200;
/// One journal has no more entries.
pub const MOST_ENTRIES: usize = 200;

/// What an event is called for ever: nothing else is under the same three.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventKey {
    /// Whose event it is: a platform's name, or `control`.
    pub tenant: String,
    /// Who told it, such as `stripe` or `usage`.
    pub source: String,
    /// What they call it.
    pub event: String,
}

/// Something that moves amounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    key: EventKey,
    what: String,
    at: Timestamp,
    entries: Vec<Entry>,
}

/// An amount on an account: above zero on its left side, below on its right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where.
    pub account: Account,
    /// How much.
    pub amount: Amount,
}

/// All that a journal says but its key, in 256 bits.
pub type Content = [u8; 32];

/// Why something cannot be a journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoJournal {
    /// A name is empty, too long, or holds control characters.
    #[error("{0} is no plain text of 1 to {LONGEST_NAME} bytes")]
    Name(&'static str),
    /// Nothing is moved, or too much at once.
    #[error("{0} entries; there are from 2 to {MOST_ENTRIES}")]
    Entries(usize),
    /// An entry moves nothing.
    #[error("an entry on {0} moves nothing")]
    Nothing(Account),
    /// What is taken is not what is given.
    #[error("what is moved in {currency} leaves {left} over")]
    Unbalanced {
        /// In which currency.
        currency: Currency,
        /// Millionths.
        left: i128,
    },
}

impl EventKey {
    /// The event of this source.
    pub fn new(
        tenant: impl Into<String>,
        source: impl Into<String>,
        event: impl Into<String>,
    ) -> Self {
        Self { tenant: tenant.into(), source: source.into(), event: event.into() }
    }
}

impl Entry {
    /// So much there.
    pub const fn new(account: Account, amount: Amount) -> Self {
        Self { account, amount }
    }
}

impl Journal {
    /// What happened `at` that time, in a word or two such as `sale`, and what it moved.
    ///
    /// # Errors
    /// [`NoJournal`]
    pub fn new(
        key: EventKey,
        what: impl Into<String>,
        at: Timestamp,
        entries: Vec<Entry>,
    ) -> Result<Self, NoJournal> {
        let what = what.into();
        let names = [
            ("the tenant", &key.tenant),
            ("the source", &key.source),
            ("the event", &key.event),
            ("what happened", &what),
        ];
        if let Some((which, _)) = names.into_iter().find(|(_, name)| !is_plain(name)) {
            return Err(NoJournal::Name(which));
        }
        if !(2..=MOST_ENTRIES).contains(&entries.len()) {
            return Err(NoJournal::Entries(entries.len()));
        }
        if let Some(nothing) = entries.iter().find(|entry| entry.amount.is_zero()) {
            return Err(NoJournal::Nothing(nothing.account.clone()));
        }
        let mut left: BTreeMap<Currency, i128> = BTreeMap::new();
        for Entry { amount, .. } in &entries {
            *left.entry(amount.currency()).or_default() += i128::from(amount.micros());
        }
        if let Some((currency, left)) = left.into_iter().find(|(_, left)| *left != 0) {
            return Err(NoJournal::Unbalanced { currency, left });
        }
        // The databases' time knows millionths of a second.
        let at = Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at);
        Ok(Self { key, what, at, entries })
    }

    /// What its event is called.
    pub const fn key(&self) -> &EventKey {
        &self.key
    }

    /// What happened, in a word or two.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// When it happened.
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// What it moved.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// All it says but its key: two that differ in anything differ in this.
    pub fn content(&self) -> Content {
        let mut hasher = Sha256::new();
        let mut part = |text: &str| {
            // With its length: no part can pass for the end of another.
            hasher.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(text);
        };
        part(&self.what);
        part(&self.at.as_microsecond().to_string());
        for Entry { account, amount } in &self.entries {
            part(&account.to_string());
            part(amount.currency().code());
            part(&amount.micros().to_string());
        }
        hasher.finalize().into()
    }
}

fn is_plain(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len()) && !name.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Book, Party};

    const AT: &str = "2026-11-23T08:00:00.123456789Z";

    fn entry(account: &str, micros: i64, currency: &str) -> Entry {
        let amount = Amount::new(micros, currency.parse().unwrap());
        Entry::new(account.parse().unwrap(), amount)
    }

    fn journal(entries: Vec<Entry>) -> Result<Journal, NoJournal> {
        let key = EventKey::new("acme", "stripe", "evt_1");
        Journal::new(key, "sale", AT.parse().unwrap(), entries)
    }

    #[test]
    fn what_is_taken_is_given_in_each_currency_alone() {
        let cash = entry("rail:stripe/cash", 10, "USD");
        let owed = entry("tenant:acme/payable", -10, "USD");
        assert!(journal(vec![cash.clone(), owed.clone()]).is_ok());
        let yen = entry("tenant:acme/payable", -10, "JPY");
        let unbalanced = journal(vec![cash.clone(), yen]).unwrap_err();
        assert!(matches!(unbalanced, NoJournal::Unbalanced { left: -10 | 10, .. }));
        let less = entry("tenant:acme/payable", -9, "USD");
        let left = NoJournal::Unbalanced { currency: Currency::USD, left: 1 };
        assert_eq!(journal(vec![cash.clone(), less]), Err(left));
        assert_eq!(journal(vec![]), Err(NoJournal::Entries(0)));
        let nothing = entry("factory/revenue", 0, "USD");
        let account = Account::new(Party::Factory, Book::Revenue);
        assert_eq!(journal(vec![cash, owed, nothing]), Err(NoJournal::Nothing(account)));
        // A sum that has no room in 64 bits is a sum all the same.
        let most = entry("rail:stripe/cash", i64::MAX, "USD");
        let twice = journal(vec![most.clone(), most]).unwrap_err();
        assert_eq!(
            twice,
            NoJournal::Unbalanced { currency: Currency::USD, left: 2 * i128::from(i64::MAX) }
        );
    }

    #[test]
    fn names_are_plain() {
        let moved =
            || vec![entry("rail:stripe/cash", 10, "USD"), entry("tenant:acme/payable", -10, "USD")];
        let (long, at) = ("x".repeat(LONGEST_NAME + 1), AT.parse().unwrap());
        for bad in ["", "a\nb", &long] {
            for (which, key, what) in [
                ("the tenant", EventKey::new(bad, "s", "e"), "sale"),
                ("the source", EventKey::new("t", bad, "e"), "sale"),
                ("the event", EventKey::new("t", "s", bad), "sale"),
                ("what happened", EventKey::new("t", "s", "e"), bad),
            ] {
                let made = Journal::new(key, what, at, moved());
                assert_eq!(made, Err(NoJournal::Name(which)), "{bad:?}");
            }
        }
    }

    #[test]
    fn whatever_differs_in_anything_has_another_content() {
        let moved = |micros| {
            vec![
                entry("rail:stripe/cash", micros, "USD"),
                entry("tenant:acme/payable", -micros, "USD"),
            ]
        };
        let first = journal(moved(10)).unwrap();
        let key = || EventKey::new("acme", "stripe", "evt_1");
        let at: Timestamp = AT.parse().unwrap();
        let later = at + jiff::SignedDuration::from_micros(1);
        let mut turned = moved(10);
        turned.reverse();
        let others = [
            Journal::new(key(), "refund", at, moved(10)),
            Journal::new(key(), "sale", later, moved(10)),
            Journal::new(key(), "sale", at, moved(11)),
            Journal::new(key(), "sale", at, turned),
        ];
        for other in others {
            assert_ne!(other.unwrap().content(), first.content());
        }
        // What a database does not keep of a time makes no difference.
        let rounded = Timestamp::from_microsecond(at.as_microsecond()).unwrap();
        let same = Journal::new(key(), "sale", rounded, moved(10)).unwrap();
        assert_eq!((same.content(), same.at()), (first.content(), first.at()));
    }
}
