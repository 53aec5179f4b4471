//! The treasury's side of one tenant's budget: pure arithmetic, time handed in.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::{Allowance, Claim, GRACE, LIFE, Lease, TreasuryError};
use crate::budget::later;
use crate::prices::Micros;

/// One tenant's budget of one currency: what was billed, and what replicas hold.
///
/// What was billed and what is held is never more than the budget, in any order of claims and
/// records. What a replica spends is told twice, by its claims and by the records of its answers;
/// the larger of the two counts. When a holding was not renewed within life and grace, what
/// nobody told by then is free; records that come later are billed only as far as money is left,
/// and the rest is [`Self::forgone`].
#[derive(Debug, Default)]
pub struct Vault {
    budget: Option<Micros>,
    billed: Micros,
    forgone: Micros,
    holdings: HashMap<Uuid, Holding>,
}

#[derive(Debug, Default)]
struct Holding {
    /// Of the last claim.
    number: u64,
    answered: Option<Lease>,
    until: Timestamp,
    /// By its records.
    recorded: Micros,
    /// By records and claims, whichever told more.
    spent: Micros,
    /// What it may spend in all, at least `spent`; the part beyond is kept for it.
    granted: Micros,
    /// Not renewed in time.
    is_lost: bool,
}

impl Vault {
    /// Records of a lost holding may come so long; later ones are billed once more.
    const REMEMBERED: Duration = Duration::from_hours(31 * 24);

    /// From now on so much may be spent in all; without a limit if `None`. What replicas hold of
    /// a larger budget stays theirs until they spent it or gave it back.
    pub fn set_budget(&mut self, budget: Option<Micros>) {
        self.budget = budget;
    }

    /// What was billed before this vault was made.
    pub fn restore(&mut self, billed: Micros) {
        self.billed = self.billed.plus(billed);
    }

    /// A new month: nothing was billed in it yet. What replicas hold counts in it.
    pub fn turn(&mut self) {
        self.billed = Micros::ZERO;
        self.forgone = Micros::ZERO;
    }

    /// Money that is spent and will be asked for.
    pub fn billed(&self) -> Micros {
        self.billed
    }

    /// Money that was spent after it had been counted as free, and that nobody pays.
    pub fn forgone(&self) -> Micros {
        self.forgone
    }

    /// Money kept for replicas.
    pub fn held(&self) -> Micros {
        self.holdings.values().map(Holding::held).sum()
    }

    /// Answers a claim.
    pub fn claim(&mut self, claim: &Claim, now: Timestamp) -> Result<Lease, TreasuryError> {
        self.expire(now);
        if let Some(known) = self.holdings.get(&claim.holding) {
            match claim.number.cmp(&known.number) {
                _ if known.is_lost => return Err(TreasuryError::Ended),
                Ordering::Less => return Err(TreasuryError::Stale),
                // The same claim came twice, as the answer was lost or slow.
                Ordering::Equal => return known.answered.ok_or(TreasuryError::Stale),
                Ordering::Greater => {}
            }
        } else if claim.spent > Micros::ZERO {
            // It was known here before, or it could not have spent.
            return Err(TreasuryError::Ended);
        }
        Ok(self.grant(claim, now))
    }

    fn grant(&mut self, claim: &Claim, now: Timestamp) -> Lease {
        let told = self.holdings.entry(claim.holding).or_default().spent;
        self.spend(claim.holding, claim.spent.less(told));
        let (free, is_limited) = (self.free(), self.budget.is_some());
        let holding = self.holdings.entry(claim.holding).or_default();
        let allowance = if is_limited {
            let wanted = claim.spent.plus(claim.want).max(holding.spent);
            // What it holds already stays within reach, as it may be spent by now.
            holding.granted = wanted.min(holding.granted.plus(free));
            Allowance::UpTo(holding.granted.less(claim.spent))
        } else {
            holding.granted = holding.spent;
            Allowance::Unlimited
        };
        let lease = Lease { allowance, life: LIFE, renews_at: None };
        holding.number = claim.number;
        holding.answered = Some(lease);
        holding.until = later(now, LIFE);
        lease
    }

    /// Counts what an answer cost, by its record. The caller has made sure that no record counts
    /// twice.
    pub fn record(&mut self, holding: Option<Uuid>, cost: Micros, now: Timestamp) {
        self.expire(now);
        let known = holding.and_then(|id| Some((id, self.holdings.get_mut(&id)?)));
        let Some((id, known)) = known else {
            return self.bill_late(cost);
        };
        known.recorded = known.recorded.plus(cost);
        let newly = known.recorded.less(known.spent);
        self.spend(id, newly);
    }

    /// Moves money from what a holding holds to what is billed.
    fn spend(&mut self, holding: Uuid, newly: Micros) {
        let Some(known) = self.holdings.get_mut(&holding) else { return };
        let kept = newly.min(known.held());
        known.spent = known.spent.plus(newly);
        known.granted = known.granted.max(known.spent);
        self.billed = self.billed.plus(kept);
        self.bill_late(newly.less(kept));
    }

    /// Bills what was kept for nobody, as far as money is left.
    fn bill_late(&mut self, cost: Micros) {
        let billed = cost.min(self.free());
        self.billed = self.billed.plus(billed);
        self.forgone = self.forgone.plus(cost.less(billed));
    }

    /// Counts what nobody renewed in time as free.
    ///
    /// A holding is remembered so long also when it was given back, as claims may still be under
    /// way that would begin it again, and longer while records of it are missing.
    pub fn expire(&mut self, now: Timestamp) {
        self.holdings.retain(|_, holding| {
            if later(holding.until, GRACE) > now {
                return true;
            }
            holding.is_lost = true;
            holding.granted = holding.spent;
            holding.recorded < holding.spent && later(holding.until, Self::REMEMBERED) > now
        });
    }

    fn free(&self) -> Micros {
        match self.budget {
            None => Micros::MAX,
            Some(budget) => budget.less(self.billed).less(self.held()),
        }
    }
}

impl Holding {
    fn held(&self) -> Micros {
        self.granted.less(self.spent)
    }
}
