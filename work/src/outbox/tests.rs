//! The outbox against a real database.

use serde_json::json;
use sqlx::PgPool;

use super::*;

const LEASE: SignedDuration = SignedDuration::from_secs(30);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

async fn claim_all(conn: &mut PgConnection, now: Timestamp) -> Vec<Claimed> {
    claim(conn, &["mail"], 100, LEASE, now).await.unwrap()
}

#[sqlx::test]
async fn a_message_leaves_only_with_the_commit(pool: PgPool) -> sqlx::Result<()> {
    let mut conn = pool.acquire().await?;
    let mut tx = pool.begin().await?;
    push(&mut tx, "mail", "a", &json!(1)).await?;
    assert!(claim_all(&mut conn, at(0)).await.is_empty());
    tx.rollback().await?;
    assert!(claim_all(&mut conn, at(0)).await.is_empty());

    push(&mut conn, "mail", "a", &json!(1)).await?;
    let [message] = &claim_all(&mut conn, at(0)).await[..] else { panic!("one message") };
    assert_eq!((message.key.as_str(), message.attempts), ("a", 1));
    assert!(claim_all(&mut conn, at(1)).await.is_empty(), "leased");
    assert_eq!(finish(&mut conn, message).await?, Held::Yes);
    assert_eq!(finish(&mut conn, message).await?, Held::Lost);
    Ok(())
}

#[sqlx::test]
async fn a_key_waits_once_per_topic(pool: PgPool) -> sqlx::Result<()> {
    let mut conn = pool.acquire().await?;
    assert_eq!(push(&mut conn, "mail", "a", &json!(1)).await?, Pushed::New);
    assert_eq!(push(&mut conn, "mail", "a", &json!(2)).await?, Pushed::Waiting);
    assert_eq!(push(&mut conn, "sync", "a", &json!(3)).await?, Pushed::New);
    let claimed = claim_all(&mut conn, at(0)).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].payload, json!(1));
    finish(&mut conn, &claimed[0]).await?;
    assert_eq!(push(&mut conn, "mail", "a", &json!(4)).await?, Pushed::New);
    Ok(())
}

#[sqlx::test]
async fn a_batch_is_bounded_and_oldest_first(pool: PgPool) -> sqlx::Result<()> {
    let mut conn = pool.acquire().await?;
    for n in 0..5 {
        push(&mut conn, "mail", &n.to_string(), &n).await?;
    }
    push_at(&mut conn, "mail", "later", &9, at(60)).await?;
    let first = claim(&mut conn, &["mail"], 3, LEASE, at(0)).await?;
    let keys: Vec<_> = first.iter().map(|m| m.key.as_str()).collect();
    assert_eq!(keys, ["0", "1", "2"]);
    assert_eq!(claim_all(&mut conn, at(0)).await.len(), 2);
    assert_eq!(claim(&mut conn, &["mail"], 9, LEASE, at(60)).await?.len(), 6);
    Ok(())
}

#[sqlx::test]
async fn two_workers_never_hold_the_same_message(pool: PgPool) -> sqlx::Result<()> {
    let mut conn = pool.acquire().await?;
    for n in 0..200 {
        push(&mut conn, "mail", &n.to_string(), &n).await?;
    }
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let pool = pool.clone();
        workers.spawn(async move {
            let mut conn = pool.acquire().await.unwrap();
            let mut keys = Vec::new();
            loop {
                let batch = claim(&mut conn, &["mail"], 7, LEASE, at(0)).await.unwrap();
                if batch.is_empty() {
                    return keys;
                }
                keys.extend(batch.into_iter().map(|m| m.key));
            }
        });
    }
    let mut keys = workers.join_all().await.concat();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 200);
    Ok(())
}

#[sqlx::test]
async fn a_lost_lease_lets_the_next_worker_in_and_the_last_one_out(
    pool: PgPool,
) -> sqlx::Result<()> {
    let mut conn = pool.acquire().await?;
    push(&mut conn, "mail", "a", &json!(1)).await?;
    let slow = claim_all(&mut conn, at(0)).await.remove(0);
    let next = claim_all(&mut conn, at(30)).await.remove(0);
    assert_eq!(next.attempts, 2);
    assert_eq!(finish(&mut conn, &slow).await?, Held::Lost);
    assert_eq!(retry(&mut conn, &slow, "late", at(31)).await?, Retried::LeaseLost);
    assert_eq!(finish(&mut conn, &next).await?, Held::Yes);
    Ok(())
}

#[sqlx::test]
async fn failures_come_back_later_each_time_and_end_dead(pool: PgPool) -> sqlx::Result<()> {
    let mut conn = pool.acquire().await?;
    push(&mut conn, "mail", "a", &json!(1)).await?;
    let mut now = at(0);
    let mut delays = Vec::new();
    let dead_at = loop {
        let message = claim_all(&mut conn, now).await.remove(0);
        match retry(&mut conn, &message, "no route", now).await? {
            Retried::At(next) => {
                assert!(claim_all(&mut conn, now).await.is_empty(), "not due yet");
                delays.push(next.duration_since(now));
                now = next;
            }
            Retried::Dead => break now,
            Retried::LeaseLost => panic!("the lease held"),
        }
    };
    assert_eq!(delays.len(), 11);
    assert!(delays.is_sorted());
    assert!(delays[0] < SignedDuration::from_secs(2));
    assert!(delays[10] <= SignedDuration::from_mins(75));
    assert!(claim_all(&mut conn, at(1_000_000)).await.is_empty());

    let [body] = &dead(&mut conn, 10).await?[..] else { panic!("one dead message") };
    assert_eq!((body.cause.as_str(), body.at), ("no route", dead_at));
    assert!(revive(&mut conn, body.id, dead_at).await?);
    assert!(!revive(&mut conn, body.id, dead_at).await?);
    assert_eq!(claim_all(&mut conn, dead_at).await[0].attempts, 1);
    Ok(())
}

#[sqlx::test]
async fn a_message_that_kills_its_workers_ends_dead(pool: PgPool) -> sqlx::Result<()> {
    let mut conn = pool.acquire().await?;
    push(&mut conn, "mail", "poison", &json!(1)).await?;
    let mut deaths = 0;
    while !claim_all(&mut conn, at(deaths * 30)).await.is_empty() {
        deaths += 1;
    }
    assert_eq!(deaths, i64::from(MAX_ATTEMPTS));
    assert!(dead(&mut conn, 1).await?[0].cause.starts_with("each worker"));
    Ok(())
}

#[test]
fn a_long_cause_is_cut_between_characters() {
    assert_eq!(shortened(&"é".repeat(5_000)).len(), LONGEST_CAUSE);
    assert_eq!(shortened(&format!("x{}", "é".repeat(5_000))).len(), LONGEST_CAUSE - 1);
}
