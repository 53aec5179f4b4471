//! Tokens of each person on the present day, in UTC.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use usage::day_of;

use super::{Refused, until};

/// So many people of one tenant are counted in a day, at about 100 bytes each.
const MOST: usize = 100_000;

/// Who took how many tokens today, those reserved included.
#[derive(Debug, Default)]
pub(super) struct People {
    day: Date,
    taken: HashMap<Box<str>, u64>,
}

impl People {
    /// Whether `user` may take so many tokens under this limit.
    pub(super) fn check(
        &mut self,
        user: &str,
        tokens: u64,
        limit: u64,
        now: Timestamp,
    ) -> Result<(), Refused> {
        self.turn(now);
        let taken = self.taken.get(user).copied();
        if taken.is_none() && self.taken.len() >= MOST {
            return Err(Refused::TooManyPeople { renews_in: until_midnight(now) });
        }
        let left = limit.saturating_sub(taken.unwrap_or(0));
        if tokens > left {
            return Err(Refused::DailyTokensSpent { left, renews_in: until_midnight(now) });
        }
        Ok(())
    }

    /// Takes tokens; gives the day from which they are.
    pub(super) fn take(&mut self, user: &str, tokens: u64, now: Timestamp) -> Date {
        self.turn(now);
        if let Some(taken) = self.taken.get_mut(user) {
            *taken = taken.saturating_add(tokens);
        } else if self.taken.len() < MOST {
            self.taken.insert(user.into(), tokens);
        }
        self.day
    }

    /// Gives tokens of `day` back; those of a day that is over do not matter any more.
    pub(super) fn give_back(&mut self, user: &str, tokens: u64, day: Date) {
        if day == self.day
            && let Some(taken) = self.taken.get_mut(user)
        {
            *taken = taken.saturating_sub(tokens);
        }
    }

    /// Whether nothing that was taken matters any more.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        day_of(now) > self.day
    }

    /// A new day begins with nothing taken. A clock that goes back does not begin one.
    fn turn(&mut self, now: Timestamp) {
        let today = day_of(now);
        if today > self.day {
            self.day = today;
            self.taken = HashMap::new();
        }
    }
}

fn until_midnight(now: Timestamp) -> Duration {
    let midnight = day_of(now).tomorrow().and_then(|day| TimeZone::UTC.to_timestamp(day.into()));
    midnight.map_or(Duration::from_hours(24), |midnight| until(now, midnight))
}
