//! Which passwords a platform's logins have, and when they change.
//!
//! What is to be is written into the status first, then made on the server, then handed to the
//! pods; the passwords before it stay good until everybody has had time to notice. A turn that
//! ends anywhere in between is gone on with by the next one.

use std::time::Duration;

use blueprint::status::Passwords;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use plan::PasswordTimes;

/// The annotation of a blueprint by which somebody wants new passwords: any text that it did not
/// have before, such as today's date.
pub const ROTATE: &str = "soulfra.io/rotate-passwords";

/// Whoever waits for a time looks at the clock again after this one.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// What is to be done about passwords.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Due {
    /// Nothing.
    Nothing,
    /// These are to be.
    Change(Passwords),
    /// Those before stay good for this time.
    Wait(Duration),
    /// Those before are not needed any more.
    CloseOld,
}

/// What is to be done about these passwords now.
pub(super) fn due(
    known: &Passwords,
    asked: Option<&str>,
    times: PasswordTimes,
    now: Timestamp,
) -> Due {
    let age = Duration::try_from(now.duration_since(known.since.0)).unwrap_or_default();
    if known.old_are_good {
        return match times.overlap().checked_sub(age) {
            Some(left) if !left.is_zero() => Due::Wait(left.min(LONGEST_WAIT)),
            _ => Due::CloseOld,
        };
    }
    let is_asked = asked.is_some() && asked != known.asked.as_deref();
    if is_asked || times.every().is_some_and(|every| age >= every) {
        return Due::Change(first(known.number.saturating_add(1), asked, now));
    }
    Due::Nothing
}

/// Passwords that are new now, and may have come after others.
pub(super) fn first(number: u32, asked: Option<&str>, now: Timestamp) -> Passwords {
    // Of the very first ones there are none before; of others that is not known.
    Passwords { old_are_good: number > 0, ..fresh(number, asked, now) }
}

/// Passwords before which there were none.
pub(super) fn fresh(number: u32, asked: Option<&str>, now: Timestamp) -> Passwords {
    let asked = asked.map(str::to_owned);
    Passwords { number, since: as_kept(now), asked, old_are_good: false }
}

/// As the API server keeps it.
pub(super) fn as_kept(now: Timestamp) -> Time {
    Time(Timestamp::from_second(now.as_second()).unwrap_or(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn times() -> PasswordTimes {
        PasswordTimes { days: 30, overlap_minutes: 60 }
    }

    #[test]
    fn they_change_when_somebody_asks_anew_or_when_they_are_old() {
        let begin = Timestamp::UNIX_EPOCH;
        let known = first(0, None, begin);
        assert_eq!(due(&known, None, times(), begin), Due::Nothing);
        let Due::Change(next) = due(&known, Some("a"), times(), begin) else { panic!() };
        assert_eq!((next.number, next.old_are_good), (1, true));
        let settled = Passwords { old_are_good: false, ..next };
        assert_eq!(due(&settled, Some("a"), times(), begin), Due::Nothing);
        assert_eq!(due(&settled, None, times(), begin), Due::Nothing);
        assert!(matches!(due(&settled, Some("b"), times(), begin), Due::Change(_)));
        let month = begin + 24 * 30 * HOUR;
        assert!(matches!(due(&settled, Some("a"), times(), month), Due::Change(_)));
        let never = PasswordTimes { days: 0, ..times() };
        assert_eq!(due(&settled, Some("a"), never, month), Due::Nothing);
    }

    #[test]
    fn old_ones_are_closed_after_a_while_and_nothing_begins_before() {
        let begin = Timestamp::UNIX_EPOCH;
        let known = first(3, Some("a"), begin);
        let soon = begin + HOUR / 4;
        assert_eq!(due(&known, Some("b"), times(), soon), Due::Wait(HOUR / 4 * 3));
        assert_eq!(due(&known, Some("b"), times(), begin + HOUR), Due::CloseOld);
        // A clock that was set back.
        assert_eq!(due(&known, None, times(), begin - 9 * HOUR), Due::Wait(HOUR));
    }
}
