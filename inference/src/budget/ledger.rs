//! All tenants of one replica.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use blueprint::Currency;
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};
use web::token::Caller;

use super::account::{Account, Limits, Need, Step, Taken};
use super::{Refused, Reservation, Treasury};
use crate::prices::{Micros, Price, Tokens};
use crate::server::Now;

/// How long the treasury may take for an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// How long somebody waits for money in all: a place in the engine may be kept for the answer. A
/// little longer than for one answer of the treasury, so that who waits learns when to come again.
const WAIT: Duration = Duration::from_secs(4);
/// After so many leases that others took first, somebody waits no longer.
const TRIES: usize = 4;

/// What every tenant of this replica spent, reserved and may spend. Clones are the same ledger.
#[derive(Clone)]
pub struct Ledger {
    shared: Arc<Shared>,
}

struct Shared {
    treasury: Arc<dyn Treasury>,
    now: Now,
    accounts: RwLock<HashMap<String, Arc<Account>>>,
}

impl Ledger {
    /// A ledger that holds nothing yet. [`Self::keep`] has to run beside it.
    pub fn new(treasury: Arc<dyn Treasury>, now: Now) -> Self {
        Self { shared: Arc::new(Shared { treasury, now, accounts: RwLock::default() }) }
    }

    /// Sets what a tenant allows beside money; from the next answer on.
    pub fn set_limits(&self, tenant: &str, limits: Limits) {
        self.account(tenant).set_limits(limits);
    }

    /// Counts tokens that a person used today already, before this process began.
    pub fn restore(&self, tenant: &str, user: &str, tokens: u64) {
        self.account(tenant).restore(user, tokens, self.now());
    }

    /// Forgets a tenant that is gone, but for what its people used today.
    pub fn remove(&self, tenant: &str) {
        let accounts = self.shared.accounts.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = accounts.get(tenant) {
            account.leave();
        }
    }

    /// Forgets tenants that are gone since yesterday.
    pub(super) fn forget_gone(&self) {
        let now = self.now();
        let mut accounts = self.shared.accounts.write().unwrap_or_else(PoisonError::into_inner);
        accounts.retain(|_, account| !account.is_over(now));
    }

    /// Money that was spent beyond budgets since the start and that nobody pays, as far as the
    /// treasury of this process knows.
    pub fn forgone(&self) -> Vec<(Currency, Micros)> {
        self.shared.treasury.forgone()
    }

    /// Reserves what an answer may use at most. Waits only where money has to be leased first,
    /// four seconds at most. Must be called from within a runtime.
    pub async fn reserve(
        &self,
        caller: &Caller,
        price: Price,
        bound: Tokens,
    ) -> Result<Reservation, Refused> {
        let account = self.account(&caller.tenant);
        let amount = price.at_most(bound);
        let currency = price.currency;
        let need = Need { user: &caller.user, tokens: bound.all(), currency, amount };
        let taken = self.take(&account, need).await?;
        let (user, taken) = (caller.user.clone(), Some(taken));
        Ok(Reservation { account, user, bound, price, amount, taken })
    }

    async fn take(&self, account: &Arc<Account>, need: Need<'_>) -> Result<Taken, Refused> {
        let mut waiting = None;
        let give_up_at = Instant::now() + WAIT;
        for _ in 0..TRIES {
            match account.step(need, &mut waiting, self.now())? {
                Step::Taken(taken, claim) => {
                    if let Some(claim) = claim {
                        self.ask_beside(account, claim);
                    }
                    return Ok(taken);
                }
                Step::Wait(claim, mut answers) => {
                    if let Some(claim) = claim {
                        self.ask_beside(account, claim);
                    }
                    if timeout_at(give_up_at, answers.changed()).await.is_err() {
                        break;
                    }
                }
            }
        }
        Err(Refused::LeaseUnavailable { retry_in: Duration::from_secs(1) })
    }

    pub(super) fn treasury(&self) -> &dyn Treasury {
        self.shared.treasury.as_ref()
    }

    pub(super) fn accounts(&self) -> Vec<Arc<Account>> {
        let accounts = self.shared.accounts.read().unwrap_or_else(PoisonError::into_inner);
        accounts.values().cloned().collect()
    }

    /// The account of a tenant whose credential was verified, so there are no more of them than
    /// tenants.
    pub(super) fn account(&self, tenant: &str) -> Arc<Account> {
        let accounts = self.shared.accounts.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = accounts.get(tenant) {
            return Arc::clone(account);
        }
        drop(accounts);
        let mut accounts = self.shared.accounts.write().unwrap_or_else(PoisonError::into_inner);
        let account = accounts.entry(tenant.to_owned());
        Arc::clone(account.or_insert_with(|| Arc::new(Account::new(tenant))))
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.shared.now)()
    }
}
