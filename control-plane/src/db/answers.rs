//! What was answered to requests that carry an `Idempotency-Key`, so that the same request sent again
//! has the same answer and is done once.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// An answer is kept for so long.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// Old ones that are forgotten with each new one.
const FORGOTTEN: i64 = 10;

/// What became of a request that came with a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Before {
    /// Nobody came with that key.
    Nothing,
    /// The same request came before and its answer is not known: it may have been done.
    Begun,
    /// The same request was answered so.
    Answered(u16, Value),
    /// Another request came with that key.
    Another,
}

/// Notes that a request with this key is about to be done. In a transaction that is committed before
/// it is done.
///
/// # Errors
/// The database.
pub async fn begin(
    conn: &mut PgConnection,
    caller: Uuid,
    key: &str,
    request: &[u8; 32],
    now: Timestamp,
) -> sqlx::Result<Before> {
    let old = "delete from control.answer where (caller, key) in (
                   select caller, key from control.answer where at < $1 limit $2
                   for update skip locked)";
    let kept = (now - KEPT).to_sqlx();
    sqlx::query(old).bind(kept).bind(FORGOTTEN).execute(&mut *conn).await?;
    loop {
        let new = sqlx::query!(
            "insert into control.answer (caller, key, request, at) values ($1, $2, $3, $4)
         on conflict (caller, key) do nothing",
            caller,
            key,
            &request[..],
            now.to_sqlx(),
        );
        if new.execute(&mut *conn).await?.rows_affected() == 1 {
            return Ok(Before::Nothing);
        }
        let known = sqlx::query!(
            "select request, status, body from control.answer where caller = $1 and key = $2",
            caller,
            key,
        );
        // Refused meanwhile and forgotten: it is as if nobody had come.
        let Some(known) = known.fetch_optional(&mut *conn).await? else { continue };
        if known.request != request {
            return Ok(Before::Another);
        }
        let status = known.status.and_then(|status| u16::try_from(status).ok());
        return Ok(match (status, known.body) {
            (Some(status), Some(body)) => Before::Answered(status, body),
            _ => Before::Begun,
        });
    }
}

/// Notes the answer. In the transaction of what was done.
///
/// # Errors
/// The database.
pub async fn finish(
    conn: &mut PgConnection,
    caller: Uuid,
    (key, request): (&str, &[u8; 32]),
    (status, body): (u16, &Value),
    now: Timestamp,
) -> sqlx::Result<()> {
    // The same request beside this one may have been refused before, and forgotten.
    sqlx::query!(
        "insert into control.answer (caller, key, request, status, body, at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (caller, key) do update set status = excluded.status, body = excluded.body",
        caller,
        key,
        &request[..],
        i32::from(status),
        body,
        now.to_sqlx(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What the same request was answered.
///
/// # Errors
/// The database.
pub async fn of(
    conn: &mut PgConnection,
    caller: Uuid,
    key: &str,
) -> sqlx::Result<Option<(u16, Value)>> {
    let known = sqlx::query!(
        "select status, body from control.answer where caller = $1 and key = $2",
        caller,
        key,
    );
    let known = known.fetch_optional(conn).await?;
    Ok(known.and_then(|known| Some((u16::try_from(known.status?).ok()?, known.body?))))
}

/// Nothing was done: the key is as good as new.
///
/// # Errors
/// The database.
pub async fn forget(conn: &mut PgConnection, caller: Uuid, key: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from control.answer where caller = $1 and key = $2 and status is null",
        caller,
        key
    )
    .execute(conn)
    .await?;
    Ok(())
}
