//! What is done at once, doubled, late or in another order comes to the same.

use billing::ledger::Posted;
use billing::ledger::memory::{self, Ledger};
use billing::rating::contract::Agreement;
use billing::rating::dated::Dated;
use billing::rating::dunning::State;
use billing::rating::invoice::{Invoice, TaxKind};
use billing::rating::prices::PriceList;
use billing::rating::subscription::{Accepted, Items, NoChange, Subscription, Wish};
use blueprint::PlanName;

use crate::world::{Rate, World, at, called};

fn agreed() -> Agreement {
    Agreement::new(Dated::new(PriceList::factory().unwrap())).unwrap()
}

/// Unpaid, past due, grace, suspended, retained, paid, live again; what was had is had still.
#[test]
fn who_does_not_pay_is_stopped_keeps_everything_and_is_live_again_once_it_is_paid() {
    let mut world = World::new(agreed(), Rate(TaxKind::Exclusive, 0));
    let name = world.begin(Items::of(PlanName::Business), at("2028-02-01"));
    let items = world.had.as_ref().unwrap().items().cloned();
    let mut states = vec![];
    for hour in 0..24 * 60 {
        let now = at("2028-02-01") + jiff::SignedDuration::from_hours(hour);
        let state = world.look(now);
        if states.last() != Some(&state) {
            states.push(state);
        }
        if now == at("2028-03-01") {
            assert!(!state.is_live());
            assert_eq!(world.month("2028-03", vec![]), None);
        }
    }
    let all = [State::Current, State::PastDue, State::Grace, State::Suspended, State::Retained];
    assert_eq!(states, all);
    assert_eq!(world.month("2028-04", vec![]), None);
    world.pays(&name, "late", at("2028-04-16"));
    assert_eq!(world.look(at("2028-04-16")), State::Current);
    let rest = world.resumes(at("2028-04-16"));
    assert_eq!(world.invoices[&rest].total(), "499.50 USD".parse().unwrap());
    assert_eq!(world.had.as_ref().unwrap().items().cloned(), items);
}

#[test]
fn of_a_thousand_pairs_of_changes_at_once_each_is_prorated_once() {
    let agreement = agreed();
    for pair in 0..1_000 {
        let begins = at("2028-02-01");
        let (mut had, _) =
            Subscription::begin(&agreement, Items::of(PlanName::Starter), begins).unwrap();
        let now = begins + jiff::SignedDuration::from_secs(pair * 2_400 + 1);
        let wish = |pair: i64| {
            let plans = [PlanName::Business, PlanName::Enterprise];
            Wish::Have(Items::of(plans[usize::from(pair % 3 == 0)]))
        };
        // Both saw the same page; every second pair is one click that was sent twice.
        let first = had.quote(&agreement, &wish(pair), now).unwrap();
        let second = had.quote(&agreement, &wish(pair + 1), now).unwrap();
        let names = if pair % 2 == 0 { ["a", "b"] } else { ["a", "a"] };
        let other = if pair % 2 == 0 { &second } else { &first };
        assert_eq!(had.accept(called(names[0]), &first, now), Ok(Accepted::New));
        let told = had.accept(called(names[1]), other, now);
        let expected = if pair % 2 == 0 { Err(NoChange::Stale) } else { Ok(Accepted::Again) };
        assert_eq!(told, expected, "{pair}");
        assert_eq!(had.version(), 1);
    }
}

#[test]
fn a_ledger_that_is_told_a_year_backwards_and_twice_says_the_same() {
    let mut world = World::new(agreed(), Rate(TaxKind::Exclusive, 19));
    let begun = world.begin(Items::of(PlanName::Starter), at("2028-01-31T23:00:00Z"));
    world.pays(&begun, "pi", at("2028-01-31T23:01:00Z"));
    for month in 2..=12 {
        let name = world.month(&format!("2028-{month:02}"), vec![]).unwrap();
        world.pays(&name, "pi", at(&format!("2028-{month:02}-03")));
        world.uses(at(&format!("2028-{month:02}-17")), 5, 77_777);
    }
    let (mut backwards, journals) = (Ledger::default(), world.ledger.journals());
    for journal in journals.iter().rev() {
        assert!(matches!(backwards.post(journal.clone()), Posted::New(_)));
        assert!(matches!(backwards.post(journal.clone()), Posted::Again(_)));
    }
    assert_eq!(backwards.balances(), world.ledger.balances());
    assert_eq!(memory::fold(journals), *world.ledger.balances());
    let of_invoices = world.invoices.values().flat_map(Invoice::journals).count();
    let of_use = 11;
    assert_eq!(journals.len(), of_invoices + of_use, "each has one");
}
