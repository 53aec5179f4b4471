//! When orders are tried, and at which authority. All of it is plain functions of time, so that a year
//! of a hundred thousand names can be lived through in a minute (`tests/year`).

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::acme::Trouble;

/// An authority that has not answered for so long is left for the next one.
pub const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

/// Nobody waits for longer than this until the next try.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// When a new certificate is to be ordered, where the authority does not say: once a third of the
/// life of the one that there is is left, and half of one that lives for less than ten days.
pub fn renew_at(not_before: Timestamp, not_after: Timestamp) -> Timestamp {
    let life = not_after.duration_since(not_before);
    let left = if life < SignedDuration::from_hours(10 * 24) { life / 2 } else { life / 3 };
    not_after - left
}

/// Which of so many authorities an order is given to, after nobody answered it for this time.
pub fn whose_turn(silent: SignedDuration, count: usize) -> usize {
    let turn = usize::try_from(silent.as_secs() / PATIENCE.as_secs()).unwrap_or_default();
    turn % count.max(1)
}

/// Until when a place is waited for. With the first authority all have theirs, however late. With
/// another one a later place would only keep others from it: the first may be back by then.
pub fn latest_place(is_first: bool, now: Timestamp) -> Option<Timestamp> {
    (!is_first).then(|| now + SignedDuration::from_hours(1))
}

/// When an order is tried again after trouble. Authorities count refusals, five an hour for a name:
/// so there are fewer, and soon very few. One that does not answer is asked less and less often, as
/// all orders wait for it: `silent` is how long nobody has answered this one.
pub fn pause(
    trouble: &Trouble,
    refusals: u8,
    silent: SignedDuration,
    now: Timestamp,
) -> SignedDuration {
    let (seconds, minutes) = (SignedDuration::from_secs, SignedDuration::from_mins);
    let growing = |least| (silent / 4).clamp(least, minutes(5));
    match trouble {
        Trouble::Refused(_) => match refusals {
            0 | 1 => minutes(1),
            2 => minutes(20),
            3 => minutes(100),
            _ => LONGEST,
        },
        Trouble::Busy { after: Some(after), .. } => {
            SignedDuration::try_from(*after).unwrap_or(LONGEST).clamp(seconds(1), LONGEST)
        }
        Trouble::Busy { after: None, .. } => growing(seconds(5)),
        Trouble::Silent(_) => growing(seconds(10)),
        Trouble::Ours(_) => seconds(5),
        Trouble::Full(until) => {
            // Whoever is here because another authority does not answer goes back in between.
            let longest = if silent.is_zero() { LONGEST } else { PATIENCE };
            until.duration_since(now).clamp(SignedDuration::ZERO, longest)
        }
        Trouble::NotSet(_) => minutes(1),
        Trouble::Gone(_) | Trouble::NoAccount(_) | Trouble::NoRenewal(_) => seconds(1),
    }
}

/// Who does not answer. An authority that several orders in a row heard nothing from is left alone
/// for a while: all others would only wait for it too. One order is not enough, as something may
/// be about this very one.
#[derive(Debug, Default)]
pub struct Silences(HashMap<String, Silence>);

#[derive(Debug, Default)]
struct Silence {
    orders: HashSet<Uuid>,
    until: Option<Timestamp>,
}

impl Silences {
    /// So many different orders, with no answer to any other between them.
    const ENOUGH: usize = 3;
    /// So long it is left alone.
    const WHILE: SignedDuration = SignedDuration::from_secs(30);

    /// Whether it is left alone just now.
    pub fn is_silent(&self, authority: &str, now: Timestamp) -> bool {
        let until = self.0.get(authority).and_then(|silence| silence.until);
        until.is_some_and(|until| now < until)
    }

    /// It has answered.
    pub fn heard(&mut self, authority: &str) {
        self.0.remove(authority);
    }

    /// It has not answered this order.
    pub fn unheard(&mut self, authority: &str, order: Uuid, now: Timestamp) {
        let silence = self.0.entry(authority.to_owned()).or_default();
        if silence.orders.len() < Self::ENOUGH {
            silence.orders.insert(order);
        }
        if silence.orders.len() == Self::ENOUGH {
            silence.until = Some(now + Self::WHILE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn an_authority_that_three_orders_heard_nothing_from_is_left_alone_for_a_while() {
        let mut silences = Silences::default();
        let order = Uuid::from_u128;
        for _ in 0..10 {
            silences.unheard("a", order(1), at(0));
        }
        assert!(!silences.is_silent("a", at(0)), "it may be about this very order");
        silences.unheard("a", order(2), at(0));
        silences.heard("a");
        silences.unheard("a", order(3), at(0));
        assert!(!silences.is_silent("a", at(0)));
        silences.unheard("a", order(4), at(1));
        silences.unheard("a", order(5), at(2));
        assert!(silences.is_silent("a", at(3)) && !silences.is_silent("b", at(3)));
        assert!(!silences.is_silent("a", at(32)), "it is tried again");
        silences.unheard("a", order(4), at(33));
        assert!(silences.is_silent("a", at(34)));
        silences.heard("a");
        assert!(!silences.is_silent("a", at(34)));
    }

    #[test]
    fn who_does_not_answer_is_asked_less_often_the_longer_it_lasts_and_another_one_in_turns() {
        let trouble = Trouble::Silent("no answer".to_owned());
        let after = |minutes| {
            let silent = SignedDuration::from_mins(minutes);
            (pause(&trouble, 0, silent, at(0)).as_secs(), whose_turn(silent, 2))
        };
        assert_eq!(
            [0, 4, 10, 20, 2_880].map(after),
            [(10, 0), (60, 0), (150, 1), (300, 0), (300, 0)]
        );
        assert_eq!(whose_turn(SignedDuration::from_hours(48), 1), 0);
    }

    #[test]
    fn whoever_has_a_place_is_tried_when_it_is_its_turn() {
        let until = |seconds| pause(&Trouble::Full(at(seconds)), 0, SignedDuration::ZERO, at(0));
        assert_eq!([-5, 7, 7_200].map(|it| until(it).as_secs()), [0, 7, 7_200]);
        assert_eq!(until(1_000_000).as_secs(), 86_400);
        let away = pause(&Trouble::Full(at(7_200)), 0, PATIENCE, at(0));
        assert_eq!(away, PATIENCE, "the first authority may be back by then");
        assert_eq!(latest_place(true, at(0)), None);
        assert_eq!(latest_place(false, at(0)), Some(at(3_600)));
    }
}
