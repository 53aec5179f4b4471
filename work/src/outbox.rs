//! The outbox: effects leave with the commit of the decision, at least once, in bounded tries.
//!
//! ```text
//! push (caller's transaction) -> claim (lease) -> do it -> finish
//!                                                       -> retry -> claim ... -> dead, with cause
//! ```
//! A worker that dies loses its lease and the message is claimed again; each claim counts, so
//! that a message which kills its worker ends as dead too. A message stands under its key once
//! per topic until it is finished; pushing it again meanwhile changes nothing.

#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// So often a message is tried; then it is dead.
pub const MAX_ATTEMPTS: i32 = 12;
const FIRST_DELAY: SignedDuration = SignedDuration::from_secs(1);
const LONGEST_DELAY: SignedDuration = SignedDuration::from_hours(1);
const LONGEST_CAUSE: usize = 2_000;

/// Whether [`push`] added the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It waits now.
    New,
    /// One under this key waits already (or is dead); this one was dropped.
    Waiting,
}

/// A message that this worker holds until its lease runs out.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// Also the order in which messages were pushed.
    pub id: Uuid,
    /// What kind of message it is.
    pub topic: String,
    /// What it is about, once per topic.
    pub key: String,
    /// What to do.
    pub payload: Value,
    /// Tries so far, this one included.
    pub attempts: i32,
    lease: Uuid,
}

/// Whether the lease still held when a claimed message was given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It did, and what was asked is done.
    Yes,
    /// It ran out and somebody else may have the message; nothing was changed.
    Lost,
}

/// What became of a message that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    /// It is due again then.
    At(Timestamp),
    /// It was tried [`MAX_ATTEMPTS`] times and is given up.
    Dead,
    /// The lease ran out before; nothing was changed.
    LeaseLost,
}

/// A message that was given up.
#[derive(Clone, Debug, PartialEq)]
pub struct Dead {
    /// Names it for [`revive`].
    pub id: Uuid,
    /// What kind of message it is.
    pub topic: String,
    /// What it is about.
    pub key: String,
    /// What was to be done.
    pub payload: Value,
    /// When it was given up.
    pub at: Timestamp,
    /// What went wrong the last time.
    pub cause: String,
}

/// Puts a message into the caller's transaction, due as soon as that commits.
///
/// # Errors
/// Of the database, and [`sqlx::Error::Encode`] for a payload that is no JSON.
pub async fn push(
    conn: &mut PgConnection,
    topic: &str,
    key: &str,
    payload: &impl Serialize,
) -> sqlx::Result<Pushed> {
    push_at(conn, topic, key, payload, Timestamp::UNIX_EPOCH).await
}

/// Like [`push`], due at `not_before`.
pub async fn push_at(
    conn: &mut PgConnection,
    topic: &str,
    key: &str,
    payload: &impl Serialize,
    not_before: Timestamp,
) -> sqlx::Result<Pushed> {
    let payload = serde_json::to_value(payload).map_err(|e| sqlx::Error::Encode(e.into()))?;
    let added = sqlx::query!(
        "INSERT INTO work.outbox (id, topic, key, payload, not_before)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (topic, key) DO NOTHING",
        Uuid::now_v7(),
        topic,
        key,
        payload,
        not_before.to_sqlx() as _,
    )
    .execute(conn)
    .await?;
    Ok(if added.rows_affected() == 1 { Pushed::New } else { Pushed::Waiting })
}

/// Takes up to `limit` due messages of these topics, oldest first, for as long as `lease`.
/// Workers never wait for each other here.
pub async fn claim(
    conn: &mut PgConnection,
    topics: &[&str],
    limit: u16,
    lease: SignedDuration,
    now: Timestamp,
) -> sqlx::Result<Vec<Claimed>> {
    let topics: Vec<String> = topics.iter().map(ToString::to_string).collect();
    bury_those_that_kill_workers(conn, &topics, now).await?;
    let token = Uuid::new_v4();
    let until = now.saturating_add(lease).unwrap_or(Timestamp::MAX);
    let mut claimed = sqlx::query_as!(
        Claimed,
        r#"WITH due AS MATERIALIZED (
             SELECT id FROM work.outbox
             WHERE dead_at IS NULL AND topic = ANY($1) AND not_before <= $2
               AND (leased_until IS NULL OR leased_until <= $2)
             ORDER BY not_before, id LIMIT $3 FOR UPDATE SKIP LOCKED
         )
         UPDATE work.outbox o
         SET lease = $4, leased_until = $5, attempts = o.attempts + 1
         FROM due WHERE o.id = due.id
         RETURNING o.id, o.topic, o.key, o.payload, o.attempts, o.lease AS "lease!""#,
        &topics,
        now.to_sqlx() as _,
        i64::from(limit),
        token,
        until.to_sqlx() as _,
    )
    .fetch_all(conn)
    .await?;
    claimed.sort_by_key(|message| message.id);
    Ok(claimed)
}

/// The message is done: it leaves the outbox.
pub async fn finish(conn: &mut PgConnection, message: &Claimed) -> sqlx::Result<Held> {
    let gone = sqlx::query!(
        "DELETE FROM work.outbox WHERE id = $1 AND lease = $2",
        message.id,
        message.lease
    )
    .execute(conn)
    .await?;
    Ok(if gone.rows_affected() == 1 { Held::Yes } else { Held::Lost })
}

/// The message failed: it comes again later, each time twice as late up to an hour, or it is
/// dead. `cause` is for people and must hold no secret; it is cut at 2,000 bytes.
pub async fn retry(
    conn: &mut PgConnection,
    message: &Claimed,
    cause: &str,
    now: Timestamp,
) -> sqlx::Result<Retried> {
    if message.attempts >= MAX_ATTEMPTS {
        return Ok(match give_up(conn, message, cause, now).await? {
            Held::Yes => Retried::Dead,
            Held::Lost => Retried::LeaseLost,
        });
    }
    let at = now.saturating_add(delay(message)).unwrap_or(Timestamp::MAX);
    let again = sqlx::query!(
        "UPDATE work.outbox SET lease = NULL, leased_until = NULL, not_before = $3, cause = $4
         WHERE id = $1 AND lease = $2",
        message.id,
        message.lease,
        at.to_sqlx() as _,
        shortened(cause),
    )
    .execute(conn)
    .await?;
    Ok(if again.rows_affected() == 1 { Retried::At(at) } else { Retried::LeaseLost })
}

/// The message can never be done: it is dead at once.
pub async fn give_up(
    conn: &mut PgConnection,
    message: &Claimed,
    cause: &str,
    now: Timestamp,
) -> sqlx::Result<Held> {
    let dead = sqlx::query!(
        "UPDATE work.outbox SET lease = NULL, leased_until = NULL, dead_at = $3, cause = $4
         WHERE id = $1 AND lease = $2",
        message.id,
        message.lease,
        now.to_sqlx() as _,
        shortened(cause),
    )
    .execute(conn)
    .await?;
    Ok(if dead.rows_affected() == 1 { Held::Yes } else { Held::Lost })
}

/// When the next message is due, of whatever topic: those that are being worked on when their
/// lease runs out. `None`: there is none.
pub async fn next_due(conn: &mut PgConnection) -> sqlx::Result<Option<Timestamp>> {
    let due = sqlx::query_scalar!(
        r#"SELECT min(greatest(not_before, leased_until)) AS "due: jiff_sqlx::Timestamp"
         FROM work.outbox WHERE dead_at IS NULL"#
    );
    Ok(due.fetch_one(conn).await?.map(jiff_sqlx::Timestamp::to_jiff))
}

/// The latest dead messages, newest first.
pub async fn dead(conn: &mut PgConnection, limit: u16) -> sqlx::Result<Vec<Dead>> {
    let rows = sqlx::query!(
        r#"SELECT id, topic, key, payload, dead_at AS "dead_at!", cause AS "cause!"
         FROM work.outbox WHERE dead_at IS NOT NULL ORDER BY dead_at DESC, id DESC LIMIT $1"#,
        i64::from(limit),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Dead {
            id: r.id,
            topic: r.topic,
            key: r.key,
            payload: r.payload,
            at: r.dead_at.to_jiff(),
            cause: r.cause,
        })
        .collect())
}

/// Tries a dead message again from the start; `false` when there is none with this id.
pub async fn revive(conn: &mut PgConnection, id: Uuid, now: Timestamp) -> sqlx::Result<bool> {
    let revived = sqlx::query!(
        "UPDATE work.outbox SET dead_at = NULL, attempts = 0, not_before = $2
         WHERE id = $1 AND dead_at IS NOT NULL",
        id,
        now.to_sqlx() as _,
    )
    .execute(conn)
    .await?;
    Ok(revived.rows_affected() == 1)
}

/// A worker that dies says nothing, so its last lease running out counts as the last failure.
async fn bury_those_that_kill_workers(
    conn: &mut PgConnection,
    topics: &[String],
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query!(
        "WITH lost AS MATERIALIZED (
             SELECT id FROM work.outbox
             WHERE dead_at IS NULL AND topic = ANY($1) AND leased_until <= $2 AND attempts >= $3
             FOR UPDATE SKIP LOCKED
         )
         UPDATE work.outbox o SET lease = NULL, leased_until = NULL, dead_at = $2,
             cause = 'each worker that took it died or hung; last failure seen: '
                 || coalesce(o.cause, 'none')
         FROM lost WHERE o.id = lost.id",
        topics,
        now.to_sqlx() as _,
        MAX_ATTEMPTS,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Doubles with each attempt; up to a quarter more, by the message's id, so that messages which
/// failed together do not come back together.
fn delay(message: &Claimed) -> SignedDuration {
    let doublings = u32::try_from(message.attempts.clamp(1, 16) - 1).unwrap_or(0);
    let delay = FIRST_DELAY.saturating_mul(1 << doublings).min(LONGEST_DELAY);
    let spread = delay.as_millis() * i128::from(message.id.as_bytes()[15]) / 1_024;
    delay.saturating_add(SignedDuration::from_millis(i64::try_from(spread).unwrap_or(0)))
}

fn shortened(cause: &str) -> &str {
    &cause[..cause.floor_char_boundary(LONGEST_CAUSE)]
}
