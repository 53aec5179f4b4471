//! Lives of subscriptions.

use blueprint::spec::{BillingInterval, TierLimits, UsagePrice, UsageUnit};
use proptest::prelude::*;

use super::*;
use crate::shop::offers::Item;

fn at(text: &str) -> Timestamp {
    if text.contains('T') { text.parse().unwrap() } else { at(&format!("{text}T00:00:00Z")) }
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn called(text: &str) -> Ref {
    text.parse().unwrap()
}

fn deal(id: &str, price: &str, every: BillingInterval) -> Deal {
    Deal {
        item: Item::Tier(id.parse().unwrap()),
        name: id.to_owned(),
        price: money(price),
        every,
        trial_days: 0,
        limits: TierLimits::default(),
        usage: None,
    }
}

fn monthly(id: &str, price: &str) -> Deal {
    deal(id, price, BillingInterval::Month)
}

fn paid(term: u32, amount: &str, day: &str) -> Fact {
    Fact::Paid { term, amount: money(amount), at: at(day) }
}

/// Begun, and its first bill paid, on the first of April, which has thirty days.
fn active(deal: Deal) -> Subscription {
    let first = Fact::Paid { term: 1, amount: deal.price, at: at("2027-04-01") };
    let mut begun = Subscription::begin(deal, at("2027-04-01T00:00:00.5Z"));
    begun.told(called("pi_1"), first).unwrap();
    begun
}

fn state(had: &Subscription, day: &str) -> State {
    had.standing(at(day)).unwrap().state
}

fn change(had: &mut Subscription, name: &str, wish: &Wish, day: &str) -> Quote {
    let quote = had.quote(wish, at(day)).unwrap();
    assert_eq!(had.accept(called(name), &quote, at(day)), Ok(Accepted::New));
    assert_eq!(had.accept(called(name), &quote, at(day)), Ok(Accepted::Again));
    quote
}

#[test]
fn nothing_is_had_before_the_first_payment_and_nothing_is_waited_for_longer_than_a_day() {
    let begun = Subscription::begin(monthly("pro", "12.00 USD"), at("2027-04-01"));
    let standing = begun.standing(at("2027-04-01")).unwrap();
    assert_eq!((standing.state, standing.state.has()), (State::Waiting, false));
    let due = standing.due.unwrap();
    assert_eq!((due.term, due.total), (1, money("12.00 USD")));
    assert_eq!(standing.next, Next::Ends(at("2027-04-02"), Why::Unpaid));
    assert_eq!(state(&begun, "2027-04-01T23:59:59Z"), State::Waiting);
    assert_eq!(state(&begun, "2027-04-02"), State::Over);
    assert_eq!(begun.standing(at("2027-05-02")).unwrap().due, None);
    let pro = active(monthly("pro", "12.00 USD"));
    let standing = pro.standing(at("2027-04-20")).unwrap();
    assert_eq!((standing.state, standing.due), (State::Active, None));
    assert_eq!(standing.next, Next::Renews(at("2027-05-01")));
    let free = Subscription::begin(monthly("free", "0.00 USD"), at("2027-04-01"));
    assert_eq!(
        (state(&free, "2027-04-01"), state(&free, "2029-04-01")),
        (State::Active, State::Active)
    );
}

#[test]
fn a_payment_that_fails_has_a_week_and_then_it_is_over() {
    let mut pro = active(monthly("pro", "12.00 USD"));
    assert_eq!(state(&pro, "2027-05-01"), State::Active, "the payment is on its way");
    assert_eq!(pro.standing(at("2027-05-01")).unwrap().due.unwrap().term, 2);
    pro.told(called("no"), Fact::Failed { term: 2, at: at("2027-05-01T00:01:00Z") }).unwrap();
    let standing = pro.standing(at("2027-05-01T00:01:00Z")).unwrap();
    assert_eq!((standing.state, standing.state.has()), (State::Grace, true));
    assert_eq!(standing.next, Next::Ends(at("2027-05-08"), Why::Unpaid));
    assert_eq!(state(&pro, "2027-05-07T23:59:59Z"), State::Grace);
    let over = pro.standing(at("2027-05-08")).unwrap();
    assert_eq!((over.state, over.next), (State::Over, Next::Over(at("2027-05-08"), Why::Unpaid)));
    assert_eq!(over.due, None, "for a term that is not had nothing is to be paid");
    let mut paid_late = pro.clone();
    paid_late.told(called("pi_2"), paid(2, "12.00 USD", "2027-05-08T00:00:01Z")).unwrap();
    let late = paid_late.standing(at("2027-05-09")).unwrap();
    assert_eq!((late.state, late.too_late), (State::Over, vec![called("pi_2")]));
    pro.told(called("pi_2"), paid(2, "12.00 USD", "2027-05-06")).unwrap();
    assert_eq!(state(&pro, "2027-05-05"), State::Grace);
    assert_eq!(state(&pro, "2027-05-06"), State::Active);
    pro.told(called("pi_2b"), paid(2, "12.00 USD", "2027-05-07")).unwrap();
    let twice = pro.standing(at("2027-05-08")).unwrap();
    assert_eq!((twice.state, twice.too_late), (State::Active, vec![called("pi_2b")]));
    // No answer at all is like one that failed.
    assert_eq!(state(&pro, "2027-06-01T23:00:00Z"), State::Active);
    assert_eq!(state(&pro, "2027-06-02"), State::Grace);
}

#[test]
fn what_costs_more_is_had_at_once_and_the_rest_of_the_term_is_prorated() {
    let mut had = active(monthly("pro", "12.00 USD"));
    let studio = Wish::Have(monthly("studio", "30.00 USD"));
    // Ten of thirty days are used: 8.00 of 12.00 and 20.00 of 30.00 are left.
    let quote = change(&mut had, "up", &studio, "2027-04-11");
    let prices: Vec<_> = quote.lines.iter().map(|line| line.price).collect();
    assert_eq!(prices, ["-8.00 USD", "20.00 USD"].map(money));
    assert_eq!((quote.charge, quote.from), (money("12.00 USD"), at("2027-04-11")));
    let name = |day: &str| had.standing(at(day)).unwrap().deal.name;
    assert_eq!((name("2027-04-10"), name("2027-04-11")), ("pro".into(), "studio".into()));
    assert_eq!(had.unused(at("2027-04-16")), Ok(money("15.00 USD")));
    let due = had.standing(at("2027-05-01")).unwrap().due.unwrap();
    assert_eq!(due.total, money("30.00 USD"));
    assert_eq!(had.quote(&studio, at("2027-04-12")), Err(NoChange::Same));
}

#[test]
fn a_year_instead_of_a_month_begins_anew_and_the_month_is_taken_off() {
    let mut had = active(monthly("pro", "12.00 USD"));
    let yearly = Wish::Have(deal("pro", "150.00 USD", BillingInterval::Year));
    let quote = change(&mut had, "year", &yearly, "2027-04-16");
    assert_eq!(quote.charge, money("144.00 USD"));
    let standing = had.standing(at("2027-04-16")).unwrap();
    assert_eq!((standing.state, standing.term), (State::Active, 2));
    assert_eq!(standing.period, Period::new(at("2027-04-16"), at("2028-04-16")));
    assert_eq!((standing.due, standing.too_late), (None, vec![]));
    assert_eq!(had.standing(at("2028-04-16")).unwrap().due.unwrap().total, money("150.00 USD"));
    // A month of something that costs more a year, but less than what is left: when the year is over.
    let dear = Wish::Have(monthly("studio", "30.00 USD"));
    let quote = had.quote(&dear, at("2027-05-01")).unwrap();
    assert_eq!((quote.charge, quote.from), (money("0.00 USD"), at("2028-04-16")));
    let again = Subscription::begin(monthly("pro", "12.00 USD"), at("2027-04-01"));
    assert_eq!(again.quote(&yearly, at("2027-04-01T01:00:00Z")), Err(NoChange::Unpaid));
}

#[test]
fn what_costs_less_and_what_is_cancelled_waits_for_the_end_of_what_was_paid_for() {
    let mut had = active(monthly("studio", "30.00 USD"));
    let pro = monthly("pro", "12.00 USD");
    let quote = change(&mut had, "down", &Wish::Have(pro.clone()), "2027-04-11");
    assert_eq!((quote.charge, quote.from), (money("0.00 USD"), at("2027-05-01")));
    let standing = had.standing(at("2027-04-12")).unwrap();
    assert_eq!(standing.deal.name, "studio");
    assert_eq!(standing.next, Next::Becomes(at("2027-05-01"), pro));
    assert_eq!(had.standing(at("2027-05-01")).unwrap().due.unwrap().total, money("12.00 USD"));
    change(&mut had, "stop", &Wish::Stop, "2027-04-20");
    let ends = Next::Ends(at("2027-05-01"), Why::Cancelled);
    assert_eq!(had.standing(at("2027-04-30")).unwrap().next, ends);
    assert_eq!(state(&had, "2027-05-01"), State::Over);
    assert_eq!(had.quote(&Wish::Stop, at("2027-04-21")), Err(NoChange::Same));
    let back = had.clone();
    change(&mut had, "stay", &Wish::Stay, "2027-04-30");
    assert_eq!(had.standing(at("2027-04-30")).unwrap().next, Next::Renews(at("2027-05-01")));
    assert_eq!(had.standing(at("2027-05-01")).unwrap().due.unwrap().total, money("30.00 USD"));
    assert_eq!(had.quote(&Wish::Stay, at("2027-04-30")), Err(NoChange::Same));
    assert_eq!(back.quote(&Wish::Stay, at("2027-05-01")), Err(NoChange::Over));
}

#[test]
fn who_leaves_while_a_bill_is_unpaid_leaves_at_once() {
    let mut had = active(monthly("pro", "12.00 USD"));
    let quote = change(&mut had, "stop", &Wish::Stop, "2027-05-03");
    assert_eq!(quote.from, at("2027-05-03"));
    let over = had.standing(at("2027-05-03")).unwrap();
    assert_eq!((over.state, over.due), (State::Over, None));
    had.told(called("pi_2"), paid(2, "12.00 USD", "2027-05-03T00:00:05Z")).unwrap();
    let late = had.standing(at("2027-05-04")).unwrap();
    assert_eq!((late.state, late.too_late), (State::Over, vec![called("pi_2")]));
}

#[test]
fn a_trial_costs_nothing_and_everything_in_it_changes_at_once() {
    let pro = Deal { trial_days: 7, ..monthly("pro", "12.00 USD") };
    let begun = Subscription::begin(pro, at("2027-04-01"));
    let standing = begun.standing(at("2027-04-01")).unwrap();
    assert_eq!((standing.state, standing.term, standing.due), (State::Trial, 0, None));
    let mut had = begun.clone();
    let cheap = Wish::Have(deal("lite", "60.00 USD", BillingInterval::Year));
    let quote = change(&mut had, "down", &cheap, "2027-04-03");
    assert_eq!((quote.charge, quote.from), (money("0.00 USD"), at("2027-04-03")));
    assert_eq!(had.unused(at("2027-04-04")), Ok(money("0.00 USD")));
    let after = had.standing(at("2027-04-08")).unwrap();
    assert_eq!((after.term, after.due.unwrap().total), (1, money("60.00 USD")));
    assert_eq!(after.period, Period::new(at("2027-04-08"), at("2028-04-08")));
    assert_eq!(state(&had, "2027-04-14"), State::Grace);
    assert_eq!(state(&had, "2027-04-15"), State::Over);
    let mut left = begun;
    change(&mut left, "stop", &Wish::Stop, "2027-04-05");
    assert_eq!(
        (state(&left, "2027-04-07"), state(&left, "2027-04-08")),
        (State::Trial, State::Over)
    );
}

#[test]
fn what_is_used_is_in_the_next_bill_and_in_the_last_one() {
    let usage = UsagePrice { unit: UsageUnit::ThousandTokens, price: money("0.02 USD") };
    let mut had = active(Deal { usage: Some(usage), ..monthly("pro", "12.00 USD") });
    let used = |units, day: &str| Fact::Used { units, at: at(day) };
    had.told(called("use-1"), used(400_000, "2027-04-10")).unwrap();
    had.told(called("use-2"), used(100_250, "2027-04-30T23:59:59Z")).unwrap();
    had.told(called("use-3"), used(1_000, "2027-05-01")).unwrap();
    let due = had.standing(at("2027-05-01")).unwrap().due.unwrap();
    let lines: Vec<_> = due.lines.iter().map(|line| (line.what.as_str(), line.price)).collect();
    assert_eq!(
        lines,
        [
            ("pro, 2027-05-01T00:00:00Z to 2027-06-01T00:00:00Z", money("12.00 USD")),
            ("500250 tokens at 0.02 USD a thousand", money("10.01 USD")),
        ]
    );
    assert_eq!(due.total, money("22.01 USD"));
    let mut unpaid = had.clone();
    had.told(called("pi_2"), paid(2, "22.01 USD", "2027-05-01")).unwrap();
    let late = had.told(called("use-4"), used(5, "2027-04-30"));
    assert_eq!(late, Err(NoChange::Billed(2)));
    change(&mut had, "stop", &Wish::Stop, "2027-05-02");
    let last = had.standing(at("2027-06-01")).unwrap();
    let due = last.due.unwrap();
    assert_eq!((last.state, due.term, due.total), (State::Over, 3, money("0.02 USD")));
    had.told(called("pi_3"), paid(3, "0.02 USD", "2027-06-02")).unwrap();
    let settled = had.standing(at("2027-06-03")).unwrap();
    assert_eq!((settled.due, settled.too_late), (None, vec![]));
    // Who does not pay owes what was used, and nothing for the term that was not had.
    unpaid.told(called("no"), Fact::Failed { term: 2, at: at("2027-05-01") }).unwrap();
    assert_eq!(unpaid.standing(at("2027-05-08")).unwrap().due.unwrap().total, money("10.03 USD"));
}

#[test]
fn what_was_used_before_a_change_of_terms_is_in_the_bill_after_it() {
    let usage = UsagePrice { unit: UsageUnit::Message, price: money("0.10 USD") };
    let mut had = active(Deal { usage: Some(usage), ..monthly("pro", "12.00 USD") });
    had.told(called("use"), Fact::Used { units: 7, at: at("2027-04-10") }).unwrap();
    let yearly = Deal { usage: None, ..deal("pro", "150.00 USD", BillingInterval::Year) };
    let quote = change(&mut had, "year", &Wish::Have(yearly), "2027-04-16");
    assert_eq!(quote.charge, money("144.00 USD"));
    let next = had.standing(at("2028-04-16")).unwrap().due.unwrap();
    assert_eq!((next.term, next.total), (3, money("150.70 USD")));
    had.told(called("late"), Fact::Used { units: 1, at: at("2027-04-11") }).unwrap();
    had.told(called("pi_3"), paid(3, "150.80 USD", "2028-04-16")).unwrap();
    let late = Fact::Used { units: 1, at: at("2027-04-12") };
    assert_eq!(had.told(called("later"), late), Err(NoChange::Billed(3)));
}

#[test]
fn all_that_was_paid_given_back_ends_it_and_a_part_does_not() {
    let refunded =
        |amount: &str, day: &str| Fact::Refunded { term: 1, amount: money(amount), at: at(day) };
    let mut had = active(monthly("pro", "12.00 USD"));
    had.told(called("re_1"), refunded("6.00 USD", "2027-04-10")).unwrap();
    assert_eq!(state(&had, "2027-04-10"), State::Active);
    had.told(called("re_2"), refunded("6.00 USD", "2027-04-12")).unwrap();
    let over = had.standing(at("2027-04-12")).unwrap();
    assert_eq!(over.next, Next::Over(at("2027-04-12"), Why::Refunded));
    let mut ended = active(monthly("pro", "12.00 USD"));
    ended.told(called("ban"), Fact::Ended { at: at("2027-04-20") }).unwrap();
    assert_eq!(state(&ended, "2027-04-20"), State::Over);
    // What is given back of a term that is over ends nothing.
    let mut later = active(monthly("pro", "12.00 USD"));
    later.told(called("pi_2"), paid(2, "12.00 USD", "2027-05-01")).unwrap();
    later.told(called("re"), refunded("12.00 USD", "2027-05-02")).unwrap();
    assert_eq!(state(&later, "2027-05-03"), State::Active);
}

#[test]
fn of_two_changes_that_were_quoted_at_once_one_is_asked_to_ask_again() {
    let mut had = active(monthly("pro", "12.00 USD"));
    let quote = |had: &Subscription, id: &str, price: &str, day: &str| {
        had.quote(&Wish::Have(monthly(id, price)), at(day)).unwrap()
    };
    let (one, other) =
        (quote(&had, "a", "20.00 USD", "2027-04-11"), quote(&had, "b", "30.00 USD", "2027-04-11"));
    assert_eq!(had.accept(called("one"), &one, at("2027-04-11")), Ok(Accepted::New));
    assert_eq!(had.accept(called("other"), &other, at("2027-04-11")), Err(NoChange::Stale));
    assert_eq!(
        had.accept(called("one"), &other, at("2027-04-11")),
        Err(NoChange::Conflict(called("one")))
    );
    let fresh = quote(&had, "b", "30.00 USD", "2027-04-30T23:30:00Z");
    for late in ["2027-05-01T00:00:00Z", "2027-05-02T00:00:00Z", "2027-04-30T23:29:59Z"] {
        let told = had.accept(called("late"), &fresh, at(late));
        assert!(matches!(told, Err(NoChange::Late(_))), "{late}");
    }
    let agent = Deal::agent(uuid::Uuid::nil(), "Nil", money("20.00 USD"));
    assert_eq!(had.quote(&Wish::Have(agent), at("2027-04-12")), Err(NoChange::Item));
    let yen = Wish::Have(monthly("yen", "2000 JPY"));
    assert!(matches!(had.quote(&yen, at("2027-04-12")), Err(NoChange::Currency(..))));
    let in_yen = had.told(called("yen"), paid(2, "12 JPY", "2027-05-01"));
    assert!(matches!(in_yen, Err(NoChange::Currency(..))));
}

#[test]
fn what_is_kept_as_json_is_the_same_again() {
    let mut had = active(Deal { trial_days: 0, ..monthly("pro", "12.00 USD") });
    change(&mut had, "up", &Wish::Have(monthly("studio", "30.00 USD")), "2027-04-11");
    change(&mut had, "stop", &Wish::Stop, "2027-04-12");
    let others = [
        Fact::Failed { term: 2, at: at("2027-05-01") },
        Fact::Used { units: u64::MAX, at: at("2027-04-13") },
        Fact::Refunded { term: 1, amount: money("1.00 USD"), at: at("2027-04-14") },
        Fact::Ended { at: at("2027-04-20") },
    ];
    for (number, fact) in (0..).zip(others) {
        had.told(called(&format!("f{number}")), fact).unwrap();
    }
    let deal = serde_json::to_string(had.first()).unwrap();
    let mut again = Subscription::begin(serde_json::from_str(&deal).unwrap(), had.begun());
    for (name, fact) in had.facts() {
        let kept = serde_json::to_string(fact).unwrap();
        again.told(name.clone(), serde_json::from_str(&kept).unwrap()).unwrap();
    }
    assert_eq!(again, had);
}

fn facts() -> impl Strategy<Value = Vec<Fact>> {
    let time = |hours: i64| at("2027-04-01") + SignedDuration::from_hours(hours);
    let hours = 0..4_000_i64;
    let fact = prop_oneof![
        (1..6_u32, hours.clone()).prop_map(move |(term, hour)| Fact::Paid {
            term,
            amount: money("12.00 USD"),
            at: time(hour)
        }),
        (1..6_u32, hours.clone())
            .prop_map(move |(term, hour)| Fact::Failed { term, at: time(hour) }),
        (1..6_u32, 0..1_300_i64, hours.clone()).prop_map(move |(term, cents, hour)| {
            Fact::Refunded { term, amount: Money::new(cents, Currency::USD), at: time(hour) }
        }),
        hours.prop_map(move |hour| Fact::Ended { at: time(hour) }),
    ];
    prop::collection::vec(fact, 0..14)
}

proptest! {
    #[test]
    fn facts_say_the_same_in_any_order_and_however_often(
        facts in facts(), seed in any::<u64>(), hour in 0..5_000_i64,
    ) {
        let now = at("2027-04-01") + SignedDuration::from_hours(hour);
        let named: Vec<_> = (0..).zip(&facts)
            .map(|(number, fact): (u32, _)| (called(&format!("f{number}")), fact.clone())).collect();
        let mut turned = named.clone();
        turned.sort_by_key(|(name, _)| {
            let mut hash = seed;
            for byte in name.as_str().bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
            hash
        });
        let standing = |facts: &[(Ref, Fact)]| {
            let mut had = Subscription::begin(monthly("pro", "12.00 USD"), at("2027-04-01"));
            for (name, fact) in facts {
                assert_eq!(had.told(name.clone(), fact.clone()), Ok(Accepted::New));
                assert_eq!(had.told(name.clone(), fact.clone()), Ok(Accepted::Again));
            }
            had.standing(now).unwrap()
        };
        let told = standing(&named);
        prop_assert_eq!(&told, &standing(&turned));
        prop_assert_eq!(told.state == State::Over, matches!(told.next, Next::Over(..)));
    }

    /// However often somebody upgrades, what they pay for a term is what each deal costs for as long as it was had.
    #[test]
    fn upgrades_of_one_term_cost_what_was_had_of_each(
        prices in prop::collection::vec(1..5_000_i64, 1..6),
        mut seconds in prop::collection::vec(1..30 * 86_400_i64, 5),
    ) {
        seconds.sort_unstable();
        let mut price = 1_200;
        let mut had = active(monthly("d0", "12.00 USD"));
        let (mut sum, mut exact, mut since) = (price, 0_i128, 0);
        for (number, (more, second)) in (1..).zip(prices.iter().zip(&seconds)) {
            let now = at("2027-04-01") + SignedDuration::from_secs(*second);
            exact += i128::from(price) * i128::from(second - since);
            (price, since) = (price + more, *second);
            let mut deal = monthly(&format!("d{number}"), "0.00 USD");
            deal.price = Money::new(price, Currency::USD);
            let quote = had.quote(&Wish::Have(deal), now).unwrap();
            prop_assert!(quote.charge.amount() >= 0);
            had.accept(called(&format!("up-{number}")), &quote, now).unwrap();
            sum += quote.charge.amount();
        }
        exact += i128::from(price) * i128::from(30 * 86_400 - since);
        let off = i128::from(sum) * (30 * 86_400) - exact;
        let cuts = i128::try_from(prices.len()).unwrap();
        // Each change is within a minor unit of what it would be exactly.
        prop_assert!(off.abs() <= cuts * 30 * 86_400, "{off}");
        let end = at("2027-04-30T23:59:59Z");
        prop_assert!(had.unused(end).unwrap().amount() <= 1 + price / (30 * 86_400));
    }
}
