//! Asks the treasury: when somebody needs money, ahead of that, and to give back.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::account::Account;
use super::ledger::PATIENCE;
use super::{Claim, Lease, Ledger, TreasuryError};

/// How often leases of tenants that ask for nothing are looked after.
const ROUND: Duration = Duration::from_secs(15);
/// So many leases are asked for at once, so that a slow treasury is not flooded.
const AT_ONCE: usize = 32;

impl Ledger {
    /// Tells the treasury at once what a tenant spent, and asks what it may spend now: its
    /// budget has changed.
    pub async fn refresh(&self, tenant: &str) {
        let account = self.account(tenant);
        let claims = account.refresh(self.now());
        join_all(claims.into_iter().map(|claim| self.ask(Arc::clone(&account), claim))).await;
    }

    /// Asks in a task of its own: who waits for the answer may leave, and others need it too.
    pub(super) fn ask_beside(&self, account: &Arc<Account>, claim: Claim) {
        let (ledger, account) = (self.clone(), Arc::clone(account));
        tokio::spawn(async move { ledger.ask(account, claim).await });
    }

    async fn ask(&self, account: Arc<Account>, claim: Claim) {
        let unanswered = Unanswered { ledger: self, account, claim: Some(claim) };
        let Some(claim) = &unanswered.claim else { return };
        let answer = timeout(PATIENCE, self.treasury().lease(claim)).await;
        let answer = answer.unwrap_or_else(|_| Err(TreasuryError::Unreachable("too slow".into())));
        unanswered.answered(&answer);
    }

    /// Renews leases before they are needed and gives back what nobody uses, until `stop`; then
    /// gives back everything but what is reserved.
    pub async fn keep(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(ROUND)).await.is_some() {
            self.round(Account::due).await;
            self.forget_gone();
        }
        self.round(Account::give_back).await;
    }

    async fn round(&self, claims: impl Fn(&Account, Timestamp) -> Vec<Claim>) {
        let now = self.now();
        let accounts = self.accounts();
        let due = accounts.iter().flat_map(|account| {
            claims(account, now).into_iter().map(|claim| (Arc::clone(account), claim))
        });
        let due: Vec<_> = due.collect();
        for some in due.chunks(AT_ONCE) {
            let ask = |(account, claim): &(Arc<Account>, Claim)| {
                self.ask(Arc::clone(account), claim.clone())
            };
            join_all(some.iter().map(ask)).await;
        }
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
