//! Stretches of time, in whole seconds, and months of the calendar in UTC wherever anybody is.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// From its beginning until just before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    from: Timestamp,
    until: Timestamp,
}

/// A month of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    first: Date,
}

impl Period {
    /// All from `from` until `until`; nothing where that is before it. Parts of seconds are left out.
    pub fn new(from: Timestamp, until: Timestamp) -> Self {
        let (from, until) = (whole(from), whole(until));
        Self { from, until: until.max(from) }
    }

    /// When it begins.
    pub const fn from(self) -> Timestamp {
        self.from
    }

    /// When it is over.
    pub const fn until(self) -> Timestamp {
        self.until
    }

    /// How long it is, in seconds.
    pub fn seconds(self) -> u64 {
        (self.until.as_second() - self.from.as_second()).unsigned_abs()
    }

    /// Whether this moment is in it.
    pub fn has(self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }

    /// What both have in common; where that is nothing, an empty stretch of this one.
    pub fn within(self, other: Self) -> Self {
        let from = self.from.max(other.from).min(self.until);
        Self { from, until: self.until.min(other.until).max(from) }
    }
}

impl Month {
    /// The month in which a moment lies.
    pub fn of(at: Timestamp) -> Self {
        Self { first: TimeZone::UTC.to_datetime(at).date().first_of_month() }
    }

    /// When it begins.
    pub fn begins(self) -> Timestamp {
        TimeZone::UTC.to_timestamp(self.first.into()).unwrap_or(Timestamp::MAX)
    }

    /// All of it.
    pub fn period(self) -> Period {
        Period::new(self.begins(), self.later(1).begins())
    }

    /// What is left of it at this moment; all of it before it begins.
    pub fn rest(self, at: Timestamp) -> Period {
        let all = self.period();
        Period::new(at.clamp(all.from, all.until), all.until)
    }

    /// So many months later, as far as the calendar goes.
    pub fn later(self, months: u16) -> Self {
        let span = jiff::Span::new().months(i32::from(months));
        Self { first: self.first.checked_add(span).unwrap_or(Date::MAX.first_of_month()) }
    }
}

/// Without parts of a second.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

impl fmt::Display for Month {
    /// `2028-02`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.first.year(), self.first.month())
    }
}

impl fmt::Display for Period {
    /// `2028-02-01T00:00:00Z to 2028-03-01T00:00:00Z`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.from, self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn months_are_as_long_as_the_calendar_has_them() {
        for (moment, name, days) in [
            ("2028-02-29T23:59:59.999Z", "2028-02", 29),
            ("2027-02-01T00:00:00Z", "2027-02", 28),
            ("2026-12-31T23:00:00-02:00", "2027-01", 31),
            ("2026-04-30T12:00:00Z", "2026-04", 30),
        ] {
            let month = Month::of(at(moment));
            assert_eq!((month.to_string(), month.period().seconds()), (name.into(), days * 86_400));
            assert!(month.period().has(at(moment)));
            assert!(!month.later(1).period().has(at(moment)));
        }
        assert_eq!(Month::of(at("2027-11-30T00:00:00Z")).later(15).to_string(), "2029-02");
        assert_eq!(Month::of(Timestamp::MAX).later(1), Month::of(Timestamp::MAX));
    }

    #[test]
    fn what_two_stretches_have_in_common() {
        let stretch = |from, until| Period::new(at(from), at(until));
        let month = Month::of(at("2028-02-10T00:00:00Z"));
        let all = month.period();
        let around = stretch("2028-01-20T00:00:00Z", "2028-02-03T00:00:00Z");
        assert_eq!(all.within(around).seconds(), 2 * 86_400);
        assert_eq!(around.within(all), all.within(around));
        let apart = stretch("2028-04-01T00:00:00Z", "2028-05-01T00:00:00Z");
        assert_eq!((all.within(apart).seconds(), apart.within(all).seconds()), (0, 0));
        assert_eq!(stretch("2028-02-02T00:00:00Z", "2028-02-01T00:00:00Z").seconds(), 0);
        assert_eq!(month.rest(at("2028-02-29T00:00:00.7Z")).seconds(), 86_400);
        assert_eq!(month.rest(at("2028-01-01T00:00:00Z")), all);
        assert_eq!(month.rest(at("2028-07-01T00:00:00Z")).seconds(), 0);
        assert!(!all.has(all.until()));
    }
}
