//! What goes wrong, by chance or when it is asked for.

use std::collections::VecDeque;

use crate::chance::Chance;

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done; 500, which the idempotency key keeps.
    ErrorBefore,
    /// It is done; 500 all the same, which the idempotency key keeps.
    ErrorAfter,
    /// 429 before anything is looked at.
    RateLimited,
    /// 429 `lock_timeout`: somebody else has the object.
    LockTimeout,
    /// The connection closes, and nothing was done.
    CutBefore,
    /// It is done, and the connection closes without an answer.
    CutAfter,
    /// It waits until [`crate::Sim::let_go`], and keeps its idempotency key in use.
    Held,
}

/// How often each of them comes: once in so many requests, 0 for never.
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "named as the faults are")]
pub struct RequestFaults {
    pub error_before: u64,
    pub error_after: u64,
    pub rate_limited: u64,
    pub lock_timeout: u64,
    pub cut_before: u64,
    pub cut_after: u64,
}

/// How often each comes: once in so many deliveries, 0 for never.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebhookFaults {
    /// Comes up to an hour late.
    pub delayed: u64,
    /// Comes twice.
    pub doubled: u64,
    /// Comes somewhere among those of the same minute.
    pub reordered: u64,
    /// The first try is lost on its way, and counts as a try.
    pub dropped: u64,
    /// Is signed by the secret before the last one, or by nobody's.
    pub old_secret: u64,
}

/// Which fault a request gets.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    pub(crate) often: RequestFaults,
    chance: Chance,
    /// For the next requests that do an operation, in this order.
    asked: VecDeque<(String, Fault)>,
    /// How many requests were done otherwise than they would have been.
    pub(crate) came: u64,
}

impl Faults {
    pub(crate) fn new(often: RequestFaults, seed: u64) -> Self {
        Self { often, chance: Chance::new(seed), asked: VecDeque::new(), came: 0 }
    }

    pub(crate) fn ask(&mut self, operation: &str, fault: Fault) {
        self.asked.push_back((operation.to_owned(), fault));
    }

    pub(crate) fn next(&mut self, operation: &str) -> Option<Fault> {
        if let Some(place) = self.asked.iter().position(|(asked, _)| asked == operation) {
            return self.asked.remove(place).map(|(_, fault)| fault);
        }
        let RequestFaults {
            error_before,
            error_after,
            rate_limited,
            lock_timeout,
            cut_before,
            cut_after,
        } = self.often;
        [
            (error_before, Fault::ErrorBefore),
            (error_after, Fault::ErrorAfter),
            (rate_limited, Fault::RateLimited),
            (lock_timeout, Fault::LockTimeout),
            (cut_before, Fault::CutBefore),
            (cut_after, Fault::CutAfter),
        ]
        .into_iter()
        .find_map(|(often, fault)| self.chance.once_in(often).then_some(fault))
    }
}
