//! A platform of each pricing strategy: somebody signs up, buys, hits the limit, is billed and is given money back.

use billing::rating::contract::{Agreement, Contract, Overrides, Payment};
use billing::rating::dated::Dated;
use billing::rating::dunning::Patience;
use billing::rating::invoice::TaxKind;
use billing::rating::prices::PriceList;
use billing::rating::time::Month;
use billing::sale::Verdict;
use billing::shop::access::{Act, Cost};
use billing::shop::bill::Line;
use billing::shop::offers::{AgentPrice, Deal, Offers};
use billing::shop::reserve::Policy;
use billing::shop::subscription::{Fact, Wish};
use billing::shop::team::{Referrer, Team};
use blueprint::money::Bps;
use blueprint::plan::PlanName;
use blueprint::spec::{
    BillingInterval, Monetization, PricingStrategy, Tier, TierLimits, UsagePrice, UsageUnit,
};

use crate::world::{BUYER, Rate, World, at, money, who};

fn golden(name: &str, text: &str) {
    insta::with_settings!({
        snapshot_path => "../golden",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, text);
    });
}

fn tier(id: &str, price: &str, messages: Option<u32>) -> Tier {
    Tier {
        id: id.parse().unwrap(),
        name: id.to_owned(),
        price: money(price),
        interval: BillingInterval::Month,
        summary: None,
        benefits: Vec::new(),
        trial_days: None,
        limits: TierLimits { messages_per_day: messages, ..TierLimits::default() },
        usage_price: None,
    }
}

fn sold(strategy: PricingStrategy, currency: &str, tiers: Vec<Tier>) -> Monetization {
    Monetization {
        pricing_strategy: strategy,
        currency: currency.parse().unwrap(),
        tiers,
        ..Monetization::default()
    }
}

fn fee(plan: PlanName) -> Bps {
    plan.entitlements().factory_fee_bps
}

fn named(offers: &Offers, id: &str) -> Deal {
    offers.tier(&id.parse().unwrap()).unwrap()
}

const fn message(today: u32) -> Act {
    Act::Message { agent: None, today }
}

/// Dollars, tax on top, a starter: somebody comes for nothing, tries a tier, upgrades after a third of a month, and
/// is given back what is not used when they leave.
#[test]
fn freemium() {
    let pro = Tier { trial_days: Some(7), ..tier("pro", "12.00 USD", Some(500)) };
    let tiers = vec![tier("free", "0.00 USD", Some(30)), pro, tier("studio", "30.00 USD", None)];
    let offers = Offers::of(&sold(PricingStrategy::Freemium, "USD", tiers)).unwrap();
    let mut world =
        World::new(offers.clone(), fee(PlanName::Starter), Rate(TaxKind::Exclusive, 19));
    assert_eq!(world.asks("message 30", message(29), "2027-04-01"), Some(Cost::Nothing));
    assert_eq!(world.asks("message 31", message(30), "2027-04-01T18:00:00Z"), None);
    world.begins(named(&offers, "pro"), "2027-04-01T18:05:00Z");
    world.asks("message 31", message(30), "2027-04-01T18:05:00Z");
    world.looks("2027-04-08T18:05:00Z");
    world.pays("pi-1", "2027-04-08T18:05:00Z");
    assert_eq!(world.asks("message 501", message(500), "2027-04-18T18:05:00Z"), None);
    let studio = Wish::Have(named(&offers, "studio"));
    let quote = world.changes("up", &studio, "2027-04-18T18:05:00Z");
    assert_eq!(quote.charge, money("12.00 USD"));
    world.asks("message 501", message(500), "2027-04-18T18:05:00Z");
    let end = "2027-04-28T18:05:00Z";
    let unused = world.had.as_ref().unwrap().unused(at(end)).unwrap();
    assert_eq!(unused, money("10.00 USD"));
    // A third of the term's 30.00 is not used: 10.00 and its tax.
    world.refunds("up", "re-1", Some("11.90 USD"), end);
    world.tells("leave", Fact::Ended { at: at(end) });
    world.looks(end);
    world.asks("message 31", message(30), end);
    golden("shop-freemium", &world.ends(&[]));
}

/// Yen, which have no decimals, with the tax in the price, a business: a payment fails and comes in the grace, the
/// price in the blueprint rises, and somebody takes less and leaves, by two clicks each.
#[test]
fn subscription() {
    let tiers = |price: &str| {
        let team = Tier {
            limits: TierLimits { seats: Some(3), ..TierLimits::default() },
            ..tier("team", price, None)
        };
        vec![tier("solo", "980 JPY", Some(100)), team]
    };
    let of = |price| Offers::of(&sold(PricingStrategy::Subscription, "JPY", tiers(price))).unwrap();
    let mut offers = Dated::new(of("2980 JPY"));
    offers.set(at("2027-02-15"), of("3980 JPY")).unwrap();
    let now = |world: &mut World, time| world.offers = offers.at(at(time)).clone();
    let rate = Rate(TaxKind::Inclusive, 10);
    let mut world = World::new(of("2980 JPY"), fee(PlanName::Business), rate);
    assert_eq!(world.asks("message 1", message(0), "2027-01-31"), None);
    let team = named(&world.offers, "team");
    world.begins(team, "2027-01-31");
    world.pays("pi-1", "2027-01-31T00:01:00Z");
    world.asks("third person", Act::Share { people: 2 }, "2027-02-01");
    assert_eq!(world.asks("fourth person", Act::Share { people: 3 }, "2027-02-01"), None);
    world.looks("2027-02-28");
    world.tells("failed", Fact::Failed { term: 2, at: at("2027-02-28T00:01:00Z") });
    world.looks("2027-02-28T00:01:00Z");
    now(&mut world, "2027-03-05");
    world.says("the blueprint asks 3980 JPY since 2027-02-15; what was bought costs what it did");
    world.pays("pi-2", "2027-03-05");
    let solo = named(&world.offers, "solo");
    world.changes("down", &Wish::Have(solo), "2027-03-10");
    world.pays("pi-3", "2027-03-31");
    assert_eq!(world.asks("message 101", message(100), "2027-04-01"), None);
    world.refunds("pi-3", "re-1", Some("333 JPY"), "2027-04-10");
    world.changes("stop", &Wish::Stop, "2027-04-12");
    world.looks("2027-04-30");
    assert_eq!(world.asks("message 1", message(0), "2027-04-30"), None);
    golden("shop-subscription-in-yen", &world.ends(&[]));
}

/// Dinars, which have three decimals, an enterprise: ten messages a day are free, more are billed, and somebody
/// leaves with a last bill.
#[test]
fn usage() {
    let price = UsagePrice { unit: UsageUnit::Message, price: money("0.005 KWD") };
    let metered = Tier { usage_price: Some(price), ..tier("metered", "0.000 KWD", Some(10)) };
    let sold = sold(PricingStrategy::Usage, "KWD", vec![metered]);
    let offers = Offers::of(&sold).unwrap();
    let rate = Rate(TaxKind::Exclusive, 0);
    let mut world = World::new(offers.clone(), fee(PlanName::Enterprise), rate);
    assert_eq!(world.asks("message 1", message(0), "2028-02-01"), None);
    world.begins(named(&offers, "metered"), "2028-02-01");
    world.asks("message 10", message(9), "2028-02-01");
    assert_eq!(world.asks("message 11", message(10), "2028-02-01"), Some(Cost::Used(price)));
    for (day, units) in [("2028-02-01", 490), ("2028-02-29T23:59:59Z", 1_511)] {
        world.says(&format!("{} {units} messages beyond the limit", at(day)));
        world.tells(&format!("use-{units}"), Fact::Used { units, at: at(day) });
    }
    world.pays("pi-1", "2028-03-01");
    world.refunds("pi-1", "re-1", Some("1.001 KWD"), "2028-03-04");
    world.refunds("pi-1", "re-2", Some("0.005 KWD"), "2028-03-05");
    world.says("2028-03-10T00:00:00Z 21 messages beyond the limit");
    world.tells("use-march", Fact::Used { units: 21, at: at("2028-03-10") });
    world.changes("stop", &Wish::Stop, "2028-03-12");
    world.looks("2028-04-01");
    world.pays("pi-last", "2028-04-01T08:00:00Z");
    world.refunds("pi-1", "re-3", None, "2028-04-02");
    golden("shop-usage-in-dinars", &world.ends(&[]));
}

/// Dollars without tax, a starter: an agent for 10.00, of which a tenth of what creators earn is kept back for a
/// week; one that two made and a third brought the buyer to; one that is given back after it was paid out, so that
/// its creator owes it; disputes that are lost and won.
#[test]
fn marketplace() {
    let offers = Offers::of(&sold(PricingStrategy::Marketplace, "USD", vec![])).unwrap();
    let rate = Rate(TaxKind::Exclusive, 0);
    let mut world = World::new(offers, fee(PlanName::Starter), rate);
    world.policy = Policy { share: Bps::percent(10), days: 7 };
    let ada = (who(100), AgentPrice::Once(money("10.00 USD")));
    let to_ada = Act::Message { agent: Some(ada), today: 0 };
    assert_eq!(world.asks("message to ada", to_ada, "2027-04-01"), None);
    let one = |what: &str, price: &str| vec![Line::new(what, money(price))];
    world.sells("ch-1", &world.of(1), one("Ada", "10.00 USD"), at("2027-04-01"));
    world.buys(ada.0);
    world.asks("message to ada", to_ada, "2027-04-01");
    let (creator, other) = (world.creator(1), world.creator(2));
    world.pays_out(&creator, "tr-1", "2027-04-02");
    let team = Team::of(who(1)).with(who(2), Bps::percent(40)).unwrap();
    let referrer = Some(Referrer { who: who(3), share: Bps::percent(10) });
    let shared = world.sharing().of_team(&team, BUYER, referrer).unwrap();
    world.sells("ch-2", &shared, one("Grace", "9.99 USD"), at("2027-04-03"));
    world.pays_out(&creator, "tr-2", "2027-04-10");
    world
        .says("everything of the first sale goes back, in two parts, and its creator was paid out");
    world.refunds("ch-1", "re-1", Some("3.33 USD"), "2027-04-11");
    world.refunds("ch-1", "re-2", None, "2027-04-12");
    world.sells("ch-3", &world.of(1), one("Ada", "10.00 USD"), at("2027-04-13"));
    world.disputes("ch-2", "dp-1", "2027-04-14");
    world.judges("ch-2", "dp-1:lost", Verdict::Lost, "2027-04-20");
    world.disputes("ch-3", "dp-2", "2027-04-21");
    world.judges("ch-3", "dp-2:won", Verdict::Won, "2027-04-25");
    world.sells("ch-4", &world.of(1), one("Ada", "20.00 USD"), at("2027-04-26"));
    world.pays_out(&creator, "tr-3", "2027-05-01");
    assert!(world.wallet(&other).receivable.is_zero());
    golden("shop-marketplace", &world.ends(&[1, 2, 3]));
}

/// Euro, tax on top, an enterprise by contract, of which the factory has 12 %: a price is agreed with a customer for
/// a year, agents cost a fee, and half of a year is given back.
#[test]
fn custom() {
    let list = PriceList::new("EUR".parse().unwrap(), |plan| {
        billing::rating::markup::Tiers::by_volume(plan, "EUR".parse().unwrap())
    });
    let mut agreement = Agreement::new(Dated::new(list)).unwrap();
    agreement
        .sign(Contract {
            number: "c-7".parse().unwrap(),
            from: Month::of(at("2027-01-01")),
            months: 24,
            commitment: None,
            payment: Payment::AtOnce,
            patience: Patience::default(),
            overrides: Dated::new(Overrides {
                fee: Some(Bps::percent(12)),
                ..Overrides::default()
            }),
        })
        .unwrap();
    let yearly = Tier {
        interval: BillingInterval::Year,
        limits: TierLimits { messages_per_day: Some(1_000), agents: Some(2), seats: Some(50) },
        ..tier("contract", "5000.00 EUR", None)
    };
    let mut sold = sold(PricingStrategy::Custom, "EUR", vec![yearly]);
    sold.agent_creation_fee = Some(money("25.00 EUR"));
    let offers = Offers::of(&sold).unwrap();
    let of_contract = agreement.fee(PlanName::Enterprise, at("2027-03-01"));
    let mut world = World::new(offers.clone(), of_contract, Rate(TaxKind::Exclusive, 19));
    assert_eq!(world.asks("message 1", message(0), "2027-03-01"), None);
    let agreed = named(&offers, "contract").agreed(money("4380.00 EUR")).unwrap();
    world.begins(agreed, "2027-03-01");
    world.pays("pi-1", "2027-03-01T09:00:00Z");
    for made in 0..3 {
        let time = format!("2027-03-0{}", made + 2);
        let what = format!("agent {}", made + 1);
        let cost = world.asks(&what, Act::MakeAgent { made }, &time);
        if let Some(Cost::Each(fee)) = cost {
            let line = vec![Line::new(format!("making {what}"), fee)];
            world.sells(&format!("fee-{made}"), &world.own(), line, at(&time));
        }
    }
    assert_eq!(world.asks("message 1001", message(1_000), "2027-03-05"), None);
    let half = world.had.as_ref().unwrap().unused(at("2027-08-31")).unwrap();
    // 183 of 366 days are used, as a year from the first of March has a leap day in it.
    assert_eq!(half, money("2190.00 EUR"));
    world.refunds("pi-1", "re-1", Some("2606.10 EUR"), "2027-08-31");
    world.tells("leave", Fact::Ended { at: at("2027-08-31") });
    world.looks("2027-08-31");
    golden("shop-custom-in-euro", &world.ends(&[]));
}

/// What was decided, of each plan: 10.00 through a creator, and 10.00 for a tier.
#[test]
fn the_figures_that_were_decided() {
    let mut text = String::new();
    for plan in PlanName::ALL {
        let offers = Offers::of(&sold(PricingStrategy::Marketplace, "USD", vec![])).unwrap();
        let mut world = World::new(offers, fee(plan), Rate(TaxKind::Exclusive, 0));
        world.says(&format!("{plan}, {}", world.fee));
        let line = |what: &str| vec![Line::new(what, money("10.00 USD"))];
        world.sells("agent", &world.of(1), line("through a creator"), at("2027-04-01"));
        world.sells("tier", &world.own(), line("a tier"), at("2027-04-01"));
        text.push_str(&world.ends(&[1]));
    }
    golden("shop-decided", &text);
}
