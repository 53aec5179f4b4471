//! Three years of three plans, as they were looked at.

use std::collections::BTreeMap;

use billing::amount::Amount;
use billing::rating::contract::{Agreement, Contract, Overrides, Payment};
use billing::rating::dated::Dated;
use billing::rating::dunning::Patience;
use billing::rating::invoice::{Event, InvoiceName, TaxKind, apply};
use billing::rating::line::Line;
use billing::rating::markup::Tiers;
use billing::rating::prices::{PriceList, Sku};
use billing::rating::subscription::{Items, Wish};
use billing::rating::time::Month;
use billing::sale::Verdict;
use blueprint::money::Bps;
use blueprint::{Currency, Money, PlanName};

use crate::world::{Rate, World, at, called};

const ANALYTICS: Sku = Sku::Extra("advanced-analytics");

fn golden(name: &str, world: World) {
    insta::with_settings!({
        snapshot_path => "../golden",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, world.ends());
    });
}

fn have(plan: PlanName) -> Wish {
    Wish::Have(Items::of(plan))
}

fn credited(lines: Vec<(usize, Money)>, why: &str) -> Event {
    Event::Credited { lines, why: why.to_owned() }
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

/// Dollars, tax on top: it begins within a month, upgrades at noon of a leap day and downgrades again, is given
/// something back, disputes a payment and loses, and leaves.
#[test]
fn a_year_of_a_starter() {
    let list = PriceList::factory().unwrap();
    let agreement = Agreement::new(Dated::new(list)).unwrap();
    let mut world = World::new(agreement, Rate(TaxKind::Exclusive, 19));
    let begun = world.begin(Items::of(PlanName::Starter), at("2028-01-10T08:30:00Z"));
    world.pays(&begun, "pi_begin", at("2028-01-10T08:31:00Z"));
    world.uses(at("2028-01-20T10:15:00Z"), 3, 333_333);
    let mut names = BTreeMap::new();
    for month in 2..=12 {
        let text = format!("2028-{month:02}");
        let name = world.month(&text, vec![]).unwrap();
        let paid = at(&format!("{text}-01T00:05:00Z"));
        world.pays(&name, &format!("pi_{month}"), paid);
        names.insert(month, name);
        match month {
            2 => {
                let noon = at("2028-02-29T12:00:00Z");
                world.uses(noon, 7, 123_457);
                let upgrade = world.change("up", &have(PlanName::Business), noon).unwrap();
                world.pays(&upgrade, "pi_up", noon);
                world.uses(at("2028-02-29T12:30:00Z"), 7, 123_457);
            }
            6 => {
                let none =
                    world.change("down", &have(PlanName::Starter), at("2028-06-12T15:00:00Z"));
                assert_eq!(none, None);
            }
            7 => gives_back(&mut world, &names[&6]),
            8 => uses_what_is_owed(&mut world, &names[&6]),
            9 => loses_a_dispute(&mut world, &names[&9]),
            12 => {
                world.uses(at("2028-12-24T18:00:00Z"), 1, 1);
                world.change("end", &Wish::End, at("2028-12-24T18:00:00Z"));
            }
            _ => {}
        }
    }
    let after = world.month("2029-01", vec![]).unwrap();
    assert_eq!(world.invoices[&after].total(), money("0.00 USD"), "two millionths");
    assert_eq!(world.month("2029-02", vec![]), None);
    golden("starter", world);
}

fn gives_back(world: &mut World, june: &InvoiceName) {
    let day = at("2028-07-03");
    let less = credited(vec![(0, money("300.00 USD"))], "an outage in June");
    world.happens(june, "note", less, day);
    let back = Event::Refunded { payment: called("pi_6"), amount: money("250.00 USD") };
    world.happens(june, "re_1", back, day);
}

fn uses_what_is_owed(world: &mut World, june: &InvoiceName) {
    let now = at("2028-08-20");
    world.uses(now, 1, 90_000_000);
    let change = Wish::Have(Items::of(PlanName::Starter).with(ANALYTICS, 1).unwrap());
    let bought = world.change("analytics", &change, now).unwrap();
    let mut from = world.invoices[june].clone();
    let mut to = world.invoices[&bought].clone();
    let moved = apply(&mut from, &mut to, money("50.00 USD"), called("ap_1"), now).unwrap();
    world.invoices.insert(june.clone(), from);
    world.invoices.insert(bought.clone(), to);
    world.moved(&bought, &moved);
    world.pays(&bought, "pi_bought", now);
}

fn loses_a_dispute(world: &mut World, september: &InvoiceName) {
    let amount = world.invoices[september].total();
    let disputed = Event::Disputed { payment: called("pi_9"), amount };
    world.happens(september, "dp_1", disputed, at("2028-09-05"));
    world.happens(september, "dp_1", Event::Judged(Verdict::Lost), at("2028-09-10"));
    world.look(at("2028-09-12"));
    world.look(at("2028-09-19"));
    world.pays(september, "pi_9_again", at("2028-09-20"));
}

/// Yen, which have no decimals, with the tax in the price: storage, an extra for a part of a month, prices that
/// rise, and a dispute that is won.
#[test]
fn a_year_of_a_business_in_yen() {
    let yen: Currency = "JPY".parse().unwrap();
    let major = |amount: i64| Amount::new(amount * 1_000_000, yen);
    let tiers = |plan: PlanName| {
        let above = [(major(1_000), Bps::percent(25)), (major(5_000), Bps::percent(20))];
        Tiers::new(yen, plan.entitlements().ai_markup_bps, above).unwrap()
    };
    let list = |plan: i64| {
        let list =
            PriceList::new(yen, tiers).with(Sku::Plan(PlanName::Business), major(plan)).unwrap();
        let list = list.with(ANALYTICS, major(29_800)).unwrap();
        let list = list.with(Sku::Storage, Amount::new(12_500_000, yen)).unwrap();
        list.with_storage(PlanName::Business, 10)
    };
    let mut lists = Dated::new(list(99_800));
    lists.set(at("2027-07-15"), list(109_800)).unwrap();
    let mut world = World::new(Agreement::new(lists).unwrap(), Rate(TaxKind::Inclusive, 10));
    let begun = world.begin(Items::of(PlanName::Business), at("2027-01-01"));
    world.pays(&begun, "pi_1", at("2027-01-01"));
    world.stored.set(at("2027-01-16T12:00:00Z"), 25 << 30).unwrap();
    world.stored.set(at("2027-03-31T23:59:59Z"), 9 << 30).unwrap();
    for month in 2..=12 {
        let text = format!("2027-{month:02}");
        world.uses(at(&format!("{text}-01")) - jiff::SignedDuration::from_secs(60), 11, 91_234_567);
        let name = world.month(&text, vec![]).unwrap();
        world.pays(&name, &format!("pi_{month}"), at(&format!("{text}-02")));
        let noon = at("2027-04-16T12:00:00Z");
        let with =
            |count| Wish::Have(Items::of(PlanName::Business).with(ANALYTICS, count).unwrap());
        match month {
            4 => {
                let bought = world.change("two", &with(2), noon).unwrap();
                world.pays(&bought, "pi_two", noon);
            }
            5 => assert_eq!(world.change("one", &with(1), at("2027-05-31T23:59:59Z")), None),
            10 => {
                let disputed =
                    Event::Disputed { payment: called("pi_10"), amount: money("50000 JPY") };
                world.happens(&name, "dp", disputed, at("2027-10-20"));
                world.happens(&name, "dp", Event::Judged(Verdict::Won), at("2027-10-30"));
            }
            _ => {}
        }
    }
    golden("business-in-yen", world);
}

fn contract(dinar: Currency) -> Contract {
    let major = |amount: i64| Amount::new(amount * 1_000_000, dinar);
    let price =
        |sku, price| Overrides { prices: BTreeMap::from([(sku, price)]), ..Overrides::default() };
    let plan = Sku::Plan(PlanName::Enterprise);
    let mut overrides = Dated::new(Overrides {
        fee: Some(Bps::percent(12)),
        markup: Some(Tiers::new(dinar, Bps::new(2_250).unwrap(), []).unwrap()),
        ..price(plan, major(3_200))
    });
    overrides.set(at("2028-01-01"), price(plan, Amount::new(3_150_500_000, dinar))).unwrap();
    Contract {
        number: "kw-7".parse().unwrap(),
        from: Month::of(at("2027-07-01")),
        months: 12,
        commitment: Some(major(45_000)),
        payment: Payment::Net { days: 30, purchase_order: "PO 4711".into() },
        patience: Patience::default(),
        overrides,
    }
}

/// Dinars, which have three decimals, by contract: an order that is paid within thirty days, services, a price
/// that falls, a bill that is forgotten until platforms are stopped for most of a month, and what is missing of the commitment.
#[test]
fn a_year_of_an_enterprise_in_dinars() {
    let dinar: Currency = "KWD".parse().unwrap();
    let major = |amount: i64| Amount::new(amount * 1_000_000, dinar);
    let list = PriceList::new(dinar, |plan| Tiers::by_volume(plan, dinar));
    let list = list.with(Sku::Plan(PlanName::Enterprise), major(3_075)).unwrap();
    let list = list.with(Sku::SERVICES, Amount::new(153_750_000, dinar)).unwrap();
    let mut agreement = Agreement::new(Dated::new(list)).unwrap();
    let contract = contract(dinar);
    agreement.sign(contract.clone()).unwrap();
    let mut world = World::new(agreement, Rate(TaxKind::Exclusive, 0));
    let begun = world.begin(Items::of(PlanName::Enterprise), at("2027-07-01"));
    world.pays(&begun, "wire-begin", at("2027-07-28"));
    let (mut month, mut forgotten) = (Month::of(at("2027-08-01")), None);
    for number in 0..12 {
        let services = |minutes| {
            let before = Month::of(month.begins() - jiff::SignedDuration::from_secs(1));
            Line::services(&world.agreement, before, "migration", minutes).unwrap()
        };
        let mut more = if number == 1 { vec![services(95)] } else { vec![] };
        world.uses(month.begins() - jiff::SignedDuration::from_secs(1), 5, 2_222_222);
        if number == 11 {
            let used = world.used(month);
            let billed = world.invoices.values();
            more.extend(contract.shortfall(billed, std::slice::from_ref(&used)).unwrap());
        }
        let name = world.month(&month.to_string(), more).unwrap();
        match number {
            4 => forgotten = Some(name),
            // The year ends with an open one, that is not due yet.
            11 => {}
            _ => {
                let paid = month.begins() + jiff::SignedDuration::from_hours(24 * 20);
                world.pays(&name, &format!("wire-{number}"), paid);
            }
        }
        if number == 6 {
            let forgotten = forgotten.take().unwrap();
            world.pays(&forgotten, "wire-late", at("2028-02-29T09:00:00Z"));
            let rest = world.resumes(at("2028-02-29T09:00:00Z"));
            world.pays(&rest, "wire-rest", at("2028-03-20"));
        }
        month = month.later(1);
    }
    golden("enterprise-in-dinars", world);
}
