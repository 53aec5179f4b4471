//! Days and terms: how long something counts that is had by the day, the month or the year.

use blueprint::spec::BillingInterval;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::rating::time::Period;

/// The day of the calendar in which a moment lies: what is counted by the day is counted in it.
pub fn day(at: Timestamp) -> Period {
    let date = TimeZone::UTC.to_datetime(at).date();
    let begins = |date: jiff::civil::Date| TimeZone::UTC.to_timestamp(date.into());
    let from = begins(date).unwrap_or(at);
    Period::new(from, date.tomorrow().and_then(begins).unwrap_or(Timestamp::MAX))
}

/// The term that begins so many terms after the first. Who began on the 31st has terms that begin on the last day
/// of shorter months, and on the 31st again in longer ones.
pub fn term(first: Timestamp, every: BillingInterval, index: u16) -> Period {
    let begins = |index: u16| {
        let index = i32::from(index);
        let span = match every {
            BillingInterval::Month => Span::new().months(index),
            BillingInterval::Year => Span::new().months(12 * index),
        };
        let later = first.to_zoned(TimeZone::UTC).checked_add(span);
        later.map_or(Timestamp::MAX, |later| later.timestamp())
    };
    Period::new(begins(index), begins(index.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_is_from_midnight_to_midnight() {
        let day = day(at("2028-02-29T23:59:59.9Z"));
        assert_eq!(day.to_string(), "2028-02-29T00:00:00Z to 2028-03-01T00:00:00Z");
    }

    #[test]
    fn terms_follow_each_other_and_keep_their_day() {
        let first = at("2027-10-31T10:00:00Z");
        let begins = |every, index| term(first, every, index).from().to_string();
        let months = [1, 4, 5, 6].map(|index| begins(BillingInterval::Month, index));
        let days = ["2027-11-30", "2028-02-29", "2028-03-31", "2028-04-30"];
        assert_eq!(months, days.map(|day| format!("{day}T10:00:00Z")));
        let leap = at("2028-02-29T00:00:00Z");
        let years = [0, 1, 4].map(|index| term(leap, BillingInterval::Year, index));
        let seconds = years.map(|year| year.seconds() / 86_400);
        assert_eq!(seconds, [365, 365, 365], "until the 28th; from it; from the 29th again");
        for index in 0..40 {
            let (this, next) = (
                term(first, BillingInterval::Month, index),
                term(first, BillingInterval::Month, index + 1),
            );
            assert_eq!(this.until(), next.from());
        }
        assert_eq!(term(Timestamp::MAX, BillingInterval::Year, 9).seconds(), 0);
    }
}
