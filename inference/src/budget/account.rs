//! One tenant in one replica: its money and its people, behind one short lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use blueprint::Currency;
use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::watch;
use uuid::Uuid;

use super::people::People;
use super::purse::Purse;
use super::{Claim, Lease, Refused, TreasuryError};
use crate::prices::Micros;

/// What a tenant's blueprint allows beside money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Tokens that one person may use in a day (UTC), prompts included; no limit if not set.
    pub per_user_daily_tokens: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Account {
    tenant: String,
    state: Mutex<State>,
    /// Counts the claims that were answered, for who waits for one.
    answers: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    limits: Limits,
    /// Counted also while there is no limit: one may be set in the middle of a day.
    people: People,
    /// One for each currency that its models are priced in: nearly always one.
    purses: Vec<Purse>,
    /// The tenant is gone; what its people used today is known until midnight, as it may be back.
    is_gone: bool,
}

/// What one answer may use at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need<'a> {
    pub(super) user: &'a str,
    pub(super) tokens: u64,
    pub(super) currency: Currency,
    pub(super) amount: Micros,
}

/// What was taken.
#[derive(Debug)]
pub(super) struct Taken {
    /// The day of the person's tokens.
    pub(super) day: Date,
    /// The holding the money is from, where it costs any.
    pub(super) holding: Option<Uuid>,
}

/// Where a try to reserve has led.
#[derive(Debug)]
pub(super) enum Step {
    /// It is reserved; the claim, if any, is to be sent in the background.
    Taken(Taken, Option<Claim>),
    /// There is no lease for it yet; the claim, if any, is to be sent now.
    Wait(Option<Claim>, watch::Receiver<u64>),
}

/// One who waits for a lease. Dropping it waits no more.
#[derive(Debug)]
pub(super) struct Waiting<'a> {
    account: &'a Account,
    currency: Currency,
    amount: Micros,
}

impl Account {
    pub(super) fn new(tenant: &str) -> Self {
        Self { tenant: tenant.to_owned(), state: Mutex::default(), answers: watch::Sender::new(0) }
    }

    pub(super) fn set_limits(&self, limits: Limits) {
        let mut state = self.lock();
        state.limits = limits;
        state.is_gone = false;
    }

    /// Forgets the tenant but for what its people used today.
    pub(super) fn leave(&self) {
        let mut state = self.lock();
        state.limits = Limits::default();
        state.purses.clear();
        state.is_gone = true;
    }

    /// Whether the tenant is gone and nothing of it matters any more.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        let state = self.lock();
        state.is_gone && state.purses.is_empty() && state.people.is_over(now)
    }

    /// Counts tokens that a person used today already.
    pub(super) fn restore(&self, user: &str, tokens: u64, now: Timestamp) {
        self.lock().people.take(user, tokens, now);
    }

    /// Takes tokens and money, or neither. `waiting` holds who waits from the first time on that
    /// there was no lease.
    pub(super) fn step<'a>(
        &'a self,
        need: Need<'_>,
        waiting: &mut Option<Waiting<'a>>,
        now: Timestamp,
    ) -> Result<Step, Refused> {
        let Need { user, tokens, currency, amount } = need;
        let mut state = self.lock();
        let State { limits, people, purses, .. } = &mut *state;
        if let Some(limit) = limits.per_user_daily_tokens {
            people.check(user, tokens, limit, now)?;
        }
        let (mut holding, mut claim) = (None, None);
        // What costs nothing needs no money, and works without a treasury.
        if amount > Micros::ZERO {
            let purse = of_currency(purses, currency, now);
            holding = purse.take(amount, now);
            if holding.is_none() {
                if let Some(refused) = purse.refusal(amount, now) {
                    return Err(refused);
                }
                if waiting.is_none() {
                    purse.wait(amount);
                    *waiting = Some(Waiting { account: self, currency, amount });
                }
                let claim = purse.may_ask(now).then(|| purse.claim(&self.tenant, now));
                return Ok(Step::Wait(claim, self.answers.subscribe()));
            }
            if purse.is_due(now) {
                claim = Some(purse.claim(&self.tenant, now));
            }
        }
        let day = people.take(user, tokens, now);
        Ok(Step::Taken(Taken { day, holding }, claim))
    }

    /// Settles what was taken: so many of the tokens are given back, and `cost` of the money was
    /// spent.
    pub(super) fn settle(&self, need: Need<'_>, taken: &Taken, unused: u64, cost: Micros) {
        let mut state = self.lock();
        state.people.give_back(need.user, unused, taken.day);
        if let Some(holding) = taken.holding
            && let Some(purse) = state.purses.iter_mut().find(|p| p.currency() == need.currency)
        {
            purse.settle(holding, need.amount, cost);
        }
    }

    pub(super) fn answered(
        &self,
        claim: &Claim,
        answer: &Result<Lease, TreasuryError>,
        now: Timestamp,
    ) {
        let mut state = self.lock();
        let purse = state.purses.iter_mut().find(|purse| purse.currency() == claim.currency);
        let is_news = purse.is_some_and(|purse| purse.answered(claim, answer, now));
        drop(state);
        if let Err(error) = answer
            && is_news
        {
            tracing::warn!(tenant = self.tenant, %error, "could not lease money");
        }
        self.answers.send_modify(|answers| *answers = answers.wrapping_add(1));
    }

    /// The claims that are due without anybody asking; forgets purses that nobody uses.
    pub(super) fn due(&self, now: Timestamp) -> Vec<Claim> {
        let mut state = self.lock();
        state.purses.retain(|purse| !purse.is_empty(now));
        let due = state.purses.iter_mut().filter(|purse| purse.is_due(now));
        due.map(|purse| purse.claim(&self.tenant, now)).collect()
    }

    /// The claims that tell everything at once: the budget has changed.
    pub(super) fn refresh(&self, now: Timestamp) -> Vec<Claim> {
        self.claims(now, Purse::claim)
    }

    /// The claims that give back what nobody needs.
    pub(super) fn give_back(&self, now: Timestamp) -> Vec<Claim> {
        self.claims(now, Purse::give_back)
    }

    fn claims(
        &self,
        now: Timestamp,
        claim: impl Fn(&mut Purse, &str, Timestamp) -> Claim,
    ) -> Vec<Claim> {
        let mut state = self.lock();
        let all = state.purses.iter_mut().filter_map(|purse| {
            purse.refresh();
            (purse.is_used() && purse.may_ask(now)).then(|| claim(purse, &self.tenant, now))
        });
        all.collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held; if something did, the sums are still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.account.lock();
        if let Some(purse) = state.purses.iter_mut().find(|p| p.currency() == self.currency) {
            purse.leave(self.amount);
        }
    }
}

fn of_currency(purses: &mut Vec<Purse>, currency: Currency, now: Timestamp) -> &mut Purse {
    let at = purses.iter().position(|purse| purse.currency() == currency).unwrap_or_else(|| {
        purses.push(Purse::new(currency, now));
        purses.len() - 1
    });
    &mut purses[at]
}
