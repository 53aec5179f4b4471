//! The ledger in memory: what the one in Postgres is held against, and fast enough for millions of histories.

use std::collections::{BTreeMap, HashMap};

use blueprint::Currency;
use jiff::Timestamp;

use super::{Account, Content, EventKey, Journal, Posted};

/// What is on an account in one currency, in millionths: wider than any entry, so that no sum runs over.
pub type Balances = BTreeMap<(Account, Currency), i128>;

/// A ledger that ends with the process.
#[derive(Debug, Default)]
pub struct Ledger {
    journals: Vec<Journal>,
    /// Where the journal of each event is.
    known: HashMap<EventKey, usize>,
    conflicts: Vec<(EventKey, Content)>,
    balances: Balances,
}

impl Ledger {
    /// Takes a journal, once.
    pub fn post(&mut self, journal: Journal) -> Posted {
        if let Some(&at) = self.known.get(journal.key()) {
            let (number, content) = (number(at), journal.content());
            if self.journals[at].content() == content {
                return Posted::Again(number);
            }
            let conflict = (journal.key().clone(), content);
            if !self.conflicts.contains(&conflict) {
                self.conflicts.push(conflict);
            }
            return Posted::Conflict(number);
        }
        add(&mut self.balances, &journal);
        let at = self.journals.len();
        self.known.insert(journal.key().clone(), at);
        self.journals.push(journal);
        Posted::New(number(at))
    }

    /// All journals, in the order in which they came.
    pub fn journals(&self) -> &[Journal] {
        &self.journals
    }

    /// What was told of known events and said something else.
    pub fn conflicts(&self) -> &[(EventKey, Content)] {
        &self.conflicts
    }

    /// What is on each account now. Those on which nothing ever was are not among them.
    pub const fn balances(&self) -> &Balances {
        &self.balances
    }

    /// What is on one account now.
    pub fn balance(&self, account: &Account, currency: Currency) -> i128 {
        self.balances.get(&(account.clone(), currency)).copied().unwrap_or_default()
    }

    /// What was on each account by what had happened before `end`.
    pub fn before(&self, end: Timestamp) -> Balances {
        fold(self.journals.iter().filter(|journal| journal.at() < end))
    }
}

/// What all these come to.
pub fn fold<'a>(journals: impl IntoIterator<Item = &'a Journal>) -> Balances {
    let mut balances = Balances::new();
    for journal in journals {
        add(&mut balances, journal);
    }
    balances
}

fn add(balances: &mut Balances, journal: &Journal) {
    for entry in journal.entries() {
        let place = (entry.account.clone(), entry.amount.currency());
        *balances.entry(place).or_default() += i128::from(entry.amount.micros());
    }
}

/// Numbers begin with 1, as they do in the database.
fn number(at: usize) -> i64 {
    i64::try_from(at + 1).unwrap_or(i64::MAX)
}
