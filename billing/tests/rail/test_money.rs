//! What test money does, and what it does not let happen.

use billing::rail::intent::{Intent, State};
use billing::rail::webhook::look_again;
use billing::rail::{
    CheckoutId, CustomerId, Every, IntentId, Kind, LinkTo, Merchant, Order, PaymentId,
    PaymentRail as _, Sale, SellerId, Standing, SubscriptionId, TransferId, Trouble, Wish,
};
use sqlx::PgPool;

use crate::shop::{Shop, usd};

fn order(name: &str, wish: Wish) -> Order {
    let intent = IntentId::of(&[name]);
    Order { intent, key: intent.key(), wish }
}

fn bought(merchant: Merchant) -> Sale {
    Sale {
        customer: CustomerId::new("cus_1").unwrap(),
        by: None,
        label: "A tier".to_owned(),
        price: usd("10.00"),
        tax: usd("0.00"),
        merchant,
    }
}

#[sqlx::test(migrations = false)]
async fn a_page_is_paid_once_and_its_sale_is_booked(db: PgPool) {
    let shop = Shop::open(&db).await;
    let (sale, _) = shop.sale("one", usd("10.00"));
    let Wish::Sale { sale: what } = sale.wish.clone() else { panic!("no sale") };
    let url = || "http://localhost:4000/back".to_owned();
    let page = Intent { wish: Wish::Checkout { sale: what, paid: url(), left: url() }, ..sale };
    shop.decide(&page).await;
    shop.turn().await;
    assert_eq!((shop.state(page.id).await, shop.agrees().await), (State::Done, 0));
    let id = shop.made(page.id).await.unwrap();
    assert!(id.starts_with("test_checkout_"), "{id}");
    let id = CheckoutId::new(id).unwrap();
    for _ in 0..2 {
        shop.rail.money.pay(&id).await.unwrap();
        shop.drain().await;
        // Its two receivers have their parts: the tax and ours are left.
        assert_eq!(shop.agrees().await, 245);
    }
}

#[sqlx::test(migrations = false)]
async fn the_same_key_does_it_once_and_answers_as_before(db: PgPool) {
    let shop = Shop::open(&db).await;
    let money = &shop.rail.money;
    let wish = Wish::Sale { sale: bought(Merchant::Factory) };
    let first = money.send(&order("one", wish.clone())).await.unwrap();
    assert_eq!(money.send(&order("one", wish.clone())).await.unwrap(), first);
    assert_eq!(money.fetch(&first.at_rail).await.unwrap(), first);
    assert_eq!((first.kind, &first.standing), (Kind::Payment, &Standing::Settled));
    assert_ne!(money.send(&order("two", wish)).await.unwrap().at_rail, first.at_rail);
}

#[sqlx::test(migrations = false)]
async fn no_more_goes_back_or_on_than_was_paid(db: PgPool) {
    let shop = Shop::open(&db).await;
    let money = &shop.rail.money;
    let paid =
        money.send(&order("one", Wish::Sale { sale: bought(Merchant::Factory) })).await.unwrap();
    let payment = PaymentId::new(paid.at_rail.id).unwrap();
    let refund =
        |amount: &str| Wish::Refund { payment: payment.clone(), amount: usd(amount), direct: None };
    let back = money.send(&order("two", refund("7.00"))).await.unwrap();
    assert_eq!(back.cash.unwrap().gross, usd("-7.00"));
    let more = money.send(&order("three", refund("3.01"))).await.unwrap_err();
    assert_eq!(more, Trouble::Refused(format!("{payment} has not that much left")));
    assert!(money.send(&order("four", refund("3.00"))).await.is_ok());
    let transfer = |amount: &str| Wish::Transfer {
        payment: payment.clone(),
        to: SellerId::new("acct_1").unwrap(),
        amount: usd(amount),
    };
    let on = money.send(&order("five", transfer("10.00"))).await.unwrap();
    assert!(money.send(&order("six", transfer("0.01"))).await.is_err());
    let transfer = TransferId::new(on.at_rail.id).unwrap();
    let take = |amount: &str| Wish::TakeBack { transfer: transfer.clone(), amount: usd(amount) };
    assert!(money.send(&order("seven", take("10.01"))).await.is_err());
    assert!(money.send(&order("eight", take("10.00"))).await.is_ok());
    let nobody = Wish::Refund {
        payment: PaymentId::new("test_payment_0").unwrap(),
        amount: usd("1.00"),
        direct: None,
    };
    let refused = money.send(&order("nine", nobody)).await.unwrap_err();
    assert_eq!(refused, Trouble::Refused("test_payment_0 is not there".to_owned()));
}

#[sqlx::test(migrations = false)]
async fn of_what_a_tenant_is_paid_directly_our_fee_alone_is_ours(db: PgPool) {
    let shop = Shop::open(&db).await;
    let account = SellerId::new("acct_1").unwrap();
    let direct = Merchant::Direct { account, fee: usd("1.50") };
    let paid =
        shop.rail.money.send(&order("one", Wish::Sale { sale: bought(direct) })).await.unwrap();
    assert_eq!(paid.cash.unwrap().gross, usd("1.50"));
}

#[sqlx::test(migrations = false)]
async fn a_subscription_is_paid_each_time_once_until_it_is_cancelled(db: PgPool) {
    let shop = Shop::open(&db).await;
    let money = &shop.rail.money;
    let wish = Wish::Subscription { sale: bought(Merchant::Factory), every: Every::Month };
    let made = money.send(&order("one", wish)).await.unwrap();
    assert_eq!((made.kind, &made.cash), (Kind::Subscription, &None));
    let id = SubscriptionId::new(made.at_rail.id.clone()).unwrap();
    for count in [1, 1, 2] {
        money.bill(&id, count).await.unwrap();
    }
    let moved: i64 = sqlx::query_scalar(
        "select sum(gross)::bigint from billing.test_money where has_moved and gross <> 0",
    )
    .fetch_one(&db)
    .await
    .unwrap();
    assert_eq!(moved, 2_000);
    money.send(&order("two", Wish::Cancel { subscription: id.clone(), on: None })).await.unwrap();
    assert_eq!(money.fetch(&made.at_rail).await.unwrap().standing, Standing::Ended);
    assert!(matches!(money.bill(&id, 3).await, Err(Trouble::Refused(_))));
    assert!(money.is_test_money());
    let link = LinkTo::Portal {
        customer: CustomerId::new("cus_1").unwrap(),
        on: None,
        back: String::new(),
    };
    let page = money.link(&link).await.unwrap();
    assert_eq!(page, "http://localhost:4000/test-money/customers/cus_1");
    let mut conn = db.acquire().await.unwrap();
    look_again(&mut conn, money.name(), &made.at_rail, shop.clock.now()).await.unwrap();
}
