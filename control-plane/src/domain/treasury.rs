//! What a tenant may spend, and how it stands.

use blueprint::{Currency, Money, PlatformBlueprint};
use jiff::Timestamp;
use jiff::civil::Date;
use usage::{Claim, Lease, Micros, TreasuryError, Vault, day_of, first_of_next_month};
use uuid::Uuid;

use crate::domain::id::PlatformId;

/// What a tenant may have, by its blueprint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Whether it is a platform.
    pub is_there: bool,
    /// In a month; without a limit if `None`.
    pub monthly: Option<Money>,
    /// Whether it is given any beyond what model servers hold of it by now.
    pub gets_more: bool,
}

impl Terms {
    /// Of one that was seen so; whoever has no blueprint, is being deleted or was stopped gets nothing.
    pub fn of(seen: Option<&PlatformBlueprint>) -> Self {
        let Some(seen) = seen else { return Self::default() };
        let stays = seen.metadata.deletion_timestamp.is_none() && !seen.spec.suspended;
        Self { is_there: true, monthly: seen.spec.ai.monthly_budget, gets_more: stays }
    }

    /// What may be spent in a month of this currency.
    pub fn budget(self, currency: Currency) -> Option<Micros> {
        let budget = self.monthly.filter(|budget| budget.currency() == currency);
        // One below zero is no budget at all, so nothing may be spent.
        budget.map(|budget| Micros::of(budget).unwrap_or_default())
    }
}

/// A tenant's money of one currency in one month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chest {
    /// Whose.
    pub tenant: String,
    /// Which platform of that name, where it is one's: another one has a chest of its own.
    pub platform: Option<PlatformId>,
    /// Of which currency.
    pub currency: Currency,
    /// The first day of the month that it is about.
    pub month: Date,
    /// What was billed in it, and what is held.
    pub vault: Vault,
}

impl Chest {
    /// One from which nothing was taken yet.
    pub fn new(
        tenant: String,
        platform: Option<PlatformId>,
        currency: Currency,
        now: Timestamp,
    ) -> Self {
        let month = day_of(now).first_of_month();
        Self { tenant, platform, currency, month, vault: Vault::default() }
    }

    /// As it is now. A clock that goes back begins no month.
    pub fn turn(&mut self, terms: Terms, now: Timestamp) {
        let month = day_of(now).first_of_month();
        if month > self.month {
            self.month = month;
            self.vault.turn();
        }
        self.vault.set_budget(terms.budget(self.currency));
    }

    /// Answers a claim.
    ///
    /// # Errors
    /// [`TreasuryError`]
    pub fn claim(
        &mut self,
        claim: &Claim,
        terms: Terms,
        now: Timestamp,
    ) -> Result<Lease, TreasuryError> {
        if terms.monthly.is_some_and(|budget| budget.currency() != claim.currency) {
            return Err(TreasuryError::Currency);
        }
        self.turn(terms, now);
        let lease = if terms.gets_more {
            self.vault.claim(claim, now)
        } else {
            self.vault.claim_no_more(claim, now)
        };
        Ok(Lease { renews_at: Some(first_of_next_month(now)), ..lease? })
    }

    /// Counts what an answer cost; how much of that nobody pays.
    pub fn record(
        &mut self,
        holding: Option<Uuid>,
        cost: Micros,
        terms: Terms,
        now: Timestamp,
    ) -> Micros {
        self.turn(terms, now);
        let before = self.vault.forgone();
        self.vault.record(holding, cost, now);
        self.vault.forgone().less(before)
    }
}

#[cfg(test)]
mod tests {
    use usage::Allowance;

    use super::*;

    const MARCH: &str = "2026-03-31T23:59:00Z";
    const APRIL: &str = "2026-04-01T00:01:00Z";

    fn at(now: &str) -> Timestamp {
        now.parse().unwrap()
    }

    fn terms(budget: Option<&str>) -> Terms {
        let monthly = budget.map(|it| it.parse().unwrap());
        Terms { is_there: true, monthly, gets_more: true }
    }

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
    fn a_budget_is_there_again_when_its_month_is_over_in_utc() {
        let mut chest = Chest::new("acme".to_owned(), None, Currency::USD, at(MARCH));
        let terms = terms(Some("1.00 USD"));
        let first = chest.claim(&claim(1, 0, 1_500_000), terms, at(MARCH)).unwrap();
        assert_eq!(first.allowance, Allowance::UpTo(Micros::new(1_000_000)));
        assert_eq!(first.renews_at, Some(at("2026-04-01T00:00:00Z")));
        chest.claim(&claim(2, 1_000_000, 0), terms, at(MARCH)).unwrap();
        let spent = chest.claim(&claim(3, 1_000_000, 1), terms, at(MARCH)).unwrap();
        assert_eq!(spent.allowance, Allowance::UpTo(Micros::ZERO));
        let next = chest.claim(&claim(4, 1_000_000, 7), terms, at(APRIL)).unwrap();
        assert_eq!(next.allowance, Allowance::UpTo(Micros::new(7)));
        // A clock that went back.
        chest.turn(terms, at(MARCH));
        assert_eq!(
            (chest.month.to_string().as_str(), chest.vault.billed()),
            ("2026-04-01", Micros::ZERO)
        );
    }

    #[test]
    fn a_budget_in_another_currency_leases_nothing_and_none_is_no_limit() {
        let mut chest = Chest::new("acme".to_owned(), None, Currency::USD, at(MARCH));
        let refused = chest.claim(&claim(1, 0, 1), terms(Some("1.00 EUR")), at(MARCH));
        assert_eq!(refused, Err(TreasuryError::Currency));
        let lease = chest.claim(&claim(1, 0, 1), terms(None), at(MARCH)).unwrap();
        assert_eq!(lease.allowance, Allowance::Unlimited);
        let stopped = Terms { gets_more: false, ..terms(None) };
        let lease = chest.claim(&claim(2, 0, 1), stopped, at(MARCH)).unwrap();
        assert_eq!(lease.allowance, Allowance::UpTo(Micros::ZERO));
        let holding = Some(Uuid::from_u128(1));
        assert_eq!(chest.record(holding, Micros::new(9), stopped, at(MARCH)), Micros::ZERO);
        assert_eq!(chest.vault.billed(), Micros::new(9), "it was spent while there was no limit");
    }
}
