//! Where people are signed in.
//!
//! A session ends 30 days after it began, and after 14 days unused. It counts only while its
//! person is active.
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::id::new_id;
use crate::people::PersonRow;
use crate::token::TokenHash;
use crate::{Person, Token, Visit};

/// The longest life of a session.
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The longest time a session is kept without being used.
pub const IDLE: SignedDuration = SignedDuration::from_hours(14 * 24);
/// That a session is used is written down at most this often.
const SEEN_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// A person's sessions beyond these end, the longest unused first.
const AT_MOST: i64 = 50;

/// A session that just began.
#[derive(Debug)]
pub struct NewSession {
    /// Its name in lists, no secret.
    pub id: Uuid,
    /// What the cookie carries. Nowhere else to be had again.
    pub token: Token,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
}

/// Who sent a request, and from which session.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// An active person.
    pub person: Person,
    /// The session the request belongs to.
    pub session_id: Uuid,
}

/// A session, as its person sees it in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Session {
    /// For [`end`].
    pub id: Uuid,
    /// Such as "Firefox on Linux".
    pub device: String,
    /// Where it was begun from.
    pub ip: String,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When it was used last, to the minute.
    pub last_seen_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
}

/// Begins a session of a person who has proved to be that person.
pub async fn begin(
    conn: &mut PgConnection,
    person_id: Uuid,
    visit: &Visit,
    now: Timestamp,
) -> sqlx::Result<NewSession> {
    let (token, hash) = Token::random();
    let session = NewSession { id: new_id(now), token, expires_at: now + LIFETIME };
    sqlx::query!(
        "insert into accounts.session
             (id, token_hash, person_id, device, ip, created_at, last_seen_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $6, $7)",
        session.id,
        hash.as_bytes(),
        person_id,
        visit.device,
        visit.ip.to_string(),
        now.to_sqlx(),
        session.expires_at.to_sqlx(),
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "delete from accounts.session where id in (
             select id from accounts.session where person_id = $1 and id <> $2
             order by last_seen_at desc offset $3
         )",
        person_id,
        session.id,
        AT_MOST - 1,
    )
    .execute(conn)
    .await?;
    Ok(session)
}

/// Whether this session goes on. In a transaction nobody ends it before that has ended.
pub async fn is_on(conn: &mut PgConnection, id: Uuid, now: Timestamp) -> sqlx::Result<bool> {
    let on = sqlx::query_scalar!(
        "select id from accounts.session where id = $1 and expires_at > $2 for share",
        id,
        now.to_sqlx(),
    );
    Ok(on.fetch_optional(conn).await?.is_some())
}

/// Whose session a cookie belongs to, if it is alive. Writes down that it is used.
pub async fn find(
    conn: &mut PgConnection,
    token: &str,
    now: Timestamp,
) -> sqlx::Result<Option<SignedIn>> {
    let Some(hash) = TokenHash::of(token) else { return Ok(None) };
    let row = sqlx::query!(
        "select session.id as session_id, session.last_seen_at,
             person.id, person.email, person.display_name, person.role, person.status,
             person.created_at
         from accounts.session join accounts.person on person.id = session.person_id
         where session.token_hash = $1 and session.expires_at > $2 and session.last_seen_at > $3
           and person.status = 'active'",
        hash.as_bytes(),
        now.to_sqlx(),
        (now - IDLE).to_sqlx(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.last_seen_at.to_jiff() + SEEN_EVERY <= now {
        let id = row.session_id;
        sqlx::query!(
            "update accounts.session set last_seen_at = $2 where id = $1 and last_seen_at < $2",
            id,
            now.to_sqlx(),
        )
        .execute(conn)
        .await?;
    }
    let person = PersonRow {
        id: row.id,
        email: row.email,
        display_name: row.display_name,
        role: row.role,
        status: row.status,
        created_at: row.created_at,
    };
    Ok(Some(SignedIn { person: person.try_into()?, session_id: row.session_id }))
}

/// A person's living sessions, the last used first.
pub async fn list(
    conn: &mut PgConnection,
    person_id: Uuid,
    now: Timestamp,
) -> sqlx::Result<Vec<Session>> {
    sqlx::query!(
        "select id, device, ip, created_at, last_seen_at, expires_at from accounts.session
         where person_id = $1 and expires_at > $2 and last_seen_at > $3
         order by last_seen_at desc, id desc",
        person_id,
        now.to_sqlx(),
        (now - IDLE).to_sqlx(),
    )
    .map(|row| Session {
        id: row.id,
        device: row.device,
        ip: row.ip,
        created_at: row.created_at.to_jiff(),
        last_seen_at: row.last_seen_at.to_jiff(),
        expires_at: row.expires_at.to_jiff(),
    })
    .fetch_all(conn)
    .await
}

/// Ends one of a person's sessions; false if the person has no such session.
pub async fn end(conn: &mut PgConnection, person_id: Uuid, id: Uuid) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "delete from accounts.session where person_id = $1 and id = $2",
        person_id,
        id
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Ends all of a person's sessions but one, and says how many those were.
pub async fn end_others(conn: &mut PgConnection, person_id: Uuid, keep: Uuid) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "delete from accounts.session where person_id = $1 and id <> $2",
        person_id,
        keep
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Ends all of a person's sessions, and says how many those were.
pub async fn end_all(conn: &mut PgConnection, person_id: Uuid) -> sqlx::Result<u64> {
    let done = sqlx::query!("delete from accounts.session where person_id = $1", person_id)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}

/// Removes sessions that are over.
pub(crate) async fn prune(conn: &mut PgConnection, now: Timestamp) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "delete from accounts.session where expires_at <= $1 or last_seen_at <= $2",
        now.to_sqlx(),
        (now - IDLE).to_sqlx(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
