//! What is sold once: through us with several who have a part, by a tenant alone, and on a page.

use std::time::Duration;

use billing::ledger::{Account, Book, Party, store};
use billing::rail::intent::State;
use billing::rail::settle::transfer_of;
use billing::rail::{IntentId, LinkTo, Merchant, PaymentRail as _, Wish};
use blueprint::money::{Currency, Money};
use sqlx::PgPool;
use stripe_sim::Fault;

use crate::rig::Rig;
use crate::shop::{Shop, booking, creator, intent, is_ours, refund, sale, take_back, tenant, usd};

/// What an account has, in hundredths.
async fn has(rig: &Rig, party: Party, book: Book) -> i128 {
    let mut conn = rig.db.acquire().await.unwrap();
    let account = Account::new(party, book);
    store::balance(&mut conn, &account, Currency::USD).await.unwrap() / 10_000
}

#[sqlx::test(migrations = false)]
async fn a_sale_is_charged_once_passed_on_and_given_back_in_parts(db: PgPool) {
    let rig = Rig::start(&db, 1).await;
    is_ours(&rig);
    let shop = Shop::open(&rig).await;
    let who = shop.customer(&rig, "ada", None).await;
    let (sale, mut sold) = shop.sale(&rig, "one", (&who, "pm_card_visa"), usd("10.00"));
    rig.decide(std::slice::from_ref(&sale)).await;
    rig.drain().await;
    let paid = rig.made(sale.id).await.unwrap();
    // The tenant stands on the receipt, and Stripe kept 2.9 % and 0.30 of the 12.00.
    let charge = paid.cash.as_ref().unwrap().booked_as.clone();
    let charge = rig.ask("GET", &format!("/v1/charges/{charge}"), &[], None).await;
    assert_eq!(charge["on_behalf_of"], shop.tenant.as_str());
    assert_eq!(charge["transfer_group"], sale.id.to_string());
    assert_eq!(paid.cash.as_ref().unwrap().fee, Some(usd("0.65")));
    let factory = Party::Factory;
    assert_eq!(has(&rig, factory.clone(), Book::Revenue).await, -45);
    assert_eq!(has(&rig, creator(), Book::Payable).await, 0, "it was passed on");
    assert_eq!(rig.agrees().await, 3);

    let part = refund(&rig, "part", &paid, &mut sold, usd("3.00"));
    let back = take_back(&rig, "part", (sale.id, 0), usd("1.75")).await.unwrap();
    rig.decide(&[part, back]).await;
    rig.drain().await;
    assert_eq!(has(&rig, creator(), Book::Payable).await, 0, "what was theirs of it came back");
    assert_eq!(rig.agrees().await, 5);

    let rest = sold.left();
    let rest = refund(&rig, "rest", &paid, &mut sold, rest);
    rig.decide(std::slice::from_ref(&rest)).await;
    rig.drain().await;
    assert!(rig.is_settled(rest.id).await);
    // Nobody has anything of it any more; what was passed on and not taken back is owed to us.
    assert_eq!(has(&rig, factory, Book::Revenue).await, 0);
    assert_eq!(has(&rig, creator(), Book::Payable).await, 525);
    assert_eq!(has(&rig, tenant(), Book::Payable).await, 255);
    assert_eq!(rig.agrees().await, 6);
    rig.is_at_rest().await;
}

#[sqlx::test(migrations = false)]
async fn an_answer_that_takes_longer_than_a_lease_is_of_one_sale(db: PgPool) {
    let rig = Rig::start(&db, 13).await;
    let shop = Shop::open(&rig).await;
    let who = shop.customer(&rig, "ada", None).await;
    let (sale, _) = shop.sale(&rig, "one", (&who, "pm_card_visa"), usd("10.00"));
    rig.decide(std::slice::from_ref(&sale)).await;
    rig.sim.fault("PostPaymentIntents", Fault::Held);
    // Whoever sent it is gone, and Stripe works on.
    let gone = tokio::time::timeout(Duration::from_millis(300), rig.turn()).await;
    assert!(gone.is_err());
    rig.wait(200);
    assert_eq!(rig.turn().await.again, 1, "its key is in use");
    assert_eq!(rig.count(State::Unknown).await, 1);
    rig.sim.let_go();
    rig.drain().await;
    assert!(rig.is_settled(sale.id).await);
    assert_eq!(rig.all("/v1/payment_intents", None).await.len(), 1);
    assert_eq!(rig.agrees().await, 3);
}

#[sqlx::test(migrations = false)]
async fn what_a_receiver_has_not_got_any_more_does_not_come_back(db: PgPool) {
    let rig = Rig::start(&db, 2).await;
    let shop = Shop::open(&rig).await;
    let who = shop.customer(&rig, "ada", None).await;
    let (sale, _) = shop.sale(&rig, "one", (&who, "pm_card_visa"), usd("10.00"));
    rig.decide(std::slice::from_ref(&sale)).await;
    rig.drain().await;
    // Two days later it is theirs, and leaves for their bank.
    rig.wait(3 * 86_400);
    let given = [("amount", "700"), ("currency", "usd")];
    rig.ask("POST", "/v1/payouts", &given, Some(shop.creator.as_str())).await;
    let back = take_back(&rig, "one", (sale.id, 0), usd("7.00")).await.unwrap();
    rig.decide(std::slice::from_ref(&back)).await;
    rig.drain().await;
    assert_eq!(rig.newest(back.id).await.unwrap().0, State::Refused);
    assert!(rig.cause(back.id).await.contains("balance_insufficient"));
    rig.agrees().await;
}

#[sqlx::test(migrations = false)]
async fn a_tenant_that_sells_alone_is_paid_directly_less_our_fee(db: PgPool) {
    let rig = Rig::start(&db, 3).await;
    let shop = Shop::open(&rig).await;
    let who = shop.customer(&rig, "ada", Some(&shop.tenant)).await;
    let with = shop.direct("with", (&who, "pm_card_visa"), usd("10.00"), usd("1.50"));
    let without = shop.direct("without", (&who, "pm_card_visa"), usd("5.00"), usd("0.00"));
    let declined =
        shop.direct("declined", (&who, "pm_card_chargeCustomerFail"), usd("5.00"), usd("0.75"));
    rig.decide(&[with.clone(), without.clone(), declined.clone()]).await;
    rig.drain().await;
    assert_eq!(rig.cause(without.id).await, "");
    for sold in [&with, &without] {
        assert!(rig.is_settled(sold.id).await);
    }
    assert_eq!(rig.newest(declined.id).await.unwrap().0, State::Refused);
    assert_eq!(has(&rig, Party::Factory, Book::Revenue).await, -150);
    assert_eq!(rig.agrees().await, 1);
    // The tenant has what is left of 15.00 after our fee and Stripe's two.
    let balance = rig.ask("GET", "/v1/balance", &[], Some(shop.tenant.as_str())).await;
    assert_eq!(balance["pending"][0]["amount"], 1_500 - 150 - (29 + 30) - (15 + 30));
    // It gives back what is its own.
    let charges = rig.all("/v1/charges", Some(shop.tenant.as_str())).await;
    let paid = charges.iter().find(|charge| charge["amount"] == 1_000).unwrap();
    let wish = Wish::Refund {
        payment: paid["id"].as_str().unwrap().to_owned().try_into().unwrap(),
        amount: usd("4.00"),
        direct: Some((shop.tenant.clone(), usd("0.00"))),
    };
    let back = intent(IntentId::of(&["back"]), wish, None);
    rig.decide(std::slice::from_ref(&back)).await;
    rig.drain().await;
    assert!(rig.is_settled(back.id).await);
    assert_eq!(rig.agrees().await, 1);
    rig.is_at_rest().await;
}

async fn pays(rig: &Rig, page: &str, card: &str) {
    let form = format!("card={card}&email=ada%40example.com&name=Ada");
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let request = client.build().unwrap().post(page).body(form);
    let kind = "application/x-www-form-urlencoded";
    let answer = request.header("content-type", kind).send().await.unwrap();
    assert!(answer.status().as_u16() < 400, "{}: {}", rig.url, answer.status());
}

#[sqlx::test(migrations = false)]
async fn a_page_is_paid_on_once_or_ends_unpaid(db: PgPool) {
    let rig = Rig::start(&db, 4).await;
    let shop = Shop::open(&rig).await;
    let who = shop.customer(&rig, "ada", None).await;
    let page = |name: &str| {
        let (decided, _) = shop.sale(&rig, name, (&who, "pm_card_visa"), usd("10.00"));
        let Wish::Sale { sale } = decided.wish else { panic!("no sale") };
        let (paid, left) = ("https://acme.example/paid", "https://acme.example/left");
        let wish = Wish::Checkout {
            sale: billing::rail::Sale { by: None, ..sale },
            paid: paid.to_owned(),
            left: left.to_owned(),
        };
        intent(IntentId::of(&["page", name]), wish, decided.booking)
    };
    let (paid, left) = (page("paid"), page("left"));
    rig.decide(&[paid.clone(), left.clone()]).await;
    rig.drain().await;
    let made = rig.made(paid.id).await.unwrap();
    assert!(!rig.is_settled(paid.id).await);
    // The first card is declined on the page, which stays.
    pays(&rig, made.link.as_deref().unwrap(), "4000000000000341").await;
    rig.drain().await;
    assert!(!rig.is_settled(paid.id).await);
    pays(&rig, made.link.as_deref().unwrap(), "4242424242424242").await;
    rig.wait(25 * 3_600);
    rig.drain().await;
    assert!(rig.is_settled(paid.id).await);
    assert_eq!(rig.made(transfer_of(paid.id, 0)).await.unwrap().cash.unwrap().gross, usd("-7.00"));
    assert_eq!(rig.newest(left.id).await.unwrap().0, State::Refused);
    assert_eq!(rig.agrees().await, 3);
    rig.is_at_rest().await;
}

#[sqlx::test(migrations = false)]
async fn pages_of_the_rail_have_addresses(db: PgPool) {
    let rig = Rig::start(&db, 5).await;
    let shop = Shop::open(&rig).await;
    let who = shop.customer(&rig, "ada", None).await;
    let back = "https://acme.example/back".to_owned();
    let onboarding =
        LinkTo::Onboarding { seller: shop.creator.clone(), back: back.clone(), anew: back.clone() };
    let portal = LinkTo::Portal { customer: who.clone(), on: None, back };
    for to in [onboarding, portal] {
        let link = rig.rail.link(&to).await.unwrap();
        assert!(link.starts_with(&rig.url), "{link}");
        assert_eq!(reqwest::get(&link).await.unwrap().status(), 200);
    }
    // What we sell ourselves: nobody has a part in it.
    let price = usd("99.00");
    let nothing = Money::new(0, Currency::USD);
    let plan = sale(&who, "pm_card_visa", (price, nothing), Merchant::Factory);
    let revenue = Account::new(Party::Factory, Book::Revenue);
    let plan = intent(
        IntentId::of(&["plan"]),
        Wish::Sale { sale: plan },
        Some(booking("plan", price, revenue)),
    );
    rig.decide(std::slice::from_ref(&plan)).await;
    rig.drain().await;
    assert!(rig.is_settled(plan.id).await);
    assert_eq!(rig.agrees().await, 1);
}
