//! The treasury of a machine without a control plane: budgets from blueprints, and a book on disk
//! of what was used this month and today.
//!
//! It is also where usage is delivered to, so what is delivered is known to it: at a start, what
//! the spool still holds has to be delivered before the first lease
//! ([`drain`](crate::spool::drain)).

mod book;
mod shared;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use blueprint::{Currency, Money};
use jiff::Timestamp;
use tokio::task::spawn_blocking;
use usage::first_of_next_month;

use super::{Claim, Lease, Treasury, TreasuryError, Vault};
use crate::prices::Micros;
use crate::server::Now;
use crate::spool::{Event, Position, SinkError, UsageSink};
use book::Book;

/// Monthly budgets in memory, what was used in a file. Clones are the same treasury.
#[derive(Clone)]
pub struct Local {
    shared: Arc<Mutex<State>>,
    /// Held while a batch is written to the book.
    delivering: Arc<tokio::sync::Mutex<()>>,
    now: Now,
}

struct State {
    book: Book,
    budgets: HashMap<String, Money>,
    vaults: HashMap<(String, Currency), Vault>,
    /// By all vaults since this was opened, also those that are gone.
    forgone: BTreeMap<Currency, Micros>,
}

/// How a tenant stands with its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Spent this month.
    pub spent: Micros,
    /// Kept for answers now and soon.
    pub held: Micros,
    /// When the next month begins, in UTC.
    pub renews_at: Timestamp,
}

impl Local {
    /// Opens the book at `path`, or begins one there. One that cannot be read is put aside, said
    /// loudly: budgets then begin anew.
    pub fn open(path: &Path, now: Now) -> io::Result<Self> {
        let book = Book::open(path, now())?;
        let (budgets, vaults, forgone) = (HashMap::new(), HashMap::new(), BTreeMap::new());
        let state = State { book, budgets, vaults, forgone };
        Ok(Self { shared: Arc::new(Mutex::new(state)), delivering: Arc::default(), now })
    }

    /// Sets what a tenant may spend in a month; without a limit if `None`. To take effect at once,
    /// [`refresh`](super::Ledger::refresh) the ledger afterwards.
    pub fn set_budget(&self, tenant: &str, monthly: Option<Money>) {
        let mut state = self.lock();
        match monthly {
            Some(budget) => state.budgets.insert(tenant.to_owned(), budget),
            None => state.budgets.remove(tenant),
        };
    }

    /// Forgets a tenant's budget; what it used stays in the book until the month ends.
    pub fn remove(&self, tenant: &str) {
        let mut state = self.lock();
        state.budgets.remove(tenant);
        state.vaults.retain(|(owner, _), _| owner != tenant);
    }

    /// How a tenant stands in a currency.
    pub fn standing(&self, tenant: &str, currency: Currency) -> Standing {
        let now = (self.now)();
        let mut state = self.lock();
        state.turn(now);
        let vault = state.vault(tenant, currency);
        vault.expire(now);
        let (spent, held) = (vault.billed(), vault.held());
        Standing { spent, held, renews_at: first_of_next_month(now) }
    }

    /// Tokens that people used today: tenant, person, tokens. To tell a ledger after a start.
    pub fn used_today(&self) -> Vec<(String, String, u64)> {
        let mut state = self.lock();
        state.turn((self.now)());
        state.book.used_today()
    }

    /// How far a spool's records are in the book, for [`Locked::open`](crate::spool::Locked::open).
    pub fn delivered(&self) -> Option<Position> {
        self.lock().book.delivered()
    }

    /// Adds what is new to the book on the disk, then to what is known here.
    fn write_down(&self, batch: &[Event], upto: Position) -> io::Result<()> {
        let now = (self.now)();
        let mut book = self.lock().book.clone();
        let new = book.take_in(batch, upto, now);
        // What the book did not keep did not happen, and comes again. Leases need not wait for it.
        book.save()?;
        // Or what the two share would be copied while leases wait.
        drop(book);
        self.lock().take_in(batch, upto, &new, now);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held; if something did, the sums are still whole.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn turn(&mut self, now: Timestamp) {
        if self.book.turn(now) {
            self.vaults.values_mut().for_each(Vault::turn);
        }
    }

    fn vault(&mut self, tenant: &str, currency: Currency) -> &mut Vault {
        let Self { book, budgets, vaults, .. } = self;
        let vault = vaults.entry((tenant.to_owned(), currency)).or_insert_with(|| {
            let mut vault = Vault::default();
            vault.restore(book.spent(tenant, currency));
            vault
        });
        let budget = budgets.get(tenant).filter(|budget| budget.currency() == currency);
        // One below zero is no budget at all, so nothing may be spent.
        vault.set_budget(budget.map(|budget| Micros::of(*budget).unwrap_or_default()));
        vault
    }

    /// Does something with a vault; keeps account of what is forgone by it.
    fn with_vault<T>(
        &mut self,
        tenant: &str,
        currency: Currency,
        act: impl FnOnce(&mut Vault) -> T,
    ) -> T {
        let vault = self.vault(tenant, currency);
        let before = vault.forgone();
        let done = act(vault);
        let more = vault.forgone().less(before);
        if more > Micros::ZERO {
            let forgone = self.forgone.entry(currency).or_default();
            *forgone = forgone.plus(more);
        }
        done
    }

    fn take_in(&mut self, batch: &[Event], upto: Position, new: &[&Event], now: Timestamp) {
        self.turn(now);
        // Before the book: a vault that is made here begins with what the book holds.
        for event in new {
            self.with_vault(&event.tenant, event.currency, |vault| {
                vault.record(event.holding, event.cost, now);
            });
        }
        self.book.take_in(batch, upto, now);
    }
}

#[async_trait]
impl Treasury for Local {
    async fn lease(&self, claim: &Claim) -> Result<Lease, TreasuryError> {
        let now = (self.now)();
        let mut state = self.lock();
        state.turn(now);
        let budget = state.budgets.get(&claim.tenant);
        if budget.is_some_and(|budget| budget.currency() != claim.currency) {
            return Err(TreasuryError::Currency);
        }
        let vault = |vault: &mut Vault| vault.claim(claim, now);
        let lease = state.with_vault(&claim.tenant, claim.currency, vault)?;
        Ok(Lease { renews_at: Some(first_of_next_month(now)), ..lease })
    }

    fn forgone(&self) -> Vec<(Currency, Micros)> {
        self.lock().forgone.iter().map(|(currency, sum)| (*currency, *sum)).collect()
    }
}

#[async_trait]
impl UsageSink for Local {
    async fn deliver(&self, batch: &[Event], upto: Position) -> Result<(), SinkError> {
        let one_by_one = Arc::clone(&self.delivering).lock_owned().await;
        let (local, batch) = (self.clone(), batch.to_vec());
        // Kept until the file is written, also when nobody waits for that any more: two at once
        // would write the same file.
        let written = spawn_blocking(move || {
            let written = local.write_down(&batch, upto);
            drop(one_by_one);
            written
        });
        written
            .await
            .map_err(|error| SinkError(error.to_string()))?
            .map_err(|error| SinkError(format!("the book of usage cannot be written: {error}")))
    }
}

#[cfg(test)]
mod tests;
