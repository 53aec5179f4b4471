//! Troubles that come by the thousand, told now and then.

use std::io;
use std::time::{Duration, Instant};

/// How long the same trouble is not told again.
const QUIET: Duration = Duration::from_secs(10);

/// How long to wait before the next try, so that running connections can end.
const PAUSE: Duration = Duration::from_millis(50);

/// One kind of trouble: told when it comes, then every ten seconds at most, with a count.
#[derive(Debug, Default)]
pub struct Complaint {
    told: Option<Instant>,
    untold: u64,
}

impl Complaint {
    /// For an accept loop: tells that a connection could not be accepted, and waits a moment.
    pub async fn not_accepted(&mut self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset};
        // Visitors who left before they were let in are their own affair.
        if matches!(error.kind(), ConnectionAborted | ConnectionReset) {
            return;
        }
        if let Some(times) = self.once_more(Instant::now()) {
            tracing::warn!(%error, times, "could not accept a connection");
        }
        // Out of file handles, mostly.
        tokio::time::sleep(PAUSE).await;
    }

    /// Counts it once more. How often it came since it was last told, when it is to be told now.
    pub(super) fn once_more(&mut self, now: Instant) -> Option<u64> {
        self.untold += 1;
        if self.told.is_some_and(|told| now.duration_since(told) < QUIET) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_told_at_once_and_then_every_ten_seconds_with_a_count() {
        let mut complaint = Complaint::default();
        let start = Instant::now();
        let mut after = |millis| complaint.once_more(start + Duration::from_millis(millis));
        assert_eq!(after(0), Some(1));
        assert_eq!(after(50), None);
        assert_eq!(after(9_999), None);
        assert_eq!(after(10_000), Some(3));
        assert_eq!(after(10_050), None);
        assert_eq!(after(60_000), Some(2));
    }
}
