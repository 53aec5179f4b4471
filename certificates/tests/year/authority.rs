//! An authority that counts for itself, by the limits that it publishes.

use std::collections::HashMap;

use certificates::limits::{Limit, Limits};
use jiff::Timestamp;

/// It refused, as more was asked of it than it allows.
#[derive(Debug)]
pub(crate) struct TooMany;

pub(crate) struct Authority {
    limits: Limits,
    /// Renewals that name what they replace are not counted.
    knows_renewals: bool,
    /// From when to when it does not answer.
    outage: Option<[Timestamp; 2]>,
    full_at: HashMap<String, Timestamp>,
}

impl Authority {
    pub(crate) fn new(
        limits: Limits,
        knows_renewals: bool,
        outage: Option<[Timestamp; 2]>,
    ) -> Self {
        Self { limits, knows_renewals, outage, full_at: HashMap::new() }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn answers(&self, now: Timestamp) -> bool {
        self.outage.is_none_or(|[from, to]| now < from || now >= to)
    }

    /// An order comes in. True where it costs nothing, as it replaces a certificate from here.
    pub(crate) fn order(&mut self, replaces_own: bool, now: Timestamp) -> Result<bool, TooMany> {
        if replaces_own && self.knows_renewals {
            return Ok(true);
        }
        let limit = self.limits.orders;
        self.spend("orders".to_owned(), limit, now).map(|()| false)
    }

    /// A certificate is asked for.
    pub(crate) fn finalize(&mut self, name: &str, now: Timestamp) -> Result<(), TooMany> {
        let all = self.limits.of_certificate(name);
        all.into_iter().try_for_each(|(what, limit)| self.spend(what, limit, now))
    }

    /// The bucket as the algorithm's own description has it, and not as our code does.
    fn spend(&mut self, what: String, limit: Limit, now: Timestamp) -> Result<(), TooMany> {
        let full_at = self.full_at.entry(what).or_insert(now);
        let after = (*full_at).max(now) + limit.every;
        let room = limit.every * i32::try_from(limit.most).unwrap_or(i32::MAX);
        if after.duration_since(now) > room {
            return Err(TooMany);
        }
        *full_at = after;
        Ok(())
    }
}
