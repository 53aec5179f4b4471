//! How fast one platform may have its turns.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use tokio::time::Instant;

/// After the first failure; twice as long after each more.
const FIRST: Duration = Duration::from_millis(500);
/// The longest.
const LONGEST: Duration = Duration::from_mins(5);
/// A change is looked at within this time, however often it failed before.
const HEALS_WITHIN: Duration = Duration::from_secs(5);
/// So many turns in a row may write.
const WRITES: u32 = 12;
/// After that, one in this time: somebody undoes what we do.
const ONE_WRITE: Duration = Duration::from_secs(4);

/// How fast one platform may have its turns.
#[derive(Debug, Default)]
pub(super) struct Pace {
    failures: u32,
    /// When the last turn ended that failed.
    failed_at: Option<Instant>,
    /// Turns that wrote, less those that time has forgiven.
    writes: u32,
    forgiven_at: Option<Instant>,
}

impl Pace {
    /// When a change may be looked at.
    pub(super) fn not_before(&self, now: Instant) -> Instant {
        let failed = self.failed_at.map(|at| at + self.pause().min(HEALS_WITHIN));
        let wrote = self.forgiven_at.filter(|_| self.writes_at(now) >= WRITES);
        let wrote = wrote.map(|at| at + ONE_WRITE * (1 + self.writes - WRITES));
        failed.into_iter().chain(wrote).fold(now, Instant::max)
    }

    pub(super) fn went_well(&mut self, wrote: bool, now: Instant) {
        self.failures = 0;
        self.failed_at = None;
        self.count(wrote, now);
    }

    /// When it is tried again; `after` is the least.
    pub(super) fn failed(&mut self, name: &str, after: Option<Duration>, now: Instant) -> Instant {
        self.failures = self.failures.saturating_add(1);
        self.failed_at = Some(now);
        // Apart from others that failed for the same reason, the same way in each run.
        let mut hasher = DefaultHasher::new();
        (name, self.failures).hash(&mut hasher);
        let percent = 75 + u32::try_from(hasher.finish() % 50).unwrap_or_default();
        now + (self.pause() * percent / 100).max(after.unwrap_or_default())
    }

    /// Nothing of it needs to be remembered.
    pub(super) fn is_at_rest(&self, now: Instant) -> bool {
        self.failures == 0 && self.writes_at(now) == 0
    }

    fn pause(&self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(16);
        (FIRST * 2_u32.pow(doublings)).min(LONGEST)
    }

    fn count(&mut self, wrote: bool, now: Instant) {
        let left = self.writes_at(now);
        let forgiven = self.writes - left;
        self.writes = left + u32::from(wrote);
        self.forgiven_at = match self.forgiven_at {
            Some(at) if left > 0 => Some(at + ONE_WRITE * forgiven),
            _ => Some(now),
        };
    }

    fn writes_at(&self, now: Instant) -> u32 {
        let Some(at) = self.forgiven_at else { return 0 };
        let forgiven = now.saturating_duration_since(at).as_millis() / ONE_WRITE.as_millis();
        self.writes.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX))
    }
}
