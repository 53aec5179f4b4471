//! What people have, and what they may do with it.

use blueprint::spec::{BillingInterval, Monetization, Tier, TierLimits, UsageUnit};

use super::*;
use crate::shop::subscription::Fact;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn tier(id: &str, price: &str, limits: (Option<u32>, Option<u32>, Option<u32>)) -> Tier {
    let (messages_per_day, agents, seats) = limits;
    Tier {
        id: id.parse().unwrap(),
        name: id.to_owned(),
        price: money(price),
        interval: BillingInterval::Month,
        summary: None,
        benefits: Vec::new(),
        trial_days: None,
        limits: TierLimits { messages_per_day, agents, seats },
        usage_price: None,
    }
}

fn offers(strategy: PricingStrategy) -> Offers {
    Offers::of(&Monetization {
        pricing_strategy: strategy,
        tiers: vec![
            tier("free", "0.00 USD", (Some(30), Some(1), None)),
            tier("pro", "12.00 USD", (Some(500), Some(20), None)),
            tier("studio", "99.00 USD", (None, None, Some(10))),
        ],
        agent_creation_fee: Some(money("2.00 USD")),
        ..Monetization::default()
    })
    .unwrap()
}

fn nothing_sold(strategy: PricingStrategy) -> Offers {
    let sold = Monetization { pricing_strategy: strategy, ..Monetization::default() };
    Offers::of(&sold).unwrap()
}

const NOW: &str = "2027-04-10T15:00:00Z";

fn has(deal: &Deal) -> Holdings {
    let mut had = Subscription::begin(deal.clone(), at("2027-04-01T00:00:00Z"));
    let paid = Fact::Paid { term: 1, amount: deal.price, at: at("2027-04-01T00:00:00Z") };
    had.told("pi".parse().unwrap(), paid).unwrap();
    Holdings::at(at(NOW), [&had], []).unwrap()
}

fn agent(number: u128, price: AgentPrice) -> (Uuid, AgentPrice) {
    (Uuid::from_u128(number), price)
}

fn ask(offers: &Offers, held: &Holdings, act: Act) -> Answer {
    may(offers, held, act, at(NOW))
}

fn refused(answer: Answer) -> No {
    match answer {
        Answer::No(no) => no,
        yes @ Answer::Yes(_) => panic!("{yes:?}"),
    }
}

fn named(offers: &Offers, id: &str) -> Deal {
    offers.tier(&id.parse().unwrap()).unwrap()
}

#[test]
fn who_has_nothing_has_the_free_tier_and_is_told_when_it_counts_again_and_what_would_help() {
    let (offers, none) = (offers(PricingStrategy::Freemium), Holdings::default());
    let send = |today| ask(&offers, &none, Act::Message { agent: None, today });
    assert_eq!(send(29), Answer::Yes(Cost::Nothing));
    let no = refused(send(30));
    assert_eq!((no.why, no.why.code()), (Reason::Messages(30), "messages"));
    assert_eq!(no.again(), Some(at("2027-04-11T00:00:00Z")));
    assert_eq!(
        no.to_string(),
        "All 30 messages of today are sent. It counts again at 2027-04-11T00:00:00Z, or take pro at 12.00 \
         USD a month."
    );
    let makes = |made| ask(&offers, &none, Act::MakeAgent { made });
    assert_eq!(makes(0), Answer::Yes(Cost::Each(money("2.00 USD"))));
    let no = refused(makes(1));
    assert_eq!((no.why, no.again()), (Reason::Agents(1), None));
    assert_eq!(
        no.to_string(),
        "All 1 agents are made. Delete one, or take pro at 12.00 USD a month."
    );
    assert_eq!(refused(makes(20)).helps.last(), Some(&Help::Have(named(&offers, "studio"))));
}

#[test]
fn who_has_a_tier_has_its_limits_as_they_were_when_it_was_bought() {
    let offers = offers(PricingStrategy::Freemium);
    let pro = has(&named(&offers, "pro"));
    let send = |held: &Holdings, today| ask(&offers, held, Act::Message { agent: None, today });
    assert_eq!(send(&pro, 499), Answer::Yes(Cost::Nothing));
    assert_eq!(refused(send(&pro, 500)).helps.last(), Some(&Help::Have(named(&offers, "studio"))));
    let mut old = named(&offers, "pro");
    old.limits.messages_per_day = Some(900);
    assert_eq!(send(&has(&old), 899), Answer::Yes(Cost::Nothing));
    let studio = has(&named(&offers, "studio"));
    assert_eq!(send(&studio, u32::MAX), Answer::Yes(Cost::Nothing));
    let share = |held: &Holdings, people| ask(&offers, held, Act::Share { people });
    assert_eq!(share(&studio, 9), Answer::Yes(Cost::Nothing));
    let full = refused(share(&studio, 10));
    assert_eq!((full.why, full.helps), (Reason::People(10), vec![Help::Ask]));
    assert_eq!(refused(share(&pro, 1)).helps, [Help::Have(named(&offers, "studio"))]);
}

#[test]
fn beyond_the_limit_use_has_a_price_where_the_tier_says_so() {
    let offers = offers(PricingStrategy::Usage);
    let usage = UsagePrice { unit: UsageUnit::Message, price: money("0.05 USD") };
    let of = |limit| {
        let mut deal = Deal { usage: Some(usage), ..named(&offers, "pro") };
        deal.limits.messages_per_day = limit;
        has(&deal)
    };
    let send = |held: &Holdings, today| ask(&offers, held, Act::Message { agent: None, today });
    assert_eq!(send(&of(Some(500)), 499), Answer::Yes(Cost::Nothing));
    assert_eq!(send(&of(Some(500)), 500), Answer::Yes(Cost::Used(usage)));
    assert_eq!(send(&of(None), 0), Answer::Yes(Cost::Used(usage)), "all use, without a limit");
}

#[test]
fn without_a_tier_it_depends_on_how_the_platform_earns() {
    let none = Holdings::default();
    let send = |offers: &Offers| ask(offers, &none, Act::Message { agent: None, today: 0 });
    for strategy in [PricingStrategy::Subscription, PricingStrategy::Usage] {
        let offers = offers(strategy);
        let no = refused(send(&offers));
        assert_eq!(no.why, Reason::NoTier);
        assert_eq!(no.helps, [Help::Have(named(&offers, "free"))]);
        assert_eq!(send(&nothing_sold(strategy)), Answer::Yes(Cost::Nothing), "nothing is sold");
    }
    let custom = refused(send(&offers(PricingStrategy::Custom)));
    assert_eq!((custom.why, custom.helps), (Reason::NotAgreed, vec![Help::Ask]));
    let open = nothing_sold(PricingStrategy::Marketplace);
    assert_eq!(send(&open), Answer::Yes(Cost::Nothing));
    assert_eq!(send(&nothing_sold(PricingStrategy::Freemium)), Answer::Yes(Cost::Nothing));
}

#[test]
fn agents_are_paid_by_the_message_by_the_month_or_once() {
    let offers = offers(PricingStrategy::Subscription);
    let send = |held: &Holdings, agent| {
        ask(&offers, held, Act::Message { agent: Some(agent), today: 600 })
    };
    let none = Holdings::default();
    let by_message = agent(1, AgentPrice::Message(money("0.50 USD")));
    assert_eq!(send(&none, by_message), Answer::Yes(Cost::Each(money("0.50 USD"))));
    let price = AgentPrice::Once(money("10.00 USD"));
    let no = refused(send(&none, agent(2, price)));
    assert_eq!(no.why, Reason::NotBought(Uuid::from_u128(2), price));
    assert_eq!(no.to_string(), "This agent costs 10.00 USD once. Buy it for 10.00 USD once.");
    let bought = Holdings::at(at(NOW), [], [Uuid::from_u128(2)]).unwrap();
    assert_eq!(send(&bought, agent(2, price)), Answer::Yes(Cost::Nothing));
    // With a tier, the day's limit counts for what is free or bought.
    let mut with_tier = has(&named(&offers, "pro"));
    with_tier.agents.insert(Uuid::from_u128(2));
    assert_eq!(refused(send(&with_tier, agent(2, price))).why, Reason::Messages(500));
    assert_eq!(send(&with_tier, by_message), Answer::Yes(Cost::Each(money("0.50 USD"))));
    let monthly = Deal::agent(Uuid::from_u128(3), "Ada", money("5.00 USD"));
    let rented = has(&monthly);
    assert!(rented.has(Uuid::from_u128(3)) && rented.tier().is_none());
    let price = AgentPrice::Month(money("5.00 USD"));
    assert_eq!(send(&rented, agent(3, price)), Answer::Yes(Cost::Nothing));
}

#[test]
fn who_did_not_pay_is_told_to() {
    let offers = offers(PricingStrategy::Subscription);
    let deal = named(&offers, "pro");
    let mut had = Subscription::begin(deal.clone(), at("2027-03-01T00:00:00Z"));
    let paid = Fact::Paid { term: 1, amount: deal.price, at: at("2027-03-01T00:00:00Z") };
    had.told("pi".parse().unwrap(), paid).unwrap();
    let at_time = |now: &str| Holdings::at(at(now), [&had], []).unwrap();
    let send = |held: &Holdings| ask(&offers, held, Act::Message { agent: None, today: 500 });
    let grace = refused(send(&at_time("2027-04-05T00:00:00Z")));
    assert_eq!((grace.why, &grace.helps[1]), (Reason::Messages(500), &Help::Pay));
    let over = refused(send(&at_time(NOW)));
    // For what was not had nothing is to be paid.
    assert_eq!((over.why, over.helps), (Reason::Unpaid, vec![Help::Have(named(&offers, "free"))]));
}
