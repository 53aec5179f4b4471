//! What is kept for one answer, from before it begins until it ended.

use std::sync::Arc;

use uuid::Uuid;

use super::account::{Account, Need, Taken};
use crate::prices::{Micros, Price, Tokens};

/// Tokens and money kept for one answer. Dropping it gives all of it back.
#[derive(Debug)]
pub struct Reservation {
    pub(super) account: Arc<Account>,
    pub(super) user: String,
    pub(super) bound: Tokens,
    pub(super) price: Price,
    pub(super) amount: Micros,
    /// Until it is settled.
    pub(super) taken: Option<Taken>,
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
