//! What was used: what a batch may hold, and which days are asked for.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jiff::Timestamp;
use jiff::civil::Date;
use usage::{Event, day_of};
use uuid::Uuid;

/// Events of one batch.
pub const MOST: usize = 20_000;
/// The longest name in one, in bytes.
const LONGEST_NAME: usize = 128;
/// Days that can be looked at together.
const MOST_DAYS: i32 = 92;

/// Whether this may be the name of a tenant, a person, an agent, a model or a request.
pub fn is_plain(name: &str) -> bool {
    name.len() <= LONGEST_NAME && !name.contains(char::is_control)
}

/// The events of a batch by id, each once.
#[derive(Debug)]
pub struct Each<'a> {
    /// In the order of their ids, which is the same for everybody.
    pub events: BTreeMap<Uuid, &'a Event>,
    /// Ids that came twice in it with different content; the first one counts.
    pub torn: Vec<Uuid>,
    /// What cannot be kept, each with its place and why; none of it is among the events.
    pub unfit: Vec<String>,
}

impl<'a> Each<'a> {
    /// Of what was sent.
    ///
    /// # Errors
    /// They are too many.
    pub fn of(sent: &'a [Event]) -> Result<Self, String> {
        if sent.len() > MOST {
            return Err(format!("events: at most {MOST} at once"));
        }
        let (mut events, mut torn, mut unfit) = (BTreeMap::new(), Vec::new(), Vec::new());
        for (at, event) in sent.iter().enumerate() {
            if let Some(what) = wrong_with(event) {
                unfit.push(format!("events[{at}].{what}"));
                continue;
            }
            match events.entry(event.id) {
                Entry::Vacant(place) => {
                    place.insert(event);
                }
                Entry::Occupied(first) if *first.get() != event => torn.push(event.id),
                Entry::Occupied(_) => {}
            }
        }
        Ok(Self { events, torn, unfit })
    }
}

/// What no table takes.
fn wrong_with(event: &Event) -> Option<String> {
    let names = [
        ("tenant", &event.tenant),
        ("user", &event.user),
        ("agent", &event.agent),
        ("model", &event.model),
        ("request", &event.request),
    ];
    if let Some((what, _)) = names.into_iter().find(|(_, name)| !is_plain(name)) {
        return Some(format!("{what}: at most {LONGEST_NAME} bytes, none that controls anything"));
    }
    if event.tenant.is_empty() {
        return Some("tenant: somebody's name".to_owned());
    }
    let times = [("startedAt", event.started_at), ("endedAt", event.ended_at)];
    let is_ours = |time: Timestamp| (2000..=9999).contains(&day_of(time).year());
    let wrong = times.into_iter().find(|(_, time)| !is_ours(*time));
    wrong.map(|(what, _)| format!("{what}: a time from the year 2000 on"))
}

/// Days in UTC, both ends among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    /// The first one.
    pub from: Date,
    /// The last one.
    pub to: Date,
}

/// These can be no days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoDays {
    /// It is no month.
    #[error("`month` is a month such as 2026-03")]
    Month,
    /// It is no day, or one of the two is missing.
    #[error("`from` and `to` are days such as 2026-03-01, both of them")]
    Day,
    /// Both ways were used.
    #[error("either `month`, or `from` and `to`")]
    Both,
    /// None, or too many.
    #[error("from `from` to `to` there is one day at least, and {MOST_DAYS} at most")]
    Count,
}

impl Days {
    /// The month of a day.
    pub fn month_of(day: Date) -> Self {
        Self { from: day.first_of_month(), to: day.last_of_month() }
    }

    /// Those that are asked for; the present month, where nothing is said.
    ///
    /// # Errors
    /// [`NoDays`]
    pub fn read(
        month: Option<&str>,
        from: Option<&str>,
        to: Option<&str>,
        today: Date,
    ) -> Result<Self, NoDays> {
        let day = |text: &str| {
            let is_plain = text.len() == "2026-03-01".len();
            text.parse::<Date>().ok().filter(|_| is_plain).ok_or(NoDays::Day)
        };
        match (month, from, to) {
            (None, None, None) => Ok(Self::month_of(today)),
            (Some(month), None, None) => {
                let first = day(&format!("{month}-01")).map_err(|_| NoDays::Month)?;
                Ok(Self::month_of(first))
            }
            (None, Some(from), Some(to)) => {
                let (from, to) = (day(from)?, day(to)?);
                let more = (to - from).get_days();
                if (0..MOST_DAYS).contains(&more) {
                    Ok(Self { from, to })
                } else {
                    Err(NoDays::Count)
                }
            }
            (None, ..) => Err(NoDays::Day),
            (Some(_), ..) => Err(NoDays::Both),
        }
    }
}

#[cfg(test)]
mod tests {
    use blueprint::Currency;
    use usage::{Micros, Outcome, Tokens};

    use super::*;

    fn event(id: u128, cost: u64) -> Event {
        let at: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        Event {
            id: Uuid::from_u128(id),
            tenant: "acme".to_owned(),
            user: "ann".to_owned(),
            agent: "tutor".to_owned(),
            model: "small".to_owned(),
            request: "r".to_owned(),
            tokens: Tokens::at_most(1, 2),
            cost: Micros::new(cost),
            currency: Currency::USD,
            holding: None,
            outcome: Outcome::Finished,
            started_at: at,
            ended_at: at,
        }
    }

    #[test]
    fn what_comes_twice_is_there_once_and_what_differs_is_told() {
        let sent = [event(2, 1), event(1, 1), event(2, 1), event(1, 9)];
        let batch = Each::of(&sent).unwrap();
        let kept: Vec<_> =
            batch.events.values().map(|it| (it.id.as_u128(), it.cost.get())).collect();
        assert_eq!(kept, [(1, 1), (2, 1)]);
        assert_eq!(batch.torn, [Uuid::from_u128(1)]);
    }

    #[test]
    fn what_no_table_takes_is_told_with_its_place_and_the_rest_is_taken() {
        let refused = |change: fn(&mut Event)| {
            let mut sent = [event(1, 1), event(2, 1), event(3, 1)];
            change(&mut sent[1]);
            let Each { events, unfit, .. } = Each::of(&sent).unwrap();
            assert!(events.keys().map(Uuid::as_u128).eq([1, 3]));
            unfit.concat()
        };
        assert!(refused(|it| it.user = "a\0".to_owned()).starts_with("events[1].user: "));
        assert!(refused(|it| it.model = "m".repeat(129)).starts_with("events[1].model: "));
        assert!(refused(|it| it.tenant.clear()).starts_with("events[1].tenant: "));
        assert!(refused(|it| it.ended_at = Timestamp::MIN).starts_with("events[1].endedAt: "));
        let many = vec![event(1, 1); MOST + 1];
        assert!(Each::of(&many).unwrap_err().contains("at most 20000"));
    }

    #[test]
    fn days_are_a_month_or_up_to_92_of_them() {
        let today = "2026-03-09".parse().unwrap();
        let read = |month, from, to| {
            Days::read(month, from, to, today).map(|it| format!("{} {}", it.from, it.to))
        };
        assert_eq!(read(None, None, None).unwrap(), "2026-03-01 2026-03-31");
        assert_eq!(read(Some("2024-02"), None, None).unwrap(), "2024-02-01 2024-02-29");
        let two = read(None, Some("2026-01-01"), Some("2026-04-02"));
        assert_eq!(two.unwrap(), "2026-01-01 2026-04-02");
        assert_eq!(read(None, Some("2026-01-01"), Some("2026-04-03")), Err(NoDays::Count));
        assert_eq!(read(None, Some("2026-01-02"), Some("2026-01-01")), Err(NoDays::Count));
        assert_eq!(read(None, Some("2026-01-02"), None), Err(NoDays::Day));
        assert_eq!(read(None, Some("yesterday"), Some("today")), Err(NoDays::Day));
        for month in ["2026", "2026-13", "2026-03-01", "march"] {
            assert_eq!(read(Some(month), None, None), Err(NoDays::Month), "{month}");
        }
        assert_eq!(read(Some("2026-03"), Some("2026-03-01"), None), Err(NoDays::Both));
    }
}
