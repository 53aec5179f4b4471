//! How long jobs take and how much they make, learned from those that ended; from that, how long
//! it is until somebody's turn.

use std::time::Duration;

/// Recent jobs weigh a quarter.
#[derive(Debug, Default)]
pub(super) struct Pace {
    learned: Option<Learned>,
}

#[derive(Debug, Clone, Copy)]
struct Learned {
    took: Duration,
    /// How far jobs are from that, on average.
    spread: Duration,
    made: usize,
}

impl Pace {
    /// Before anything was learned; about one answer of a small model on two cores.
    const GUESS: Duration = Duration::from_secs(10);
    const GUESS_MADE: usize = 128;
    /// Nobody is told to wait for longer: by then everything is different.
    const LONGEST: Duration = Duration::from_mins(10);

    /// A job has ended that took so long and made so many tokens.
    pub(super) fn learn(&mut self, took: Duration, made: usize) {
        self.learned = Some(match self.learned {
            None => Learned { took, spread: Duration::ZERO, made },
            Some(before) => Learned {
                took: (before.took * 3 + took) / 4,
                spread: (before.spread * 3 + before.took.abs_diff(took)) / 4,
                made: (before.made * 3 + made) / 4,
            },
        });
    }

    /// How many tokens a job probably makes.
    pub(super) fn likely_made(&self) -> usize {
        self.learned.map_or(Self::GUESS_MADE, |learned| learned.made)
    }

    /// Until so many further jobs have begun on places that are all taken, where `running` says
    /// for how long the present ones have been.
    pub(super) fn until(&self, starts: usize, running: impl Iterator<Item = Duration>) -> Duration {
        let job = self.learned.map_or(Self::GUESS, |learned| learned.took + learned.spread);
        // Who takes longer than usual probably takes as long again.
        let left =
            |ran: Duration| job.checked_sub(ran).filter(|left| !left.is_zero()).unwrap_or(ran);
        let mut left: Vec<Duration> = running.map(left).collect();
        left.sort_unstable();
        let before = starts.saturating_sub(1);
        let places = left.len().max(1);
        let rounds = u32::try_from(before / places).unwrap_or(u32::MAX);
        let last = left.get(before % places).copied().unwrap_or(job);
        job.saturating_mul(rounds).saturating_add(last).min(Self::LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn each_place_is_free_when_its_job_ends_and_then_once_a_job() {
        let mut pace = Pace::default();
        pace.learn(secs(6), 100);
        let until = |starts| pace.until(starts, [secs(1), secs(4)].into_iter());
        assert_eq!([1, 2, 3, 4, 5].map(until), [2, 5, 8, 11, 14].map(secs));
        assert_eq!(pace.until(1, [secs(20)].into_iter()), secs(20));
        assert_eq!(pace.until(1_000_000, [secs(20)].into_iter()), secs(600));
    }

    #[test]
    fn where_jobs_differ_the_next_may_be_a_longer_one() {
        let mut pace = Pace::default();
        assert_eq!(pace.until(1, std::iter::empty()), secs(10));
        for took in [4, 8, 4, 8, 4, 8, 4, 8, 4, 8] {
            pace.learn(secs(took), 10);
        }
        let wait = pace.until(1, [secs(0)].into_iter());
        assert!(secs(7) < wait && wait < secs(10), "{wait:?}");
        assert_eq!(pace.likely_made(), 10);
    }
}
