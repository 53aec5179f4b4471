//! Nobody deletes many platforms in a moment: a program that went wrong, or somebody with a stolen key,
//! is stopped after a few.

use jiff::{SignedDuration, Timestamp};

/// What was deleted within this time counts.
pub const OVER: SignedDuration = SignedDuration::from_hours(1);
/// Of all that there is, in percent.
const PERCENT: u64 = 5;
/// So many of an organization's can be deleted, however few it has.
pub const OF_ONE: u64 = 3;
/// So many of the whole fleet, however small it is.
pub const OF_ALL: u64 = 20;

/// What was deleted of late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// Of so many.
    pub of: u64,
    /// So many.
    pub lately: u64,
    /// The first of them.
    pub first: Option<Timestamp>,
}

impl Deleted {
    /// When another one can be deleted; `None`: now. At least `least` an hour can be, and else five of a
    /// hundred.
    pub fn wait(self, least: u64, now: Timestamp) -> Option<SignedDuration> {
        let most = least.max((self.of * PERCENT).div_ceil(100));
        let first = self.first.filter(|_| self.lately >= most)?;
        Some((first + OVER).duration_since(now).max(SignedDuration::from_secs(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_of_a_hundred_an_hour_or_a_few() {
        let now: Timestamp = "2026-08-01T10:00:00Z".parse().unwrap();
        let first = now - SignedDuration::from_mins(50);
        let wait = |of, lately| Deleted { of, lately, first: Some(first) }.wait(OF_ONE, now);
        let rest = Some(SignedDuration::from_mins(10));
        for (of, most) in [(1, 3), (60, 3), (61, 4), (100, 5), (10_000, 500)] {
            assert_eq!(wait(of, most - 1), None, "{of}");
            assert_eq!(wait(of, most), rest, "{of}");
        }
        assert_eq!(Deleted { of: 1, lately: 0, first: None }.wait(OF_ONE, now), None);
    }
}
