//! The simulator's own clock, and what falls due as it goes on.

use crate::agenda::Due;
use crate::objects::{disputes, payouts};
use crate::sim::Sim;
use crate::state::State;

impl Sim {
    /// What time it is, in seconds since 1970.
    pub fn now(&self) -> i64 {
        self.lock().now
    }

    /// Lets so many seconds go by; what falls due meanwhile happens in its order. Webhooks wait
    /// until they are delivered.
    pub fn advance(&self, seconds: i64) {
        let mut state = self.lock();
        let until = state.now + seconds;
        state.advance_to(until);
    }
}

impl State {
    fn advance_to(&mut self, until: i64) {
        while let Some((at, due)) = self.agenda.next(None, until) {
            self.now = self.now.max(at);
            self.happen(due);
        }
        self.now = self.now.max(until);
    }

    /// What was due happens.
    fn happen(&mut self, due: Due) {
        match due {
            Due::Midnight => {
                payouts::daily(self);
                let next = self.next_midnight();
                self.agenda.put(None, next, Due::Midnight);
            }
            Due::Payout { account, payout } => payouts::arrive(self, &account, &payout),
            Due::Dispute { account, dispute } => disputes::overdue(self, &account, &dispute),
        }
    }
}
