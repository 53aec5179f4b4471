//! What other ledgers and meters are known to get wrong: `docs/billing-bugs.md` says whose each was.

use billing::amount::Amount;
use billing::ledger::{Entry, EventKey, Journal, Posted, store};
use blueprint::money::Currency;
use jiff::SignedDuration;
use sqlx::PgPool;

use crate::migrated;
use crate::told::beginning;

/// What a wallet is filled with, by the event of this name.
fn top_up(tenant: &str, source: &str, event: &str, dollars: i64) -> Journal {
    let amount = Amount::new(dollars * 1_000_000, Currency::USD);
    let entries = vec![
        Entry::new("rail:stripe/cash".parse().unwrap(), amount),
        Entry::new("organization:acme/payable".parse().unwrap(), amount.negated().unwrap()),
    ];
    Journal::new(EventKey::new(tenant, source, event), "top-up", beginning(), entries).unwrap()
}

async fn cash(db: &PgPool) -> i128 {
    let mut conn = db.acquire().await.unwrap();
    let account = "rail:stripe/cash".parse().unwrap();
    store::balance(&mut conn, &account, Currency::USD).await.unwrap() / 1_000_000
}

async fn posted(db: &PgPool, journals: &[Journal]) -> Vec<Posted> {
    let mut tx = db.begin().await.unwrap();
    let posted = store::post_all(&mut tx, journals, beginning()).await.unwrap();
    tx.commit().await.unwrap();
    posted
}

#[sqlx::test(migrations = false)]
async fn a_top_up_told_twice_fills_the_wallet_once(db: PgPool) {
    migrated(&db).await;
    let one = top_up("acme", "stripe", "evt_1", 10);
    let first = posted(&db, &[one.clone(), one.clone()]).await;
    assert!(matches!(first[..], [Posted::New(_), Posted::Again(_)]));
    assert!(matches!(posted(&db, &[one]).await[..], [Posted::Again(_)]));
    assert_eq!(cash(&db).await, 10);
}

#[sqlx::test(migrations = false)]
async fn the_same_name_at_another_tenant_or_source_is_another_event(db: PgPool) {
    migrated(&db).await;
    let told = [
        top_up("acme", "stripe", "evt_1", 1),
        top_up("harbour", "stripe", "evt_1", 2),
        top_up("acme", "usage", "evt_1", 4),
        top_up("acme", "stripe", "evt_2", 8),
    ];
    let posted = posted(&db, &told).await;
    assert!(posted.iter().all(|posted| matches!(posted, Posted::New(_))), "{posted:?}");
    assert_eq!(cash(&db).await, 15);
}

#[sqlx::test(migrations = false)]
async fn an_event_that_was_claimed_and_not_written_is_counted_when_it_is_told_again(db: PgPool) {
    migrated(&db).await;
    let one = top_up("acme", "stripe", "evt_1", 10);
    let mut tx = db.begin().await.unwrap();
    store::post(&mut tx, &one, beginning()).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(cash(&db).await, 0);
    assert!(matches!(posted(&db, std::slice::from_ref(&one)).await[..], [Posted::New(_)]));
    assert_eq!(cash(&db).await, 10);
    // Nobody can claim a name and write what it means later.
    let claim = sqlx::query(
        "insert into billing.journal (tenant, source, event, what, at, content, booked_at)
         values ('acme', 'stripe', 'evt_2', 'top-up', now(), sha256('x'), now())",
    );
    let refused = claim.execute(&db).await.unwrap_err().to_string();
    assert!(refused.contains("moves nothing"), "{refused}");
}

#[sqlx::test(migrations = false)]
async fn an_event_is_known_for_ever_and_nothing_switches_that_off(db: PgPool) {
    migrated(&db).await;
    let one = top_up("acme", "stripe", "evt_1", 10);
    posted(&db, std::slice::from_ref(&one)).await;
    let years_later = beginning() + SignedDuration::from_hours(24 * 365 * 20);
    let mut conn = db.acquire().await.unwrap();
    let again = store::post(&mut conn, &one, years_later).await.unwrap();
    assert!(matches!(again, Posted::Again(_)));
    drop(conn);
    // The database itself says so, whoever writes.
    let second = sqlx::query(
        "insert into billing.journal (tenant, source, event, what, at, content, booked_at)
         select tenant, source, event, 'another', at, content, booked_at from billing.journal",
    );
    let refused = second.execute(&db).await.unwrap_err().to_string();
    assert!(refused.contains("journal_event"), "{refused}");
    assert_eq!(cash(&db).await, 10);
}

#[sqlx::test(migrations = false)]
async fn one_that_says_something_else_stops_none_of_those_it_came_with(db: PgPool) {
    migrated(&db).await;
    posted(&db, &[top_up("acme", "stripe", "evt_2", 10)]).await;
    let told = [1, 2, 3].map(|number| top_up("acme", "stripe", &format!("evt_{number}"), 1));
    let posted = posted(&db, &told).await;
    assert!(
        matches!(posted[..], [Posted::New(_), Posted::Conflict(_), Posted::New(_)]),
        "{posted:?}"
    );
    assert_eq!(cash(&db).await, 12);
    let mut conn = db.acquire().await.unwrap();
    assert_eq!(store::conflicts(&mut conn).await.unwrap().len(), 1);
}
