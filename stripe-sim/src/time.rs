//! The simulator's own clock, and what falls due as it and the test clocks go on.

use serde_json::json;

use crate::agenda::Due;
use crate::objects::{bills, checkout, disputes, payouts, renewals};
use crate::sim::Sim;
use crate::state::State;
use crate::value::Read;

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

    /// Lets a test clock go on; everybody else's time stands still.
    pub(crate) fn advance_clock(&mut self, account: &str, clock: &str, until: i64) {
        const KIND: &str = "test_helpers.test_clock";
        while let Some((at, due)) = self.agenda.next(Some(clock), until) {
            self.change(account, KIND, clock, |clock| {
                clock["frozen_time"] = json!(at.max(clock.int("frozen_time")));
            });
            self.happen(due);
        }
        self.change(account, KIND, clock, |clock| clock["frozen_time"] = json!(until));
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
            Due::Session { account, session } => checkout::close(self, &account, &session),
            Due::Period { account, subscription } => {
                renewals::end_of_period(self, &account, &subscription);
            }
            Due::First { account, subscription } => {
                renewals::first_is_over(self, &account, &subscription);
            }
            Due::Draft { account, invoice } => bills::advance(self, &account, &invoice),
            Due::Retry { account, invoice } => bills::retry(self, &account, &invoice),
        }
    }
}
