//! The treasury's side of one tenant's budget: pure arithmetic, time handed in.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Allowance, Claim, GRACE, LIFE, Lease, Micros, TreasuryError, later};

/// One tenant's budget of one currency: what was billed, and what replicas hold.
///
/// What was billed and what is held is never more than the budget, in any order of claims and
/// records. What a replica spends is told twice, by its claims and by the records of its answers;
/// the larger of the two counts. When a holding was not renewed within life and grace, what
/// nobody told by then is free; records that come later are billed only as far as money is left,
/// and the rest is [`Self::forgone`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Vault {
    budget: Option<Micros>,
    billed: Micros,
    forgone: Micros,
    holdings: BTreeMap<Uuid, Holding>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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
    /// Holdings of one tenant, where whoever keeps the vault asks for places.
    pub const MOST: usize = 256;

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
    #[must_use]
    pub fn billed(&self) -> Micros {
        self.billed
    }

    /// Money that was spent after it had been counted as free, and that nobody pays.
    #[must_use]
    pub fn forgone(&self) -> Micros {
        self.forgone
    }

    /// Money kept for replicas.
    #[must_use]
    pub fn held(&self) -> Micros {
        self.holdings.values().map(Holding::held).sum()
    }

    /// Whether there is a place for this holding among [`Self::MOST`]. Where there is none, the one that
    /// was lost first is forgotten: what is told of it later is billed once more.
    #[must_use]
    pub fn has_place(&mut self, holding: Uuid, now: Timestamp) -> bool {
        self.expire(now);
        if self.holdings.contains_key(&holding) || self.holdings.len() < Self::MOST {
            return true;
        }
        let lost = self.holdings.iter().filter(|(_, holding)| holding.is_lost);
        let first = lost.min_by_key(|(_, holding)| holding.until).map(|(id, _)| *id);
        first.is_some_and(|id| self.holdings.remove(&id).is_some())
    }

    /// Answers a claim.
    ///
    /// # Errors
    /// [`TreasuryError::Ended`], [`TreasuryError::Stale`].
    pub fn claim(&mut self, claim: &Claim, now: Timestamp) -> Result<Lease, TreasuryError> {
        let is_limited = self.budget.is_some();
        self.answer(claim, now, |vault| is_limited.then(|| vault.free()))
    }

    /// Answers a claim of a tenant that gets no more: what a replica holds stays within its reach,
    /// as it may be spent by now, and nothing is added to it.
    ///
    /// # Errors
    /// As [`Self::claim`].
    pub fn claim_no_more(&mut self, claim: &Claim, now: Timestamp) -> Result<Lease, TreasuryError> {
        self.answer(claim, now, |_| Some(Micros::ZERO))
    }

    /// `free` is what may be added to what is held; `None`: as much as anybody wants.
    fn answer(
        &mut self,
        claim: &Claim,
        now: Timestamp,
        free: impl FnOnce(&Self) -> Option<Micros>,
    ) -> Result<Lease, TreasuryError> {
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
        let told = self.holdings.entry(claim.holding).or_default().spent;
        self.spend(claim.holding, claim.spent.less(told));
        let free = free(self);
        Ok(self.grant(claim, free, now))
    }

    fn grant(&mut self, claim: &Claim, free: Option<Micros>, now: Timestamp) -> Lease {
        let holding = self.holdings.entry(claim.holding).or_default();
        let allowance = if let Some(free) = free {
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

#[cfg(test)]
mod tests {
    use blueprint::Currency;

    use super::*;

    fn now() -> Timestamp {
        "2026-03-09T10:00:00Z".parse().unwrap()
    }

    /// A claim of the only holding there is.
    fn claim(number: u64, spent: u64, want: u64) -> Claim {
        Claim {
            holding: Uuid::from_u128(1),
            number,
            tenant: "acme".to_owned(),
            currency: Currency::USD,
            spent: Micros::new(spent),
            want: Micros::new(want),
        }
    }

    #[test]
    fn a_holding_that_is_lost_is_free_but_for_what_was_told_of_it() {
        let mut vault = Vault::default();
        vault.set_budget(Some(Micros::new(100)));
        let now = now();
        vault.claim(&claim(1, 0, 60), now).unwrap();
        vault.claim(&claim(2, 20, 40), now).unwrap();
        vault.expire(later(now, (LIFE + GRACE).saturating_sub(Duration::from_nanos(1))));
        assert_eq!((vault.billed(), vault.held()), (Micros::new(20), Micros::new(40)));
        let lost = later(now, LIFE + GRACE);
        vault.expire(lost);
        assert_eq!((vault.billed(), vault.held()), (Micros::new(20), Micros::ZERO));
        assert_eq!(vault.claim(&claim(3, 20, 40), lost), Err(TreasuryError::Ended));
        let record = |vault: &mut Vault, cost| {
            vault.record(Some(Uuid::from_u128(1)), Micros::new(cost), lost);
            (vault.billed().get(), vault.forgone().get())
        };
        assert_eq!(record(&mut vault, 15), (20, 0), "this was claimed before");
        assert_eq!(record(&mut vault, 15), (30, 0), "of this, 5 were");
        assert_eq!(record(&mut vault, 90), (100, 20), "the budget ends here");
    }

    #[test]
    fn doubled_late_and_lost_claims_do_no_harm() {
        let mut vault = Vault::default();
        vault.set_budget(Some(Micros::new(100)));
        let now = now();
        let up_to = |amount| Allowance::UpTo(Micros::new(amount));
        let first = vault.claim(&claim(1, 0, 60), now).unwrap();
        assert_eq!(first.allowance, up_to(60));
        assert_eq!(vault.claim(&claim(1, 0, 60), now), Ok(first));
        assert_eq!(vault.claim(&claim(3, 50, 80), now).unwrap().allowance, up_to(50));
        assert_eq!(vault.claim(&claim(2, 20, 10), now), Err(TreasuryError::Stale));
        assert_eq!((vault.billed(), vault.held()), (Micros::new(50), Micros::new(50)));
        // A smaller budget takes nothing back that may be spent already.
        vault.set_budget(Some(Micros::new(10)));
        assert_eq!(vault.claim(&claim(4, 60, 80), now).unwrap().allowance, up_to(40));
        vault.claim(&claim(5, 60, 0), now).unwrap();
        assert_eq!((vault.billed(), vault.held()), (Micros::new(60), Micros::ZERO));
        vault.record(Some(Uuid::from_u128(1)), Micros::new(60), now);
        assert_eq!(vault.billed(), Micros::new(60), "claim and record tell of the same money");
        let much_later = later(now, LIFE + GRACE);
        assert_eq!(vault.claim(&claim(6, 60, 5), much_later), Err(TreasuryError::Ended));
    }

    #[test]
    fn a_tenant_that_gets_no_more_keeps_what_it_holds_until_it_is_spent() {
        let mut vault = Vault::default();
        vault.set_budget(Some(Micros::new(100)));
        let up_to = |amount| Allowance::UpTo(Micros::new(amount));
        vault.claim(&claim(1, 0, 60), now()).unwrap();
        assert_eq!(vault.claim_no_more(&claim(2, 20, 90), now()).unwrap().allowance, up_to(40));
        assert_eq!(vault.claim_no_more(&claim(3, 50, 10), now()).unwrap().allowance, up_to(10));
        assert_eq!(vault.claim_no_more(&claim(4, 60, 5), now()).unwrap().allowance, up_to(0));
        assert_eq!((vault.billed(), vault.held()), (Micros::new(60), Micros::ZERO));
        let other = Claim { holding: Uuid::from_u128(2), ..claim(1, 0, 5) };
        assert_eq!(vault.claim_no_more(&other, now()).unwrap().allowance, up_to(0));
        assert_eq!(vault.claim(&claim(5, 60, 5), now()).unwrap().allowance, up_to(5));
    }

    #[test]
    fn what_was_spent_without_a_limit_is_billed_though_no_more_is_given() {
        let mut vault = Vault::default();
        assert_eq!(vault.claim(&claim(1, 0, 9), now()).unwrap().allowance, Allowance::Unlimited);
        let stopped = vault.claim_no_more(&claim(2, 30, 9), now()).unwrap();
        assert_eq!(stopped.allowance, Allowance::UpTo(Micros::ZERO));
        vault.record(Some(Uuid::from_u128(1)), Micros::new(45), now());
        assert_eq!((vault.billed(), vault.forgone()), (Micros::new(45), Micros::ZERO));
    }

    #[test]
    fn a_tenant_has_so_many_holdings_and_what_was_lost_makes_room() {
        let mut vault = Vault::default();
        vault.set_budget(Some(Micros::new(100)));
        let holding = |id: usize| Uuid::from_u128(id as u128);
        let most = Vault::MOST;
        for id in 0..most {
            assert!(vault.has_place(holding(id), now()), "{id}");
            vault.claim(&Claim { holding: holding(id), ..claim(1, 0, 0) }, now()).unwrap();
        }
        assert!(vault.has_place(holding(0), now()), "it is there");
        assert!(!vault.has_place(holding(most), now()));
        // What it spent was not told yet, so it is remembered; the others are not.
        vault.claim(&Claim { holding: holding(0), ..claim(2, 9, 0) }, now()).unwrap();
        let lost = later(now(), LIFE + GRACE);
        for id in 1..most {
            vault.claim(&Claim { holding: holding(most + id), ..claim(1, 0, 0) }, lost).unwrap();
        }
        assert!(vault.has_place(holding(3 * most), lost));
        assert_eq!(vault.billed(), Micros::new(9));
        let again = Claim { holding: holding(0), ..claim(3, 9, 0) };
        assert_eq!(vault.claim(&again, lost), Err(TreasuryError::Ended));
    }

    #[test]
    fn a_vault_that_a_later_version_kept_is_read() {
        let mut kept = serde_json::to_value(Vault::default()).unwrap();
        kept["more"] = serde_json::json!(1);
        assert_eq!(serde_json::from_value::<Vault>(kept).unwrap(), Vault::default());
    }

    #[test]
    fn a_vault_that_was_kept_goes_on_as_it_was() {
        let mut vault = Vault::default();
        vault.set_budget(Some(Micros::new(100)));
        vault.claim(&claim(1, 0, 60), now()).unwrap();
        vault.record(Some(Uuid::from_u128(1)), Micros::new(20), now());
        let kept = serde_json::to_string(&vault).unwrap();
        let mut read: Vault = serde_json::from_str(&kept).unwrap();
        assert_eq!(read, vault);
        assert_eq!(read.claim(&claim(2, 20, 9), now()), vault.claim(&claim(2, 20, 9), now()));
        assert_eq!(read, vault);
    }
}
