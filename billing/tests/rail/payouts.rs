//! Payouts held against the ledger.

use std::time::Instant;

use billing::ledger::{Account, Book, Party, store};
use billing::rail::reconcile::{NotReconciled, Report, Row, Window, compare, keep, reconcile};
use billing::rail::settle::{Books as _, PayoutsOnly};
use billing::rail::{
    Cash, Kind, Movement, Object, ObjectRef, PaymentRail as _, PayoutId, Standing,
};
use blueprint::money::Currency;
use jiff::SignedDuration;
use sqlx::PgPool;

use crate::migrated;
use crate::shop::{Shop, beginning, usd};

fn window() -> Window {
    let day = SignedDuration::from_hours(24);
    Window { since: beginning() - day, until: beginning() + day * 30 }
}

async fn sold(shop: &Shop, names: &[&str]) {
    for name in names {
        let (sale, _) = shop.sale(name, usd("10.00"));
        shop.decide(&sale).await;
    }
    shop.drain().await;
}

#[sqlx::test(migrations = false)]
async fn a_payout_agrees_to_the_cent_and_leaves_nothing(db: PgPool) {
    let shop = Shop::open(&db).await;
    sold(&shop, &["one", "two"]).await;
    let payout = shop.rail.money.pay_out(Currency::USD).await.unwrap().unwrap();
    shop.drain().await;
    let report = reconcile(&db, &*shop.rail, &payout, window(), shop.clock.now()).await.unwrap();
    // Two sales, two who have a part of each, and the payout itself.
    assert_eq!(report, Report { agreed: 7, ..Report::default() });
    assert_eq!(shop.agrees().await, 0);
    // Nothing is left to leave, and what was held against the ledger is not held against it again.
    assert_eq!(shop.rail.money.pay_out(Currency::USD).await.unwrap(), None);
    sold(&shop, &["three"]).await;
    let next = shop.rail.money.pay_out(Currency::USD).await.unwrap().unwrap();
    shop.drain().await;
    let report = reconcile(&db, &*shop.rail, &next, window(), shop.clock.now()).await.unwrap();
    assert_eq!(report, Report { agreed: 4, ..Report::default() });
}

#[sqlx::test(migrations = false)]
async fn what_is_missing_extra_or_of_another_amount_is_named(db: PgPool) {
    let shop = Shop::open(&db).await;
    sold(&shop, &["one", "two"]).await;
    let payout = shop.rail.money.pay_out(Currency::USD).await.unwrap().unwrap();
    shop.drain().await;
    let mut movements = shop.rail.money.movements(&payout, None).await.unwrap().movements;
    // The rail forgets one, reckons another with one cent less, and has one of which we never heard.
    let forgotten = movements.remove(0);
    movements[0].fee = 1;
    let unheard = Movement {
        id: "txn_1".to_owned(),
        about: "ch_unheard".to_owned(),
        currency: Currency::USD,
        gross: 5,
        fee: 0,
    };
    movements.push(unheard);
    let mut tx = db.begin().await.unwrap();
    keep(&mut tx, shop.rail.name(), &payout, &movements).await.unwrap();
    // Told again, it is there once.
    keep(&mut tx, shop.rail.name(), &payout, &movements).await.unwrap();
    let report = compare(&mut tx, shop.rail.name(), &payout, window()).await.unwrap();
    assert_eq!((report.agreed, report.missing, report.extra, report.differing), (5, 1, 1, 1));
    let named = |about: &str| report.rows.iter().find(|row| row.about == about).cloned();
    let row = |about: &str, rail, ledger| {
        Some(Row { about: about.to_owned(), currency: Currency::USD, rail, ledger })
    };
    assert_eq!(named("ch_unheard"), row("ch_unheard", 50_000, 0));
    let forgot = forgotten.gross * 10_000;
    assert_eq!(named(&forgotten.about), row(&forgotten.about, 0, forgot));
    let less = movements[0].gross * 10_000;
    assert_eq!(named(&movements[0].about), row(&movements[0].about, less - 10_000, less));
    let difference = i128::from(50_000 - 10_000 - forgot);
    assert_eq!(report.difference.get("USD"), Some(&difference));
    assert_eq!(report.left_over.get("USD"), Some(&difference));
    assert!(!report.is_clean());
}

#[sqlx::test(migrations = false)]
async fn what_may_be_in_the_next_payout_is_not_extra(db: PgPool) {
    let shop = Shop::open(&db).await;
    sold(&shop, &["one"]).await;
    let payout = shop.rail.money.pay_out(Currency::USD).await.unwrap().unwrap();
    shop.drain().await;
    let until = shop.clock.now() + SignedDuration::from_secs(1);
    shop.clock.advance(SignedDuration::from_hours(1));
    sold(&shop, &["two"]).await;
    let now = shop.clock.now();
    let early = Window { until, ..window() };
    assert!(reconcile(&db, &*shop.rail, &payout, early, now).await.unwrap().is_clean());
    let late = reconcile(&db, &*shop.rail, &payout, window(), now).await.unwrap();
    assert_eq!((late.agreed, late.extra), (4, 3));
    let kept: i64 = sqlx::query_scalar("select count(*) from billing.reconciliation")
        .fetch_one(&db)
        .await
        .unwrap();
    assert_eq!(kept, 2);
}

#[sqlx::test(migrations = false)]
async fn a_payout_is_booked_when_it_leaves_and_undone_when_the_bank_sends_it_back(db: PgPool) {
    let shop = Shop::open(&db).await;
    let payout = |standing| Object {
        at_rail: ObjectRef { word: "payout".to_owned(), id: "po_1".to_owned(), account: None },
        kind: Kind::Payout,
        intent: None,
        standing,
        cash: Some(Cash { booked_as: "po_1".to_owned(), gross: usd("-5.00"), fee: None }),
        back: None,
        payment: None,
        link: None,
        at: beginning(),
    };
    let mut conn = db.acquire().await.unwrap();
    let cash = Account::new(Party::Rail(shop.rail.name().clone()), Book::Cash);
    let sent_back = || Standing::Failed("The bank account has been closed".to_owned());
    // In whatever order it is seen: on its way, there, sent back although it was there, and again.
    for (standing, left) in [
        (Standing::Open, -5_000_000),
        (Standing::Settled, -5_000_000),
        (sent_back(), 0),
        (sent_back(), 0),
    ] {
        let (rail, now) = (shop.rail.name(), shop.clock.now());
        let mut tx = db.begin().await.unwrap();
        PayoutsOnly.book(&mut tx, rail, &payout(standing), now).await.unwrap();
        tx.commit().await.unwrap();
        let has = store::balance(&mut conn, &cash, Currency::USD).await.unwrap();
        assert_eq!(has, left);
    }
}

#[sqlx::test(migrations = false)]
async fn an_amount_without_room_is_refused(db: PgPool) {
    migrated(&db).await;
    let movement = Movement {
        id: "txn_1".to_owned(),
        about: "ch_1".to_owned(),
        currency: Currency::USD,
        gross: i64::MAX,
        fee: 0,
    };
    let mut conn = db.acquire().await.unwrap();
    let (rail, payout) = ("stripe".parse().unwrap(), PayoutId::new("po_1").unwrap());
    let refused = keep(&mut conn, &rail, &payout, &[movement]).await;
    assert!(matches!(refused, Err(NotReconciled::Amount(_))));
}

#[expect(clippy::disallowed_methods, reason = "the figures are of a million rows")]
fn rows() -> i64 {
    std::env::var("SOULFRA_ROWS").ok().map_or(20_000, |value| value.parse().unwrap())
}

#[sqlx::test(migrations = false)]
async fn many_rows_are_held_against_the_ledger_within_a_minute(db: PgPool) {
    migrated(&db).await;
    let rows = rows();
    let mut tx = db.begin().await.unwrap();
    // Filled by the database itself, past its own rules: what is looked at here is how long comparing takes.
    for text in [
        "set local session_replication_role = replica",
        "insert into billing.journal (tenant, source, event, what, at, content, booked_at)
         select 'acme', 'stripe', 'ch_' || n, 'sale', '2026-11-23T08:00:00Z', sha256('x'), now()
         from generate_series(1, $1) as n",
        "insert into billing.entry (journal, line, account, currency, micros)
         select number, line, case line when 0 then 'rail:stripe/cash' else 'tenant:acme/payable' end, 'USD',
                case line when 0 then 1 else -1 end * 10000 * (1 + number % 5000)
         from billing.journal, generate_series(0, 1) as line",
    ] {
        let filling = sqlx::query(text);
        let filling = if text.contains("$1") { filling.bind(rows) } else { filling };
        filling.execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    sqlx::query("analyze").execute(&db).await.unwrap();
    let (rail, payout) = ("stripe".parse().unwrap(), PayoutId::new("po_1").unwrap());
    let begun = Instant::now();
    let mut movement = 0;
    while movement < rows {
        let page: Vec<_> = (movement + 1..=(movement + 10_000).min(rows))
            // One in ten thousand is missing, and one has another amount.
            .filter(|number| number % 10_000 != 17)
            .map(|number| Movement {
                id: format!("txn_{number}"),
                about: format!("ch_{number}"),
                currency: Currency::USD,
                gross: 1 + number % 5_000 + i64::from(number % 10_000 == 18),
                fee: 0,
            })
            .collect();
        let mut tx = db.begin().await.unwrap();
        keep(&mut tx, &rail, &payout, &page).await.unwrap();
        tx.commit().await.unwrap();
        movement += 10_000;
    }
    let kept = begun.elapsed();
    let mut conn = db.acquire().await.unwrap();
    let report = compare(&mut conn, &rail, &payout, window()).await.unwrap();
    let all = begun.elapsed();
    let wrong = u64::try_from((rows + 9_983) / 10_000).unwrap();
    assert_eq!((report.extra, report.missing), (wrong, 0));
    assert_eq!(report.differing, wrong);
    assert_eq!(report.rows.len(), usize::try_from(2 * wrong).unwrap());
    println!(
        "counted: {rows} rows kept in {:.1} s and held against the ledger in {:.1} s more",
        kept.as_secs_f64(),
        all.saturating_sub(kept).as_secs_f64()
    );
    assert!(all.as_secs() < 60);
}
