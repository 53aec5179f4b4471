//! How much may be asked in a second.

use std::collections::HashMap;

use crate::settings::Limits;

/// What was asked in the second that it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buckets {
    second: i64,
    asked: HashMap<String, u32>,
}

impl Buckets {
    /// Counts a request; the reason if it is one too many, as Stripe's header has it.
    pub(crate) fn refuse(
        &mut self,
        limits: &Limits,
        operation: &str,
        now: i64,
    ) -> Option<&'static str> {
        if self.second != now {
            self.second = now;
            self.asked.clear();
        }
        if self.is_full("", limits.all) {
            return Some("global-rate");
        }
        if self.is_full(operation, limits.operations.get(operation).copied()) {
            return Some("endpoint-rate");
        }
        None
    }

    fn is_full(&mut self, name: &str, limit: Option<u32>) -> bool {
        let Some(limit) = limit else { return false };
        let asked = self.asked.entry(name.to_owned()).or_default();
        *asked += 1;
        *asked > limit
    }
}
