//! What is known of an intent, and what may be done then.

use billing::rail::intent::{self, NoIntent, State};
use billing::rail::limits::Limits;
use billing::rail::{PaymentRail as _, Wish};
use futures::future::join;
use jiff::SignedDuration;
use sqlx::PgPool;

use crate::shop::{Shop, usd};
use crate::stormy::Fate;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

#[sqlx::test(migrations = false)]
async fn a_lost_answer_is_found_and_nothing_is_sent_twice(db: PgPool) {
    let shop = Shop::open(&db).await;
    let (sale, _) = shop.sale("one", usd("10.00"));
    shop.decide(&sale).await;
    shop.rail.next(&[Fate::AnswerLost]);
    assert_eq!(shop.turn().await.again, 1);
    assert_eq!(shop.state(sale.id).await, State::Unknown);
    shop.clock.advance(HOUR);
    assert_eq!(shop.turn().await.done, 1);
    assert_eq!((shop.state(sale.id).await, shop.rail.sent()), (State::Done, 1));
    shop.drain().await;
    assert_eq!(shop.agrees().await, 245);
}

#[sqlx::test(migrations = false)]
async fn a_lost_request_is_sent_again_under_the_same_key(db: PgPool) {
    let shop = Shop::open(&db).await;
    let (sale, _) = shop.sale("one", usd("10.00"));
    shop.decide(&sale).await;
    shop.rail.next(&[Fate::Lost]);
    shop.turn().await;
    assert_eq!(shop.state(sale.id).await, State::Unknown);
    shop.clock.advance(HOUR);
    // Busy says nothing of the first try: it stays unknown.
    shop.rail.next(&[Fate::Good, Fate::Busy]);
    shop.turn().await;
    assert_eq!(shop.state(sale.id).await, State::Unknown);
    shop.drain().await;
    assert_eq!(shop.agrees().await, 245);
}

#[sqlx::test(migrations = false)]
async fn once_a_key_may_be_gone_nothing_is_sent_under_it(db: PgPool) {
    let shop = Shop::open(&db).await;
    let (done, _) = shop.sale("done", usd("10.00"));
    let (not_done, mut sold) = shop.sale("not done", usd("20.00"));
    shop.decide(&done).await;
    shop.rail.next(&[Fate::AnswerLost]);
    shop.turn().await;
    shop.decide(&not_done).await;
    shop.rail.next(&[Fate::Lost]);
    shop.clock.advance(SignedDuration::from_millis(200));
    shop.turn().await;
    let sent = shop.rail.sent();
    shop.clock.advance(HOUR * 30);
    shop.turn().await;
    assert_eq!(shop.state(done.id).await, State::Done);
    // Who wanted to pay a day ago is asked again by whoever sells; nobody makes them.
    assert_eq!(shop.state(not_done.id).await, State::Refused);
    assert_eq!(shop.rail.sent(), sent);
    shop.drain().await;
    // What we owe is wished still: under an id and a key of its own.
    let payment = shop.made(done.id).await.unwrap();
    let refund = shop.refund("back", &payment, &mut sold, usd("1.20"));
    shop.decide(&refund).await;
    shop.rail.next(&[Fate::Lost]);
    shop.turn().await;
    shop.clock.advance(HOUR * 30);
    shop.turn().await;
    assert_eq!(shop.state(refund.id).await, State::Refused);
    shop.drain().await;
    let mut conn = shop.db.acquire().await.unwrap();
    let newest = intent::newest(&mut conn, refund.id).await.unwrap();
    drop(conn);
    assert_ne!(newest.key(), refund.id.key());
    assert_eq!(shop.state(newest).await, State::Done);
    assert_eq!(shop.rail.late(), 0);
    shop.agrees().await;
}

#[sqlx::test(migrations = false)]
async fn what_nobody_can_look_up_stays_unknown_until_somebody_can(db: PgPool) {
    let shop = Shop::open(&db).await;
    let (sale, _) = shop.sale("one", usd("10.00"));
    shop.decide(&sale).await;
    shop.rail.next(&[Fate::StuckDone]);
    shop.turn().await;
    for _ in 0..3 {
        shop.clock.advance(HOUR * 30);
        shop.rail.next(&[Fate::Lost]);
        shop.turn().await;
        assert_eq!(shop.state(sale.id).await, State::Unknown);
    }
    shop.clock.advance(HOUR * 30);
    shop.turn().await;
    assert_eq!((shop.state(sale.id).await, shop.rail.sent()), (State::Done, 1));
}

#[sqlx::test(migrations = false)]
async fn what_is_refused_moves_nothing_and_stays_refused(db: PgPool) {
    let shop = Shop::open(&db).await;
    let (sale, _) = shop.sale("one", usd("10.00"));
    shop.decide(&sale).await;
    shop.rail.next(&[Fate::Refused]);
    assert_eq!(shop.turn().await.refused, 1);
    shop.clock.advance(HOUR);
    assert_eq!(shop.turn().await, billing::rail::runner::Turn::default());
    assert_eq!(shop.agrees().await, 0);
}

#[sqlx::test(migrations = false)]
async fn a_decision_told_again_is_one_and_told_otherwise_is_refused(db: PgPool) {
    let shop = Shop::open(&db).await;
    let (sale, _) = shop.sale("one", usd("10.00"));
    shop.decide(&sale).await;
    shop.decide(&sale).await;
    let (other, _) = shop.sale("two", usd("11.00"));
    let other = intent::Intent { id: sale.id, ..other };
    let mut conn = shop.db.acquire().await.unwrap();
    let refused = intent::write(&mut conn, &[other], shop.clock.now()).await.unwrap_err();
    assert!(matches!(refused, NoIntent::Another(id) if id == sale.id));
    drop(conn);
    shop.drain().await;
    assert_eq!(shop.agrees().await, 245);
    // And the database holds everybody to it.
    for wish in [
        "update billing.intent set wish = '{}'",
        "update billing.intent set state = 'waiting'",
        "update billing.intent set settled_at = null",
        "update billing.intent set fence = 0",
    ] {
        let why = sqlx::query(wish).execute(&db).await.unwrap_err().to_string();
        assert!(why.contains("stays what it is"), "{wish}: {why}");
    }
}

#[sqlx::test(migrations = false)]
async fn an_amount_that_was_not_decided_is_not_booked(db: PgPool) {
    let shop = Shop::open(&db).await;
    let (sale, _) = shop.sale("one", usd("10.00"));
    let (dearer, _) = shop.sale("two", usd("11.00"));
    let sale = intent::Intent { booking: dearer.booking, ..sale };
    shop.decide(&sale).await;
    shop.drain().await;
    let cause: String = sqlx::query_scalar("select cause from billing.intent where id = $1")
        .bind(sale.id.uuid())
        .fetch_one(&db)
        .await
        .unwrap();
    assert_eq!(
        cause,
        format!("the rail moved 12.00 USD for intent {}, and 13.20 USD was decided", sale.id)
    );
    let booked: i64 =
        sqlx::query_scalar("select count(*) from billing.journal where source = 'test'")
            .fetch_one(&db)
            .await
            .unwrap();
    assert_eq!(booked, 0);
}

#[sqlx::test(migrations = false)]
async fn two_runners_keep_to_the_limits_of_the_rail_together(db: PgPool) {
    let mut shop = Shop::open(&db).await;
    shop.runner.limits = Limits::STRIPE;
    let other = shop.runner.clone();
    for number in 0..150 {
        let (sale, _) = shop.sale(&number.to_string(), usd("10.00"));
        shop.decide(&sale).await;
    }
    let sales: Vec<_> =
        (0..150).map(|number: i32| shop.sale(&number.to_string(), usd("10.00"))).collect();
    for _ in 0..2_000 {
        let (one, two) = Box::pin(join(shop.runner.turn(), other.turn())).await;
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!((one.lost, two.lost), (0, 0));
        shop.clock.advance(SignedDuration::from_millis(40));
        if shop.count(State::Done).await == 450 {
            break;
        }
    }
    for (sale, _) in &sales {
        assert_eq!(shop.state(sale.id).await, State::Done);
    }
    // One request each: neither had what the other had. Transfers and payments are apart.
    assert_eq!(shop.rail.sent(), 450);
    assert!(shop.rail.most_in_a_second() <= 50, "{} in a second", shop.rail.most_in_a_second());
    assert_eq!(shop.agrees().await, 150 * 245);
}

#[sqlx::test(migrations = false)]
async fn a_wish_that_cannot_be_is_not_written(db: PgPool) {
    let shop = Shop::open(&db).await;
    let (sale, _) = shop.sale("one", usd("10.00"));
    let Wish::Sale { sale: mut what } = sale.wish.clone() else { panic!("no sale") };
    what.price = usd("-10.00");
    let bad = intent::Intent { wish: Wish::Sale { sale: what }, ..sale };
    let mut conn = shop.db.acquire().await.unwrap();
    let refused = intent::write(&mut conn, &[bad], shop.clock.now()).await;
    assert!(matches!(refused, Err(NoIntent::Wish(_))));
    assert!(shop.rail.is_test_money());
}
