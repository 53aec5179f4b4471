//! A payout of a million rows held against the ledger, fetched in pages as Stripe has them: some rows are missing on
//! either side, and some are of other amounts.

use std::collections::BTreeSet;
use std::time::Instant;

use billing::rail::reconcile::{Report, Window, reconcile};
use billing::rail::{Movement, PayoutId};
use blueprint::money::Currency;
use jiff::{SignedDuration, Timestamp};
use sqlx::PgPool;

use super::place::Place;
use super::played::{Played, worth};
use super::{tell, tell_count};

const ROWS: i64 = 1_000_000;
const ROUNDS: usize = 3;
/// One of so many is not at the rail, one not in the ledger, and one has another amount.
const WRONG: i64 = 10_000;

pub(crate) async fn measure(place: &Place) {
    let filled = place.empty("bench_ledger").await;
    fill(&filled.db).await;
    filled.db.close().await;
    let (rail, payout) = (Played::new(movements()), PayoutId::new("po_1").unwrap());
    let window = Window { since: at() - DAY, until: at() + DAY };
    let (mut times, mut unnamed) = (Vec::new(), 0);
    for _ in 0..ROUNDS {
        let room = place.copy("bench_ledger", "bench_payout").await;
        let begun = Instant::now();
        let report = reconcile(&room.db, &rail, &payout, window, at()).await.unwrap();
        times.push(begun.elapsed().as_secs_f64());
        unnamed += not_named(&report);
        room.db.close().await;
    }
    tell("a payout of 1,000,000 rows held against the ledger", "s", 1, times);
    let wrong = 3 * ROWS / WRONG;
    tell_count(
        &format!("the same, of {wrong} wrong rows not named, or others named"),
        unnamed,
        ROUNDS,
    );
    place.remove("bench_payout").await;
    place.remove("bench_ledger").await;
}

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn at() -> Timestamp {
    "2026-11-23T08:00:00Z".parse().unwrap()
}

/// Which rows are wrong in which way.
fn is_extra(number: i64) -> bool {
    number % WRONG == 17
}
fn is_missing(number: i64) -> bool {
    number % WRONG == 18
}
fn is_other(number: i64) -> bool {
    number % WRONG == 19
}

/// By the database itself, past its own rules: how long that takes is not what is measured.
async fn fill(db: &PgPool) {
    let mut tx = db.begin().await.unwrap();
    sqlx::raw_sql("set local session_replication_role = replica").execute(&mut *tx).await.unwrap();
    sqlx::query(
        "insert into billing.journal (tenant, source, event, what, at, content, booked_at)
         select 'acme', 'stripe', 'ch_' || n, 'sale', $3, sha256('x'), $3
         from generate_series(1, $1::bigint) as n where n % $2 <> 18",
    )
    .bind(ROWS)
    .bind(WRONG)
    .bind(jiff_sqlx::ToSqlx::to_sqlx(at()))
    .execute(&mut *tx)
    .await
    .unwrap();
    sqlx::raw_sql(
        "insert into billing.entry (journal, line, account, currency, micros)
         select journal.number, line,
                case line when 0 then 'rail:stripe/cash' else 'tenant:acme/payable' end, 'USD',
                case line when 0 then 1 else -1 end * 10000 * (1 + substr(event, 4)::bigint % 5000)
         from billing.journal, generate_series(0, 1) as line",
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    sqlx::raw_sql("vacuum analyze").execute(db).await.unwrap();
}

/// What the rail says.
fn movements() -> Vec<Movement> {
    let movement = |number: i64| Movement {
        id: format!("txn_{number}"),
        about: format!("ch_{number}"),
        currency: Currency::USD,
        gross: worth(number) + i64::from(is_other(number)),
        fee: 0,
    };
    (1..=ROWS).filter(|number| !is_extra(*number)).map(movement).collect()
}

/// Wrong rows that the report does not name, and rows that it names and are right.
fn not_named(report: &Report) -> i64 {
    let wrong = |is: fn(i64) -> bool| (1..=ROWS).filter(move |number| is(*number));
    let counts = [report.extra, report.missing, report.differing];
    let each = u64::try_from(ROWS / WRONG).unwrap();
    assert_eq!(counts, [each; 3], "extra, missing and of other amounts");
    let expected: BTreeSet<_> = [is_extra, is_missing, is_other]
        .into_iter()
        .flat_map(wrong)
        .map(|number| format!("ch_{number}"))
        .collect();
    let named: BTreeSet<_> = report.rows.iter().map(|row| row.about.clone()).collect();
    i64::try_from(expected.symmetric_difference(&named).count()).unwrap()
}
