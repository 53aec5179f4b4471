use proptest::prelude::*;

use super::*;
use crate::rating::prices::PriceList;

const ANALYTICS: Sku = Sku::Extra("advanced-analytics");

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn usd(micros: i64) -> Amount {
    Amount::new(micros, Currency::USD)
}

fn agreed() -> Agreement {
    Agreement::new(Dated::new(PriceList::factory().unwrap())).unwrap()
}

fn called(name: &str) -> Ref {
    name.parse().unwrap()
}

fn have(plan: PlanName) -> Wish {
    Wish::Have(Items::of(plan))
}

/// Starter from the first of February of a leap year on.
fn starter() -> Subscription {
    let begins = at("2028-02-01T00:00:00Z");
    Subscription::begin(&agreed(), Items::of(PlanName::Starter), begins).unwrap().0
}

fn february(rest: Timestamp) -> Period {
    Month::of(rest).rest(rest)
}

#[test]
fn who_begins_in_a_month_pays_for_the_rest_of_it() {
    let begins = at("2028-02-15T12:00:00Z");
    let items = Items::of(PlanName::Business).with(ANALYTICS, 1).unwrap();
    let (mut begun, lines) = Subscription::begin(&agreed(), items, begins).unwrap();
    let amounts: Vec<_> = lines.iter().map(Line::amount).collect();
    assert_eq!(amounts, [usd(499_500_000), usd(149_500_000)]);
    assert_eq!(lines[0].period(), february(begins));
    let march = Month::of(begins).later(1);
    let lines = begun.renew(&agreed(), march).unwrap().unwrap();
    assert_eq!(lines[0].amount(), usd(999_000_000));
    assert_eq!(begun.renew(&agreed(), march), Ok(None), "it was billed before");
    let june = march.later(3);
    let skipped = NoChange::Month { asked: june, next: march.later(1) };
    assert_eq!(begun.renew(&agreed(), june), Err(skipped));
}

#[test]
fn what_costs_more_is_had_at_once_and_costs_what_was_quoted() {
    let mut had = starter();
    let half = at("2028-02-15T12:00:00Z");
    let quote = had.quote(&agreed(), &have(PlanName::Business), half).unwrap();
    assert_eq!((quote.at(), quote.from(), quote.monthly()), (half, half, usd(999_000_000)));
    let line = quote.line().unwrap();
    assert_eq!((line.amount(), line.period()), (usd(450_000_000), february(half)));
    let why: Vec<_> = line.why().iter().map(|reason| reason.amount.micros()).collect();
    assert_eq!(why, [-49_500_000, 499_500_000]);
    assert_eq!(had.items().unwrap().plan(), PlanName::Starter, "it was only asked");
    let later = half + SignedDuration::from_mins(29);
    assert_eq!(had.accept(called("c1"), &quote, later), Ok(Accepted::New));
    assert_eq!(had.items().unwrap().plan(), PlanName::Business);
    assert_eq!(*had.plans().at(half), Some(PlanName::Business));
    let before = had.clone();
    assert_eq!(had.accept(called("c1"), &quote, later), Ok(Accepted::Again));
    assert_eq!(had, before);
    assert_eq!(had.quote(&agreed(), &have(PlanName::Business), later), Err(NoChange::Same));
}

#[test]
fn of_two_who_change_at_once_one_is_told_to_ask_again() {
    let mut had = starter();
    let half = at("2028-02-15T12:00:00Z");
    let quote = |had: &Subscription, plan| had.quote(&agreed(), &have(plan), half).unwrap();
    let (first, second) = (quote(&had, PlanName::Business), quote(&had, PlanName::Business));
    assert_eq!(had.accept(called("a"), &first, half), Ok(Accepted::New));
    assert_eq!(had.accept(called("b"), &second, half), Err(NoChange::Stale));
    let other = quote(&had, PlanName::Enterprise);
    assert_eq!(had.accept(called("a"), &other, half), Err(NoChange::Conflict(called("a"))));
    // Within a second of another change of the plan, so that nothing is billed for no time.
    assert_eq!(had.accept(called("b"), &other, half), Err(NoChange::Stale));
}

#[test]
fn a_quote_is_good_for_half_an_hour_of_its_month() {
    let mut had = starter();
    let evening = at("2028-02-29T23:50:00Z");
    let quote = had.quote(&agreed(), &have(PlanName::Business), evening).unwrap();
    let late = NoChange::Late(evening);
    for now in ["2028-03-01T00:00:00Z", "2028-02-29T23:49:59Z"] {
        assert_eq!(had.accept(called("c"), &quote, at(now)), Err(late.clone()), "{now}");
    }
    let noon = at("2028-02-20T12:00:00Z");
    let quote = had.quote(&agreed(), &have(PlanName::Business), noon).unwrap();
    let (last, over) = (noon + QUOTED_FOR, noon + QUOTED_FOR + SignedDuration::from_nanos(1));
    assert_eq!(had.accept(called("c"), &quote, over), Err(NoChange::Late(noon)));
    assert_eq!(had.accept(called("c"), &quote, last), Ok(Accepted::New));
    let unbilled = had.quote(&agreed(), &have(PlanName::Enterprise), at("2028-03-01T00:00:00Z"));
    assert!(matches!(unbilled, Err(NoChange::Month { .. })), "{unbilled:?}");
}

#[test]
fn what_costs_less_is_had_when_the_month_is_over_and_can_be_taken_back() {
    let mut had = starter();
    let noon = at("2028-02-10T12:00:00Z");
    let do_it = |had: &mut Subscription, name: &str, wish, at| {
        let quote = had.quote(&agreed(), &wish, at).unwrap();
        assert_eq!(had.accept(called(name), &quote, at), Ok(Accepted::New));
        quote
    };
    do_it(&mut had, "up", have(PlanName::Business), noon);
    let later = at("2028-02-20T12:00:00Z");
    let down = do_it(&mut had, "down", have(PlanName::Starter), later);
    assert_eq!((down.line(), down.from()), (None, at("2028-03-01T00:00:00Z")));
    assert_eq!(down.monthly(), usd(99_000_000));
    assert_eq!(had.items().unwrap().plan(), PlanName::Business);
    assert_eq!(had.quote(&agreed(), &have(PlanName::Starter), later), Err(NoChange::Same));
    let stays = do_it(&mut had, "stay", have(PlanName::Business), later);
    assert_eq!(stays.line(), None, "it is paid for");
    do_it(&mut had, "down-again", have(PlanName::Starter), later);
    let march = Month::of(noon).later(1);
    let lines = had.renew(&agreed(), march).unwrap().unwrap();
    assert_eq!(lines[0].amount(), usd(99_000_000));
    let plan = |time| *had.plans().at(at(time));
    assert_eq!(plan("2028-01-31T23:59:59Z"), None);
    assert_eq!(plan("2028-02-29T23:59:59Z"), Some(PlanName::Business));
    assert_eq!(plan("2028-03-01T00:00:00Z"), Some(PlanName::Starter));
}

#[test]
fn who_ends_it_has_what_was_paid_for_and_pays_nothing_more() {
    let mut had = starter();
    let noon = at("2028-02-10T12:00:00Z");
    let end = had.quote(&agreed(), &Wish::End, noon).unwrap();
    assert_eq!((end.line(), end.monthly()), (None, usd(0)));
    had.accept(called("end"), &end, noon).unwrap();
    assert_eq!(had.quote(&agreed(), &Wish::End, noon), Err(NoChange::Same));
    assert!(had.items().is_some());
    let march = Month::of(noon).later(1);
    assert_eq!(had.renew(&agreed(), march), Ok(Some(vec![])));
    assert_eq!(had.items(), None);
    assert_eq!(*had.plans().at(march.begins()), None);
    let again = had.quote(&agreed(), &have(PlanName::Starter), march.begins());
    assert_eq!(again, Err(NoChange::Over));
    assert_eq!(had.renew(&agreed(), march.later(1)), Ok(Some(vec![])));
}

#[test]
fn while_platforms_are_stopped_no_month_is_billed_and_then_the_rest_of_one() {
    let mut had = starter();
    let noon = at("2028-02-10T12:00:00Z");
    let quote = had.quote(&agreed(), &have(PlanName::Business), noon).unwrap();
    had.accept(called("up"), &quote, noon).unwrap();
    let down = had.quote(&agreed(), &have(PlanName::Starter), noon).unwrap();
    had.accept(called("down"), &down, noon).unwrap();
    let march = Month::of(noon).later(1);
    let skipped = NoChange::Month { asked: march.later(1), next: march };
    assert_eq!(had.pause(march.later(1)), Err(skipped));
    assert_eq!(had.pause(march), Ok(true));
    assert_eq!((had.pause(march), had.renew(&agreed(), march)), (Ok(false), Ok(None)));
    let asked = had.quote(&agreed(), &have(PlanName::Business), march.begins());
    assert_eq!(asked, Err(NoChange::Paused));
    assert_eq!(had.pause(march.later(1)), Ok(true));
    let paid = at("2028-04-16T00:00:00Z");
    assert!(matches!(had.resume(&agreed(), march.begins()), Err(NoChange::Month { .. })));
    let lines = had.resume(&agreed(), paid).unwrap().unwrap();
    assert_eq!((lines.len(), lines[0].amount()), (1, usd(49_500_000)));
    assert_eq!(lines[0].period(), february(paid));
    assert_eq!(had.resume(&agreed(), paid), Ok(None), "it was billed before");
    let plan = |time| *had.plans().at(at(time));
    let plans = [
        "2028-02-29T23:59:59Z",
        "2028-03-01T00:00:00Z",
        "2028-04-15T23:59:59Z",
        "2028-04-16T00:00:00Z",
    ];
    assert_eq!(plans.map(plan), [Some(PlanName::Business), None, None, Some(PlanName::Starter)]);
    // Who is live again when a month begins pays for all of it.
    assert_eq!(had.pause(march.later(2)), Ok(true));
    let june = had.renew(&agreed(), march.later(3)).unwrap().unwrap();
    assert_eq!(june[0].amount(), usd(99_000_000));
    assert_eq!(had.resume(&agreed(), at("2028-06-02T00:00:00Z")), Ok(None));
}

#[test]
fn who_is_stopped_can_leave_and_pays_for_no_more() {
    let mut had = starter();
    let march = Month::of(at("2028-03-01T00:00:00Z"));
    assert_eq!(had.pause(march), Ok(true));
    let end = had.quote(&agreed(), &Wish::End, march.begins()).unwrap();
    assert_eq!(had.accept(called("end"), &end, march.begins()), Ok(Accepted::New));
    assert_eq!(had.resume(&agreed(), march.begins()), Ok(None));
    assert_eq!(had.renew(&agreed(), march.later(1)), Ok(Some(vec![])));
    assert_eq!(had.items(), None);
}

#[test]
fn who_ended_it_has_nothing_to_be_paused() {
    let mut had = starter();
    let noon = at("2028-02-10T12:00:00Z");
    let end = had.quote(&agreed(), &Wish::End, noon).unwrap();
    had.accept(called("end"), &end, noon).unwrap();
    let march = Month::of(noon).later(1);
    assert_eq!(had.pause(march), Ok(true));
    assert_eq!(had.resume(&agreed(), march.begins()), Ok(None));
    assert_eq!(had.items(), None);
}

#[test]
fn a_price_that_rises_counts_from_the_next_month_on_and_at_once_for_what_comes() {
    let rise = at("2028-02-10T00:00:00Z");
    let mut lists = Dated::new(PriceList::factory().unwrap());
    let dearer = PriceList::factory().unwrap();
    let dearer = dearer.with(Sku::Plan(PlanName::Starter), usd(120_000_000)).unwrap();
    let dearer = dearer.with(ANALYTICS, usd(580_000_000)).unwrap();
    lists.set(rise, dearer).unwrap();
    let agreed = Agreement::new(lists).unwrap();
    let begins = at("2028-02-01T00:00:00Z");
    let items = |count| Items::of(PlanName::Starter).with(ANALYTICS, count).unwrap();
    let (mut had, _) = Subscription::begin(&agreed, items(1), begins).unwrap();
    let half = at("2028-02-15T12:00:00Z");
    let quote = had.quote(&agreed, &Wish::Have(items(2)), half).unwrap();
    assert_eq!(quote.line().unwrap().amount(), usd(290_000_000));
    assert_eq!(quote.monthly(), usd(99_000_000 + 299_000_000 + 580_000_000));
    had.accept(called("two"), &quote, half).unwrap();
    let lines = had.renew(&agreed, Month::of(half).later(1)).unwrap().unwrap();
    let amounts: Vec<_> = lines.iter().map(|line| line.amount().micros()).collect();
    assert_eq!(amounts, [120_000_000, 1_160_000_000]);
    assert_eq!(Items::of(PlanName::Starter).with(ANALYTICS, 0), Ok(Items::of(PlanName::Starter)));
}

#[test]
fn what_is_not_sold_by_the_month_is_no_part_of_it() {
    let items = || Items::of(PlanName::Starter);
    for sku in [Sku::SERVICES, Sku::Ai, Sku::Storage, Sku::Plan(PlanName::Business)] {
        assert_eq!(items().with(sku, 1), Err(NoChange::NotMonthly(sku)));
    }
    let connection = Sku::extra("platform-connection").unwrap();
    assert_eq!(items().with(connection, 1), Err(NoChange::Price(NoPrice::NotYet(connection))));
}

fn wishes() -> impl Strategy<Value = Items> {
    (0..3_usize, 0..4_u32)
        .prop_map(|(plan, extras)| Items::of(PlanName::ALL[plan]).with(ANALYTICS, extras).unwrap())
}

proptest! {
    /// A month of changes costs what each of the things that were had costs for as long as it was had; those
    /// that cost less are had to the month's end.
    #[test]
    fn whatever_is_changed_a_month_costs_what_was_had_in_it(
        first in wishes(),
        steps in prop::collection::vec((wishes(), 1..60_000_i64, any::<bool>()), 0..30),
    ) {
        let (agreed, begins) = (agreed(), at("2028-02-01T00:00:00Z"));
        let (mut had, lines) = Subscription::begin(&agreed, first.clone(), begins).unwrap();
        let month = Month::of(begins).period();
        let monthly = |items: &Items| -> i128 {
            let each = items.each().map(|(sku, count)| {
                i128::from(agreed.price(sku, begins).unwrap().micros()) * i128::from(count)
            });
            each.sum()
        };
        let mut billed: i128 = lines.iter().map(|line| i128::from(line.amount().micros())).sum();
        let (mut exact, mut now, mut has) = (0_i128, begins, first);
        for (at, (items, wait, is_told_twice)) in steps.into_iter().enumerate() {
            let then = now + SignedDuration::from_secs(wait);
            let passed = Period::new(now, then).within(month).seconds();
            exact += monthly(&has) * i128::from(passed);
            now = then;
            let Ok(quote) = had.quote(&agreed, &Wish::Have(items.clone()), now) else { continue };
            let name = called(&format!("c{at}"));
            prop_assert_eq!(had.accept(name.clone(), &quote, now), Ok(Accepted::New));
            billed += quote.line().map_or(0, |line| i128::from(line.amount().micros()));
            if is_told_twice {
                prop_assert_eq!(had.accept(name, &quote, now), Ok(Accepted::Again));
                let same = had.quote(&agreed, &Wish::Have(items.clone()), now);
                prop_assert_eq!(same, Err(NoChange::Same));
            }
            if quote.from() == quote.at() {
                has = items;
            }
        }
        exact += monthly(&has) * i128::from(Month::of(begins).rest(now).seconds());
        let off = billed * i128::from(month.seconds()) - exact;
        // Less than a millionth for each of the two parts of each thing that was changed.
        prop_assert!(off.abs() <= 200 * i128::from(month.seconds()), "{}", off);
    }
}
