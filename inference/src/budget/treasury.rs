//! Where money comes from: the promise between a replica and whoever knows the budget. Its words are
//! those of the crate `usage`.

use async_trait::async_trait;
use blueprint::Currency;
use usage::{Claim, Lease, Micros, TreasuryError};

/// Knows the budgets.
#[async_trait]
pub trait Treasury: Send + Sync {
    /// Takes note of what was spent, and leases what is wanted or what is left.
    async fn lease(&self, claim: &Claim) -> Result<Lease, TreasuryError>;

    /// Money that was spent beyond budgets since the start, and that nobody pays
    /// ([`usage::Vault::forgone`]), where this process is who knows.
    fn forgone(&self) -> Vec<(Currency, Micros)> {
        Vec::new()
    }
}
