//! Days and months, in UTC wherever anybody is.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The day in UTC on which a moment lies.
#[must_use]
pub fn day_of(now: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(now).date()
}

/// When the next month begins, in UTC.
#[must_use]
pub fn first_of_next_month(now: Timestamp) -> Timestamp {
    let next = day_of(now).last_of_month().tomorrow();
    let next = next.and_then(|day| TimeZone::UTC.to_timestamp(day.into()));
    next.unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_ends_at_midnight_in_utc() {
        for (now, next) in [
            ("2026-03-09T10:00:00Z", "2026-04-01T00:00:00Z"),
            ("2026-12-31T23:59:59.999Z", "2027-01-01T00:00:00Z"),
            ("2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"),
        ] {
            assert_eq!(first_of_next_month(now.parse().unwrap()), next.parse().unwrap());
        }
        assert_eq!(day_of("2026-03-01T00:30:00+02:00".parse().unwrap()).to_string(), "2026-02-28");
        assert_eq!(first_of_next_month(Timestamp::MAX), Timestamp::MAX);
    }
}
