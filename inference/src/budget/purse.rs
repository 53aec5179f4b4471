//! The replica's side of one tenant's money: pure arithmetic, time handed in.

use std::time::Duration;

use blueprint::Currency;
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Allowance, Claim, GRACE, LIFE, Lease, Refused, TreasuryError, WIND_DOWN, later, until,
};
use crate::prices::Micros;

/// What one replica holds of a tenant's money: spent and reserved are never more than granted.
#[derive(Debug)]
pub(super) struct Purse {
    currency: Currency,
    holding: Uuid,
    /// Spent since the holding began.
    spent: Micros,
    /// Kept for answers under way.
    reserved: Micros,
    /// Wanted by who waits for a lease.
    waiting: Micros,
    held: Option<Held>,
    /// The number of the last claim.
    number: u64,
    /// The claim under way: when it was sent, what was spent by then, and what it wants.
    asking: Option<Asking>,
    outcome: Outcome,
    /// Nothing is asked for before.
    quiet_until: Timestamp,
    /// How long to keep quiet after the next failure.
    pause: Duration,
    /// The largest reservation lately.
    largest: Micros,
    /// What was spent when the last lease came.
    spent_before: Micros,
    used_at: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    /// In all since the holding began; `None` is without a limit.
    granted: Option<Micros>,
    since: Timestamp,
    until: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Asking {
    at: Timestamp,
    spent: Micros,
    want: Micros,
}

/// How the last claim ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Enough,
    /// Less was left than wanted.
    Short(Option<Timestamp>),
    Failed,
    OtherCurrency,
}

/// While nothing is left, or the treasury cannot be reached, it is asked no more often.
const QUIET: Duration = Duration::from_secs(1);
const QUIET_AT_MOST: Duration = Duration::from_secs(30);

impl Purse {
    pub(super) fn new(currency: Currency, now: Timestamp) -> Self {
        let nothing = Micros::ZERO;
        Self {
            currency,
            holding: Uuid::now_v7(),
            spent: nothing,
            reserved: nothing,
            waiting: nothing,
            held: None,
            number: 0,
            asking: None,
            outcome: Outcome::Enough,
            quiet_until: Timestamp::MIN,
            pause: QUIET,
            largest: nothing,
            spent_before: nothing,
            used_at: now,
        }
    }

    pub(super) fn currency(&self) -> Currency {
        self.currency
    }

    /// Reserves `amount`; gives the holding it is from, or `None` if there is not enough.
    pub(super) fn take(&mut self, amount: Micros, now: Timestamp) -> Option<Uuid> {
        self.end_if_over(now);
        self.used_at = self.used_at.max(now);
        self.largest = self.largest.max(amount);
        let held = self.held?;
        if now >= later(held.until, GRACE.saturating_sub(WIND_DOWN)) || self.free() < amount {
            return None;
        }
        self.reserved = self.reserved.plus(amount);
        Some(self.holding)
    }

    /// Settles a reservation: `cost` of `amount` was spent, the rest is free again.
    pub(super) fn settle(&mut self, holding: Uuid, amount: Micros, cost: Micros) {
        // What is spent of a holding that was lost counts by its record.
        if holding == self.holding {
            self.reserved = self.reserved.less(amount);
            self.spent = self.spent.plus(cost);
        }
    }

    /// Counts who waits for a lease.
    pub(super) fn wait(&mut self, amount: Micros) {
        self.waiting = self.waiting.plus(amount);
    }

    /// Counts who waits no more.
    pub(super) fn leave(&mut self, amount: Micros) {
        self.waiting = self.waiting.less(amount);
    }

    /// Why `amount` cannot be had without a new lease, while none is asked for.
    pub(super) fn refusal(&self, amount: Micros, now: Timestamp) -> Option<Refused> {
        if self.asking.is_some() || !self.is_quiet(now) {
            return None;
        }
        let could_be = self.free().plus(self.reserved);
        Some(match self.outcome {
            Outcome::Enough => return None,
            Outcome::Short(_) if could_be >= amount && self.is_live(now) => Refused::BudgetHeld,
            Outcome::Short(renews_at) => Refused::BudgetSpent { renews_at },
            Outcome::Failed => Refused::LeaseUnavailable { retry_in: until(now, self.quiet_until) },
            Outcome::OtherCurrency => Refused::Currency,
        })
    }

    /// Whether nobody asks and somebody may.
    pub(super) fn may_ask(&self, now: Timestamp) -> bool {
        self.asking.is_none() && !self.is_quiet(now)
    }

    /// A clock that was set back does not make it longer.
    fn is_quiet(&self, now: Timestamp) -> bool {
        now < self.quiet_until && until(now, self.quiet_until) <= QUIET_AT_MOST
    }

    /// Whether a new lease should be asked for in the background: the old one is half over, low,
    /// or used by nobody.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let Some(held) = self.held else { return false };
        let is_low = held.granted.is_some() && self.free() < self.cushion().half();
        // After a clock was set back nobody knows how old a lease is.
        let is_old = now >= later(held.since, LIFE / 2) || now < held.since;
        self.may_ask(now) && (is_low || is_old || self.is_idle(now))
    }

    /// Asks again at the next chance: the budget has changed.
    pub(super) fn refresh(&mut self) {
        self.quiet_until = Timestamp::MIN;
    }

    /// Whether something is held or was asked for.
    pub(super) fn is_used(&self) -> bool {
        self.held.is_some()
    }

    /// Whether nothing is held and nobody is about.
    pub(super) fn is_empty(&self, now: Timestamp) -> bool {
        self.held.is_none() && self.asking.is_none() && self.is_idle(now)
    }

    fn is_idle(&self, now: Timestamp) -> bool {
        let nothing = self.reserved == Micros::ZERO && self.waiting == Micros::ZERO;
        nothing && now >= later(self.used_at, LIFE)
    }

    /// The claim to send now: what is needed, and a cushion unless nobody is about.
    pub(super) fn claim(&mut self, tenant: &str, now: Timestamp) -> Claim {
        let cushion = if self.is_idle(now) { Micros::ZERO } else { self.cushion() };
        self.claim_with(cushion, tenant, now)
    }

    /// The claim that gives back what is not needed.
    pub(super) fn give_back(&mut self, tenant: &str, now: Timestamp) -> Claim {
        self.claim_with(Micros::ZERO, tenant, now)
    }

    /// What a claim does not want any more is not spent from here on, whether it arrives or not.
    fn claim_with(&mut self, cushion: Micros, tenant: &str, now: Timestamp) -> Claim {
        self.end_if_over(now);
        let want = self.reserved.plus(self.waiting).plus(cushion);
        if let Some(Held { granted: Some(granted), .. }) = &mut self.held {
            *granted = (*granted).min(self.spent.plus(want));
        }
        self.number += 1;
        self.asking = Some(Asking { at: now, spent: self.spent, want });
        Claim {
            holding: self.holding,
            number: self.number,
            tenant: tenant.to_owned(),
            currency: self.currency,
            spent: self.spent,
            want,
        }
    }

    /// Takes in the answer to a claim; one to an older claim changes nothing. Says whether it is
    /// news that there is none.
    pub(super) fn answered(
        &mut self,
        claim: &Claim,
        answer: &Result<Lease, TreasuryError>,
        now: Timestamp,
    ) -> bool {
        if claim.number != self.number || claim.holding != self.holding {
            return false;
        }
        let Some(Asking { at, spent, want }) = self.asking.take() else { return false };
        let before = self.outcome;
        match answer {
            Ok(lease) => self.lease(*lease, at, spent, want, now),
            Err(TreasuryError::Ended) => self.begin_anew(),
            Err(TreasuryError::Currency) => {
                // What was leased before there was such a budget may have had no limit.
                self.begin_anew();
                self.outcome = Outcome::OtherCurrency;
                self.quiet_until = later(now, QUIET_AT_MOST);
            }
            Err(TreasuryError::Unreachable(_) | TreasuryError::Stale) => {
                self.outcome = Outcome::Failed;
                self.quiet_until = later(now, self.pause);
                self.pause = (self.pause * 2).min(QUIET_AT_MOST);
            }
        }
        answer.is_err() && self.outcome != before
    }

    fn lease(&mut self, lease: Lease, at: Timestamp, spent: Micros, want: Micros, now: Timestamp) {
        self.pause = QUIET;
        self.quiet_until = Timestamp::MIN;
        self.outcome = Outcome::Enough;
        if want == Micros::ZERO {
            // Given back. Who came meanwhile begins anew.
            return self.begin_anew();
        }
        let granted = match lease.allowance {
            Allowance::Unlimited => None,
            Allowance::UpTo(amount) => {
                if amount < want {
                    self.outcome = Outcome::Short(lease.renews_at);
                    self.quiet_until = later(now, QUIET);
                }
                Some(spent.plus(amount))
            }
        };
        self.held = Some(Held { granted, since: at, until: later(at, lease.life) });
        self.largest = self.largest.half();
        self.spent_before = self.spent;
    }

    /// Beyond life and grace nothing is held any more, whoever runs on.
    fn end_if_over(&mut self, now: Timestamp) {
        if self.held.is_some_and(|held| now >= later(held.until, GRACE)) {
            self.begin_anew();
        }
    }

    fn begin_anew(&mut self) {
        self.holding = Uuid::now_v7();
        self.asking = None;
        self.held = None;
        self.spent = Micros::ZERO;
        self.spent_before = Micros::ZERO;
        self.reserved = Micros::ZERO;
    }

    fn is_live(&self, now: Timestamp) -> bool {
        self.held.is_some_and(|held| now < later(held.until, GRACE.saturating_sub(WIND_DOWN)))
    }

    fn free(&self) -> Micros {
        match self.held {
            None => Micros::ZERO,
            Some(Held { granted: None, .. }) => Micros::MAX,
            Some(Held { granted: Some(granted), .. }) => {
                granted.less(self.spent).less(self.reserved)
            }
        }
    }

    /// What is held beyond what is needed now: what the last lease's time took, and no less than
    /// a few answers.
    fn cushion(&self) -> Micros {
        self.largest.times(4).max(self.spent.less(self.spent_before))
    }
}
