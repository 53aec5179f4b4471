//! All tenants of one replica, and who asks the treasury for them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use web::token::Caller;

use super::account::{Account, Limits, Need, Step, Taken};
use super::{Claim, Lease, Refused, Treasury, TreasuryError};
use crate::prices::{Micros, Price, Tokens};
use crate::server::Now;

/// How long the treasury may take for an answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often leases of tenants that ask for nothing are looked after.
const ROUND: Duration = Duration::from_secs(15);
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

/// Tokens and money kept for one answer. Dropping it gives all of it back.
#[derive(Debug)]
pub struct Reservation {
    account: Arc<Account>,
    user: String,
    bound: Tokens,
    price: Price,
    amount: Micros,
    taken: Option<Taken>,
}

/// What an answer cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The tokens that count: what was used, within what was reserved.
    pub tokens: Tokens,
    /// What they cost.
    pub cost: Micros,
    /// The holding that the money is from, where it cost any.
    pub holding: Option<Uuid>,
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

    /// Tells the treasury at once what a tenant spent, and asks what it may spend now: its
    /// budget has changed.
    pub async fn refresh(&self, tenant: &str) {
        let account = self.account(tenant);
        let claims = account.refresh(self.now());
        join_all(claims.into_iter().map(|claim| self.ask(Arc::clone(&account), claim))).await;
    }

    /// Forgets a tenant that is gone.
    pub fn remove(&self, tenant: &str) {
        let mut accounts = self.shared.accounts.write().unwrap_or_else(PoisonError::into_inner);
        accounts.remove(tenant);
    }

    /// Reserves what an answer may use at most. Waits only where money has to be leased first,
    /// a few seconds at most. Must be called from within a runtime.
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
                    // The one who asks gives up before this does.
                    let _ = timeout(PATIENCE * 2, answers.changed()).await;
                }
            }
        }
        Err(Refused::LeaseUnavailable { retry_in: Duration::from_secs(1) })
    }

    /// Asks in a task of its own: who waits for the answer may leave, and others need it too.
    fn ask_beside(&self, account: &Arc<Account>, claim: Claim) {
        let (ledger, account) = (self.clone(), Arc::clone(account));
        tokio::spawn(async move { ledger.ask(account, claim).await });
    }

    async fn ask(&self, account: Arc<Account>, claim: Claim) {
        let unanswered = Unanswered { ledger: self, account, claim: Some(claim) };
        let Some(claim) = &unanswered.claim else { return };
        let answer = timeout(PATIENCE, self.shared.treasury.lease(claim)).await;
        let answer = answer.unwrap_or_else(|_| Err(TreasuryError::Unreachable("too slow".into())));
        if let Err(error) = &answer {
            tracing::warn!(tenant = claim.tenant, %error, "could not lease money");
        }
        unanswered.answered(&answer);
    }

    /// Renews leases before they are needed and gives back what nobody uses, until `stop`; then
    /// gives back everything but what is reserved.
    pub async fn keep(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(ROUND)).await.is_some() {
            self.round(Account::due).await;
        }
        self.round(Account::give_back).await;
    }

    async fn round(&self, claims: impl Fn(&Account, Timestamp) -> Vec<Claim>) {
        let now = self.now();
        let accounts: Vec<_> = {
            let accounts = self.shared.accounts.read().unwrap_or_else(PoisonError::into_inner);
            accounts.values().cloned().collect()
        };
        let due = accounts.iter().flat_map(|account| {
            claims(account, now).into_iter().map(|claim| (Arc::clone(account), claim))
        });
        let due: Vec<_> = due.collect();
        // So many at once that a slow treasury is not flooded.
        for some in due.chunks(32) {
            let ask = |(account, claim): &(Arc<Account>, Claim)| {
                self.ask(Arc::clone(account), claim.clone())
            };
            join_all(some.iter().map(ask)).await;
        }
    }

    /// The account of a tenant whose credential was verified, so there are no more of them than
    /// tenants.
    fn account(&self, tenant: &str) -> Arc<Account> {
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

/// A claim under way. Dropped without an answer, it tells who waits that there is none.
struct Unanswered<'a> {
    ledger: &'a Ledger,
    account: Arc<Account>,
    claim: Option<Claim>,
}

impl Unanswered<'_> {
    fn answered(mut self, answer: &Result<Lease, TreasuryError>) {
        if let Some(claim) = self.claim.take() {
            self.account.answered(&claim, answer, self.ledger.now());
        }
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(claim) = self.claim.take() {
            let answer = Err(TreasuryError::Unreachable("asking was interrupted".to_owned()));
            self.account.answered(&claim, &answer, self.ledger.now());
        }
    }
}

impl Reservation {
    /// What may be used at most.
    pub fn bound(&self) -> Tokens {
        self.bound
    }

    /// Settles exactly what was used and gives the rest back. Never more than was reserved: an
    /// engine that tells more is logged, and what is beyond is not charged.
    pub fn settle(mut self, used: Tokens) -> Charge {
        let tokens = used.within(self.bound);
        if tokens != used {
            let bound = self.bound;
            tracing::error!(?used, ?bound, "the engine told more tokens than it may use");
        }
        let cost = self.price.of(tokens).min(self.amount);
        let holding = self.finish(tokens.all(), cost);
        Charge { tokens, cost, holding }
    }

    /// Gives everything back after an answer that is not charged; tells the tokens it used.
    pub fn release(self, used: Tokens) -> Charge {
        Charge { tokens: used.within(self.bound), cost: Micros::ZERO, holding: None }
    }

    fn finish(&mut self, used: u64, cost: Micros) -> Option<Uuid> {
        let taken = self.taken.take()?;
        let Self { account, user, bound, price, amount, .. } = self;
        let (tokens, currency) = (bound.all(), price.currency);
        let need = Need { user, tokens, currency, amount: *amount };
        account.settle(need, &taken, tokens.saturating_sub(used), cost);
        taken.holding
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.finish(0, Micros::ZERO);
    }
}
