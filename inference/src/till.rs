//! The two calls around each answer: [`Till::open`] before it begins, [`Tab::close`] when it ended.
//!
//! An open tab has a price, tokens and money kept for the longest answer, and room for its record.
//! Closing it settles what was used and returns when that is recorded; only then may the end of
//! the answer be told. A tab that is dropped instead gives everything back and records nothing:
//! the answer never began.

mod local;
mod problem;
mod remote;

#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use uuid::Uuid;
use web::token::Caller;

pub use local::{Keeper, OpenError};

use crate::budget::{self, Charge, Ledger, Reservation};
use crate::prices::{Micros, Prices, Tokens};
use crate::server::Now;
use crate::spool::{Event, Outcome, Room, Spool, SpoolError};

/// Prices, budgets and records together. Clones are the same till.
#[derive(Clone)]
pub struct Till {
    prices: Arc<RwLock<Prices>>,
    ledger: Ledger,
    spool: Spool,
    now: Now,
}

/// Why an answer may not begin.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Its price or a budget.
    #[error(transparent)]
    Budget(#[from] budget::Refused),
    /// There is no room for its record.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// A name that is longer than any we give out, or has control characters.
    #[error("the {0} of the request is no plain name of at most {LONGEST_NAME} bytes")]
    Name(&'static str),
}

/// What an answer used could not be recorded: its end must not be told.
#[derive(Debug, thiserror::Error)]
#[error("what the answer used could not be recorded")]
pub struct Unrecorded(#[from] SpoolError);

/// Names are opaque ids of ours or of a tenant's runtime.
const LONGEST_NAME: usize = 128;

/// An answer that may begin, and what is kept for it.
pub struct Tab {
    reservation: Reservation,
    room: Room,
    spool: Spool,
    caller: Caller,
    request: String,
    model: String,
    currency: blueprint::Currency,
    started_at: Timestamp,
    now: Now,
}

/// What was recorded of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The record's name.
    pub id: Uuid,
    /// What counts.
    pub tokens: Tokens,
    /// What it cost.
    pub cost: Micros,
}

impl Till {
    /// A till. The ledger's [`keep`](Ledger::keep) and the spool's
    /// [`deliver`](crate::spool::deliver) have to run beside it.
    pub fn new(prices: Prices, ledger: Ledger, spool: Spool, now: Now) -> Self {
        Self { prices: Arc::new(RwLock::new(prices)), ledger, spool, now }
    }

    /// New prices, for answers that begin from now on.
    pub fn set_prices(&self, prices: Prices) {
        *self.prices.write().unwrap_or_else(PoisonError::into_inner) = prices;
    }

    /// Whether anybody could be charged for this model.
    pub fn has_price(&self, model: &str) -> bool {
        self.prices.read().unwrap_or_else(PoisonError::into_inner).of(model).is_ok()
    }

    /// Bytes of records that nobody took delivery of yet.
    pub fn waiting_bytes(&self) -> u64 {
        self.spool.waiting_bytes()
    }

    /// Money that was spent beyond budgets since the start and that nobody pays.
    pub fn forgone(&self) -> Vec<(blueprint::Currency, Micros)> {
        self.ledger.forgone()
    }

    /// The tenants' limits and leases.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Keeps what an answer by `model` to this request may need: a prompt of so many tokens and
    /// the longest answer. Must be called from within a runtime; waits only where money has to be
    /// leased first.
    pub async fn open(
        &self,
        caller: &Caller,
        request: &str,
        model: &str,
        bound: Tokens,
    ) -> Result<Tab, Refused> {
        let Caller { tenant, user, agent, .. } = caller;
        let names = [
            ("tenant", &**tenant),
            ("user", user),
            ("agent", agent),
            ("id", request),
            ("model", model),
        ];
        if let Some((what, _)) = names.into_iter().find(|(_, name)| !is_plain(name)) {
            return Err(Refused::Name(what));
        }
        let price = self.prices.read().unwrap_or_else(PoisonError::into_inner).of(model);
        let price = price.map_err(budget::Refused::from)?;
        let room = self.spool.room()?;
        let reservation = self.ledger.reserve(caller, price, bound).await?;
        Ok(Tab {
            reservation,
            room,
            spool: self.spool.clone(),
            caller: caller.clone(),
            request: request.to_owned(),
            model: model.to_owned(),
            currency: price.currency,
            started_at: (self.now)(),
            now: Arc::clone(&self.now),
        })
    }
}

impl Tab {
    /// Settles what was used, exactly, and records it; the rest of what was kept is free again.
    /// An answer that failed is recorded with its tokens, costs nothing, and counts for nobody's
    /// day.
    pub async fn close(self, used: Tokens, outcome: Outcome) -> Result<Receipt, Unrecorded> {
        let Self { reservation, room, spool, caller, request, model, currency, started_at, now } =
            self;
        let Charge { tokens, cost, holding } = match outcome {
            Outcome::Finished | Outcome::Cancelled => reservation.settle(used),
            Outcome::Failed => reservation.release(used),
        };
        let Caller { tenant, user, agent, .. } = caller;
        let event = Event {
            id: Uuid::now_v7(),
            tenant,
            user,
            agent,
            model,
            request,
            tokens,
            cost,
            currency,
            holding,
            outcome,
            started_at,
            ended_at: now(),
        };
        spool.append(&event, room).await?;
        Ok(Receipt { id: event.id, tokens, cost })
    }
}

fn is_plain(name: &str) -> bool {
    name.len() <= LONGEST_NAME && !name.contains(char::is_control)
}
