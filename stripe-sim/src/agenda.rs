//! What falls due as time goes by, of the simulator's clock and of each test clock.

use std::collections::BTreeMap;

/// What is to be done at a time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Due {
    /// Accounts that are paid out daily are.
    Midnight,
    /// A payout arrives.
    Payout { account: String, payout: String },
    /// A checkout session ends unpaid.
    Session { account: String, session: String },
    /// A period of a subscription ends.
    Period { account: String, subscription: String },
    /// The first invoice of a subscription was not paid in time.
    First { account: String, subscription: String },
    /// A draft is finalized.
    Draft { account: String, invoice: String },
    /// An invoice that could not be paid is tried again.
    Retry { account: String, invoice: String },
    /// Nobody answered a dispute.
    Dispute { account: String, dispute: String },
}

/// By clock, time and the order in which it was put there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agenda {
    due: BTreeMap<(Option<String>, i64, u64), Due>,
    put: u64,
}

impl Agenda {
    pub(crate) fn put(&mut self, clock: Option<String>, at: i64, due: Due) {
        self.put += 1;
        self.due.insert((clock, at, self.put), due);
    }

    /// The next thing of a clock that is due by then, taken out, and when it was due.
    pub(crate) fn next(&mut self, clock: Option<&str>, until: i64) -> Option<(i64, Due)> {
        let clock = clock.map(str::to_owned);
        let from = (clock.clone(), i64::MIN, 0);
        let key = self.due.range(from..=(clock, until, u64::MAX)).next()?.0.clone();
        let due = self.due.remove(&key)?;
        Some((key.1, due))
    }

    /// Drops all that a test clock had before it.
    pub(crate) fn forget(&mut self, clock: &str) {
        self.due.retain(|(known, ..), _| known.as_deref() != Some(clock));
    }
}
