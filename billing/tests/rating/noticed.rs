//! What was wrong once, or planted, and no other test noticed.

use std::collections::BTreeMap;

use billing::amount::Amount;
use billing::rating::contract::{Agreement, Contract, NoContract, Overrides, Payment};
use billing::rating::dated::Dated;
use billing::rating::dunning::{Dunning, Fact, Patience, State};
use billing::rating::invoice::InvoiceName;
use billing::rating::line::Line;
use billing::rating::prices::{PriceList, Sku};
use billing::rating::subscription::{Accepted, Items, Subscription, Wish};
use billing::rating::time::Month;
use blueprint::PlanName;
use blueprint::money::Currency;

use crate::world::{at, called};

fn usd(dollars: i64) -> Amount {
    Amount::new(dollars * 1_000_000, Currency::USD)
}

fn list() -> PriceList {
    PriceList::factory().unwrap()
}

/// The factory's list, and another one from some day on.
fn lists(from: &str, later: PriceList) -> Dated<PriceList> {
    let mut lists = Dated::new(list());
    lists.set(at(from), later).unwrap();
    lists
}

#[test]
fn an_override_is_held_against_the_list_of_its_own_day() {
    let enterprise = Sku::Plan(PlanName::Enterprise);
    let dearer = list().with(enterprise, usd(12_000)).unwrap();
    let mut agreed = Agreement::new(lists("2027-04-01", dearer)).unwrap();
    let mut overrides = Dated::new(Overrides::default());
    let asked = usd(11_999);
    let prices = BTreeMap::from([(enterprise, asked)]);
    overrides.set(at("2027-05-01"), Overrides { prices, ..Overrides::default() }).unwrap();
    let contract = Contract {
        number: "c-1".parse().unwrap(),
        from: Month::of(at("2027-03-01")),
        months: 12,
        commitment: None,
        payment: Payment::AtOnce,
        patience: Patience::default(),
        overrides,
    };
    let below = NoContract::BelowLeast { asked, sku: enterprise, least: usd(12_000) };
    assert_eq!(agreed.sign(contract), Err(below));
}

#[test]
fn what_costs_as_much_is_had_at_once() {
    let business = Sku::Plan(PlanName::Business);
    let same = list().with(business, usd(99)).unwrap();
    let agreed = Agreement::new(Dated::new(same)).unwrap();
    let starter = Items::of(PlanName::Starter);
    let (mut had, _) = Subscription::begin(&agreed, starter, at("2028-02-01")).unwrap();
    let noon = at("2028-02-10T12:00:00Z");
    let wish = Wish::Have(Items::of(PlanName::Business));
    let quote = had.quote(&agreed, &wish, noon).unwrap();
    assert_eq!((quote.from(), quote.monthly()), (noon, usd(99)));
    assert_eq!(had.accept(called("as-much"), &quote, noon), Ok(Accepted::New));
    assert_eq!(had.items().unwrap().plan(), PlanName::Business);
}

#[test]
fn who_begins_after_a_price_rose_pays_what_it_costs_then() {
    let starter = Sku::Plan(PlanName::Starter);
    let dearer = list().with(starter, usd(290)).unwrap();
    let agreed = Agreement::new(lists("2028-02-10", dearer)).unwrap();
    let items = Items::of(PlanName::Starter);
    let (_, lines) = Subscription::begin(&agreed, items, at("2028-02-20")).unwrap();
    // Ten of twenty-nine days.
    assert_eq!(lines.iter().map(Line::amount).collect::<Vec<_>>(), [usd(100)]);
}

#[test]
fn a_part_that_is_more_than_the_whole_is_the_whole() {
    let most = Amount::new(i64::MAX, Currency::USD);
    for amount in [usd(7), usd(-7), most] {
        assert_eq!(amount.part(3, 2), amount);
        assert_eq!(amount.part(u64::MAX, 1), amount);
    }
    assert_eq!(usd(7).part(1, 0), usd(0));
}

#[test]
fn facts_told_in_another_order_than_they_happened_say_the_same() {
    let invoice = InvoiceName::month(&"acme".parse().unwrap(), Month::of(at("2027-01-01")));
    let settled = |time| Fact::Settled { invoice: invoice.clone(), at: at(time) };
    let reopened = |time| Fact::Reopened { invoice: invoice.clone(), at: at(time) };
    let mut facts = [
        Fact::Issued { invoice: invoice.clone(), due: at("2027-01-01") },
        settled("2027-01-05"),
        reopened("2027-01-10"),
        settled("2027-01-20"),
    ];
    for _ in 0..facts.len() {
        facts.rotate_left(1);
        for turned in [false, true] {
            let mut dunning = Dunning::default();
            let told: Vec<_> =
                if turned { facts.iter().rev().collect() } else { facts.iter().collect() };
            for fact in told {
                dunning.told(fact);
            }
            let standing = dunning.standing(Patience::default(), at("2027-06-01"));
            assert_eq!(standing.state, State::Current, "{facts:?}");
        }
    }
}

#[test]
fn what_was_stored_before_a_plan_began_or_while_platforms_were_stopped_is_not_billed() {
    let priced = list().with(Sku::Storage, Amount::new(250_000, Currency::USD)).unwrap();
    let agreed = Agreement::new(Dated::new(priced)).unwrap();
    let month = Month::of(at("2028-02-01"));
    let stored = Dated::new(29_u64 << 30);
    let mut plans = Dated::new(None);
    plans.set(at("2028-02-20"), Some(PlanName::Starter)).unwrap();
    plans.set(at("2028-02-28"), None).unwrap();
    let line = |plans: &Dated<_>| {
        Line::storage(&agreed, plans, &"harbour".parse().unwrap(), month, &stored).unwrap()
    };
    // Eight of twenty-nine days.
    assert_eq!(line(&plans).unwrap().amount(), usd(2));
    assert_eq!(line(&Dated::new(None)), None);
}
