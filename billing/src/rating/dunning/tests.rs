use proptest::prelude::*;

use super::*;
use crate::rating::time::Month;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn name(number: u16) -> InvoiceName {
    let month = Month::of(at("2027-01-01T00:00:00Z")).later(number);
    InvoiceName::month(&"acme".parse().unwrap(), month)
}

fn issued(number: u16, due: &str) -> Fact {
    Fact::Issued { invoice: name(number), due: at(due) }
}

fn settled(number: u16, time: &str) -> Fact {
    Fact::Settled { invoice: name(number), at: at(time) }
}

fn reopened(number: u16, time: &str) -> Fact {
    Fact::Reopened { invoice: name(number), at: at(time) }
}

fn told(facts: impl IntoIterator<Item = Fact>) -> Dunning {
    let mut dunning = Dunning::default();
    facts.into_iter().for_each(|fact| dunning.told(&fact));
    dunning
}

fn state(dunning: &Dunning, now: &str) -> State {
    dunning.standing(Patience::default(), at(now)).state
}

#[test]
fn an_unpaid_bill_goes_all_the_way_and_back_when_it_is_paid() {
    let mut dunning = told([issued(0, "2027-01-01T00:00:00Z")]);
    let mut before = State::Current;
    let walk = [
        ("2027-01-01T23:59:59Z", State::Current, None),
        ("2027-01-02T00:00:00Z", State::PastDue, Some(Step::Remind)),
        ("2027-01-08T23:59:59Z", State::PastDue, None),
        ("2027-01-09T00:00:00Z", State::Grace, Some(Step::Warn)),
        ("2027-01-22T23:59:59Z", State::Grace, None),
        ("2027-01-23T00:00:00Z", State::Suspended, Some(Step::Stop)),
        ("2027-02-21T23:59:59Z", State::Suspended, None),
        ("2027-02-22T00:00:00Z", State::Retained, Some(Step::Retain)),
        ("2029-01-01T00:00:00Z", State::Retained, None),
    ];
    for (now, expected, step) in walk {
        let standing = dunning.standing(Patience::default(), at(now));
        assert_eq!((standing.state, standing.state.after(before)), (expected, step), "{now}");
        let later = standing.next.map(|next| dunning.standing(Patience::default(), next).state);
        assert!(later.is_none_or(|later| later > standing.state), "{now}");
        before = standing.state;
    }
    dunning.told(&settled(0, "2029-01-01T00:00:00Z"));
    let now = state(&dunning, "2029-01-01T00:00:00Z");
    assert_eq!((now, now.after(before)), (State::Current, Some(Step::Revive)));
}

#[test]
fn who_pays_in_time_never_hears_of_it_and_who_pays_late_is_thanked() {
    let dunning = told([issued(0, "2027-01-31T00:00:00Z"), settled(0, "2027-01-30T00:00:00Z")]);
    assert_eq!(state(&dunning, "2028-01-01T00:00:00Z"), State::Current);
    assert_eq!(State::Current.after(State::Current), None);
    assert_eq!(State::Current.after(State::Grace), Some(Step::Thank));
}

#[test]
fn the_oldest_open_bill_says_how_long_and_a_platform_is_live_again_when_it_is_paid() {
    let mut dunning = told([issued(0, "2027-01-01T00:00:00Z"), issued(1, "2027-02-01T00:00:00Z")]);
    let now = "2027-02-03T00:00:00Z";
    assert_eq!(state(&dunning, now), State::Suspended);
    dunning.told(&settled(0, now));
    assert_eq!(state(&dunning, now), State::PastDue);
    assert_eq!(State::PastDue.after(State::Suspended), Some(Step::Revive));
    assert_eq!(State::PastDue.after(State::Grace), None);
    assert_eq!(State::Suspended.after(State::Retained), None);
}

#[test]
fn a_dispute_that_is_lost_begins_anew_from_when_it_was_lost() {
    let mut dunning = told([
        issued(0, "2027-01-01T00:00:00Z"),
        reopened(0, "2027-06-01T00:00:00Z"),
        settled(0, "2027-01-01T00:00:00Z"),
    ]);
    assert_eq!(state(&dunning, "2027-06-01T12:00:00Z"), State::Current);
    assert_eq!(state(&dunning, "2027-06-02T00:00:00Z"), State::PastDue);
    dunning.told(&settled(0, "2027-06-20T00:00:00Z"));
    assert_eq!(state(&dunning, "2028-01-01T00:00:00Z"), State::Current);
    // It was reopened and settled in one moment, or an invoice is settled that nobody told of.
    dunning.told(&reopened(0, "2027-06-20T00:00:00Z"));
    dunning.told(&settled(7, "2027-06-20T00:00:00Z"));
    assert_eq!(state(&dunning, "2028-01-01T00:00:00Z"), State::Current);
}

#[test]
fn a_due_date_after_the_dispute_counts() {
    let dunning = told([issued(0, "2027-07-01T00:00:00Z"), reopened(0, "2027-06-01T00:00:00Z")]);
    assert_eq!(state(&dunning, "2027-07-01T12:00:00Z"), State::Current);
    assert_eq!(state(&dunning, "2027-07-02T00:00:00Z"), State::PastDue);
    assert_eq!(state(&dunning, "2027-07-09T00:00:00Z"), State::Grace);
}

#[test]
fn the_condition_says_what_the_operator_knows() {
    let dunning = told([issued(0, "2027-01-01T00:00:00Z")]);
    let condition = |now: &str| {
        let standing = dunning.standing(Patience::default(), at(now));
        let Condition { status, reason, message } = standing.condition();
        (status, reason, message)
    };
    let told = |now: &str, status, reason, message: &str| {
        assert_eq!(condition(now), (status, reason, message.to_owned()));
    };
    told("2027-01-01T00:00:00Z", "True", "Paid", "nothing is overdue");
    let since = "acme/2027-01 is to be paid since 2027-01-01T00:00:00Z";
    told("2027-01-03T00:00:00Z", "False", "PastDue", &format!("{since}; please pay it"));
    told(
        "2027-01-10T00:00:00Z",
        "False",
        "InGrace",
        &format!("{since}; platforms are stopped at 2027-01-23T00:00:00Z"),
    );
    told(
        "2027-01-30T00:00:00Z",
        "False",
        "PastGrace",
        &format!(
            "{since}; platforms are stopped until it is, and from 2027-02-22T00:00:00Z on only their \
             data is kept"
        ),
    );
    told(
        "2027-03-30T00:00:00Z",
        "False",
        "PastGrace",
        &format!("{since}; the data of platforms is kept, and they are live again once it is"),
    );
    assert!(blueprint::status::CONDITIONS.contains(&Standing::CONDITION));
    assert!(State::Grace.is_live() && !State::Suspended.is_live() && !State::Retained.is_live());
}

fn facts() -> impl Strategy<Value = Vec<Fact>> {
    let fact = (0..4_u16, 0..3_u8, 0..200_i64).prop_map(|(number, kind, day)| {
        let time = at("2027-01-01T00:00:00Z") + SignedDuration::from_hours(24 * day);
        match kind {
            0 => Fact::Issued { invoice: name(number), due: time },
            1 => Fact::Settled { invoice: name(number), at: time },
            _ => Fact::Reopened { invoice: name(number), at: time },
        }
    });
    prop::collection::vec(fact, 0..20)
}

proptest! {
    #[test]
    fn in_whatever_order_and_however_often_it_is_told_it_comes_to_the_same(
        (facts, shuffled) in facts().prop_flat_map(|facts| {
            let twice: Vec<_> = facts.iter().chain(&facts).cloned().collect();
            (Just(facts), Just(twice).prop_shuffle())
        }),
        extra in 0..20_usize,
        now in 0..400_i64,
    ) {
        // Each at least once, some twice.
        let (mut left, mut some) = (facts.len() + extra.min(facts.len()), Vec::new());
        for fact in &shuffled {
            if left > 0 || !some.contains(fact) {
                some.push(fact.clone());
                left = left.saturating_sub(1);
            }
        }
        let (in_order, otherwise) = (told(facts), told(some));
        prop_assert_eq!(&in_order, &otherwise);
        let now = at("2027-01-01T00:00:00Z") + SignedDuration::from_hours(24 * now);
        let standing = in_order.standing(Patience::default(), now);
        prop_assert_eq!(standing, otherwise.standing(Patience::default(), now));
    }

    #[test]
    fn without_a_payment_it_never_gets_better_and_with_all_of_them_it_is_current(
        facts in facts(), days in prop::collection::vec(0..60_i64, 1..10),
    ) {
        let mut dunning = told(facts);
        let mut now = at("2027-01-01T00:00:00Z");
        let mut before = State::Current;
        for day in days {
            now += SignedDuration::from_hours(24 * day);
            let state = dunning.standing(Patience::default(), now).state;
            prop_assert!(state >= before);
            before = state;
        }
        for number in 0..4 {
            dunning.told(&settled(number, "2027-12-31T00:00:00Z"));
        }
        prop_assert_eq!(dunning.standing(Patience::default(), now).state, State::Current);
    }
}
