//! Events: doubled, shuffled, replayed, forged, of nothing that is there.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use billing::rail::intent::State;
use billing::rail::settle::{Books, NoBooking};
use billing::rail::webhook::{
    Delivery, LARGEST, NotTaken, Secrets, Stored, intake, look_again, parked, store,
};
use billing::rail::{Object, PaymentRail as _};
use blueprint::Slug;
use jiff::{SignedDuration, Timestamp};
use sqlx::{PgConnection, PgPool};

use crate::migrated;
use crate::shop::{Shop, beginning, event, usd};
use crate::stormy::Fate;

fn stripe() -> Slug {
    "stripe".parse().unwrap()
}

async fn stored(db: &PgPool, deliveries: &[Delivery]) -> Stored {
    let mut tx = db.begin().await.unwrap();
    let stored = store(&mut tx, &stripe(), deliveries, beginning()).await.unwrap();
    tx.commit().await.unwrap();
    stored
}

async fn count(db: &PgPool, what: &'static str) -> i64 {
    sqlx::query_scalar(what).fetch_one(db).await.unwrap()
}

#[sqlx::test(migrations = false)]
async fn an_event_is_stored_once_as_it_came_and_its_object_waits_once(db: PgPool) {
    migrated(&db).await;
    let (one, two) = (event("evt_1", "charge", "ch_1"), event("evt_2", "charge", "ch_1"));
    let first = stored(&db, &[one.clone(), two.clone(), one.clone()]).await;
    assert_eq!(first, Stored { new: 2, again: 1 });
    assert_eq!(stored(&db, &[two, one.clone()]).await, Stored { new: 0, again: 2 });
    let (raw, asked): (Vec<u8>, i64) = sqlx::query_as(
        "select raw, asked from billing.webhook, billing.told where event = 'evt_1'",
    )
    .fetch_one(&db)
    .await
    .unwrap();
    assert_eq!((raw, asked), (one.raw, 2));
}

#[sqlx::test(migrations = false)]
async fn what_is_no_event_is_stored_with_its_fault_and_harms_no_other(db: PgPool) {
    migrated(&db).await;
    let poison = [&b"\0\xff"[..], b"{\"id\":\"\\u0000\"}", b"{\"type\":7}", b""];
    let mut together: Vec<_> = poison.iter().map(|raw| Delivery::new(raw.to_vec())).collect();
    together.push(event("evt_1", "charge", "ch_1"));
    assert_eq!(stored(&db, &together).await, Stored { new: 5, again: 0 });
    assert_eq!(count(&db, "select count(*) from billing.webhook where fault is not null").await, 4);
    assert_eq!(count(&db, "select count(*) from billing.told").await, 1);
}

#[sqlx::test(migrations = false)]
async fn only_what_is_stored_is_acknowledged_and_only_what_is_signed_is_stored(db: PgPool) {
    migrated(&db).await;
    let clock = work::Clock::fixed(beginning());
    let (intake, storing) = intake(db.clone(), stripe(), clock.clone());
    let storing = tokio::spawn(storing);
    let (secrets, stranger) = (Secrets::new("whsec_1", Some("whsec_0")), "whsec_2");
    let sign = |secret: &str, body: &[u8]| {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
        let at = beginning().as_second();
        let signed = [format!("{at}.").as_bytes(), body].concat();
        format!("t={at},v1={}", hex::encode(aws_lc_rs::hmac::sign(&key, &signed)))
    };
    for (number, secret) in [(1, "whsec_1"), (2, "whsec_0"), (1, "whsec_1")] {
        let body = event(&format!("evt_{number}"), "charge", "ch_1").raw;
        intake.take(&secrets, &sign(secret, &body), body).await.unwrap();
        // Acknowledged: it is there for everybody.
        assert!(count(&db, "select count(*) from billing.webhook").await >= number.min(2));
    }
    let body = event("evt_3", "charge", "ch_1").raw;
    let forged = intake.take(&secrets, &sign(stranger, &body), body.clone()).await;
    assert!(matches!(forged, Err(NotTaken::Forged(_))));
    let good = sign("whsec_1", &body);
    clock.advance(SignedDuration::from_secs(301));
    assert!(matches!(intake.take(&secrets, &good, body).await, Err(NotTaken::Forged(_))));
    let large = intake.take(&secrets, "", vec![b' '; LARGEST + 1]).await;
    assert!(matches!(large, Err(NotTaken::TooLarge)));
    assert_eq!(count(&db, "select count(*) from billing.webhook").await, 2);
    drop(intake);
    storing.await.unwrap();
}

#[sqlx::test(migrations = false)]
async fn the_object_counts_and_neither_order_nor_number_of_events(db: PgPool) {
    let shop = Shop::open(&db).await;
    let (sale, _) = shop.sale("one", usd("10.00"));
    shop.decide(&sale).await;
    shop.rail.next(&[Fate::AnswerLost]);
    shop.turn().await;
    let made = format!("test_payment_{}", sale.id.uuid().simple());
    let name = shop.rail.name().clone();
    for round in 0..3 {
        // Replays bring old events under new names too, and of every sort.
        let told: Vec<_> = (0..10)
            .map(|number| event(&format!("evt_{round}_{}", number / 2), "payment", &made))
            .collect();
        let mut tx = db.begin().await.unwrap();
        store(&mut tx, &name, &told, shop.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        let looked = shop.looker.turn().await.unwrap();
        assert_eq!((looked.done, looked.again), (1, 0), "one look for all of them");
        assert_eq!(shop.looker.turn().await.unwrap().done, 0);
        assert_eq!(shop.state(sale.id).await, State::Done);
        shop.clock.advance(SignedDuration::from_secs(5));
    }
    shop.drain().await;
    assert_eq!(shop.agrees().await, 245);
    assert_eq!(shop.rail.sent(), 3, "a sale and its two transfers, each sent once");
}

#[sqlx::test(migrations = false)]
async fn what_cannot_be_acted_on_is_parked_with_its_reason_and_comes_back_when_asked(db: PgPool) {
    let shop = Shop::open(&db).await;
    let name = shop.rail.name().clone();
    let told = [event("evt_1", "payment", "test_payment_0")];
    let mut conn = db.acquire().await.unwrap();
    store(&mut conn, &name, &told, shop.clock.now()).await.unwrap();
    assert_eq!(shop.looker.turn().await.unwrap().parked, 1);
    let one = parked(&mut conn, &name, 10).await.unwrap().remove(0);
    assert_eq!(one.cause, "test_payment_0 is not there");
    shop.clock.advance(SignedDuration::from_hours(2));
    assert_eq!(shop.looker.turn().await.unwrap().parked, 0);
    look_again(&mut conn, &name, &one.object, shop.clock.now()).await.unwrap();
    assert_eq!(shop.looker.turn().await.unwrap().parked, 1);
}

/// Somebody whose books take nothing.
struct Broken;

#[async_trait]
impl Books for Broken {
    async fn book(
        &self,
        conn: &mut PgConnection,
        _: &Slug,
        _: &Object,
        _: Timestamp,
    ) -> Result<(), NoBooking> {
        sqlx::query("insert into billing.bucket values ('half', 'done', 1, now())")
            .execute(conn)
            .await?;
        Err(NoBooking::Other("there is no such tenant".to_owned()))
    }
}

#[sqlx::test(migrations = false)]
async fn what_cannot_be_booked_is_tried_so_often_leaves_nothing_and_is_parked(db: PgPool) {
    let mut shop = Shop::open(&db).await;
    shop.looker.books = Arc::new(Broken);
    let (sale, _) = shop.sale("one", usd("10.00"));
    shop.decide(&sale).await;
    shop.drain().await;
    let payout = shop.rail.money.pay_out(blueprint::Currency::USD).await.unwrap().unwrap();
    let mut tries = 0;
    loop {
        let looked = shop.looker.turn().await.unwrap();
        tries += looked.again + looked.parked;
        if looked.parked == 1 {
            break;
        }
        shop.clock.advance(SignedDuration::from_hours(2));
        assert!(tries < 20);
    }
    assert_eq!(tries, 12);
    assert_eq!(count(&db, "select count(*) from billing.bucket where rail = 'half'").await, 0);
    let mut conn = db.acquire().await.unwrap();
    let one = parked(&mut conn, shop.rail.name(), 1).await.unwrap().remove(0);
    assert_eq!(
        (one.object.id.as_str(), one.cause.as_str()),
        (payout.as_str(), "there is no such tenant")
    );
}

#[sqlx::test(migrations = false)]
async fn thousands_a_second_are_stored_of_which_a_third_is_doubled(db: PgPool) {
    migrated(&db).await;
    let mut told: Vec<_> = (0..10_000_u32)
        .map(|number| event(&format!("evt_{number}"), "charge", &format!("ch_{}", number / 3)))
        .collect();
    let again: Vec<_> = told.iter().step_by(10).cloned().collect();
    (0..3).for_each(|_| told.extend(again.iter().cloned()));
    let mut seed = 7_u64;
    for last in (1..told.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let other = usize::try_from(seed >> 33).unwrap() % (last + 1);
        told.swap(last, other);
    }
    let begun = Instant::now();
    let (some, others) = told.split_at(told.len() / 2);
    let store_all = async |told: &[Delivery]| {
        for some in told.chunks(250) {
            stored(&db, some).await;
        }
    };
    Box::pin(futures::future::join(store_all(some), store_all(others))).await;
    let each = u128::try_from(told.len()).unwrap() * 1_000 / begun.elapsed().as_millis().max(1);
    assert_eq!(count(&db, "select count(*) from billing.webhook").await, 10_000);
    assert_eq!(count(&db, "select sum(asked)::bigint from billing.told").await, 10_000);
    println!("counted: {each} webhooks stored a second, 13,000 of which 3,000 were told before");
}
