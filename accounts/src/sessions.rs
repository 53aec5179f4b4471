//! Where people are signed in.
//!
//! A session ends 30 days after it began, and after 14 days unused. It counts only while its
//! person is active. One that somebody else vouched for is good for half a day, and only with whoever
//! trusts them: [`find`] does not find it, and who takes such ones as well says so ([`find_any`]).
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
/// The same of one that a provider vouched for: that somebody was sent away there is not told here.
const OF_PROVIDERS: SignedDuration = SignedDuration::from_hours(12);
/// The longest time a session is kept without being used.
pub const IDLE: SignedDuration = SignedDuration::from_hours(14 * 24);
/// That a session is used is written down at most this often.
const SEEN_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// A person's sessions beyond these end, the longest unused first; of those within a place, there.
const AT_MOST: i64 = 50;

/// By what a person proved to be that person when a session began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// The password, and the second factor where there was one.
    Password,
    /// A one-time link.
    Link,
    /// A key of a device.
    Passkey,
    /// Somebody else vouched for them, whom this place trusts: the session is good within it alone.
    Provider(Uuid),
}

impl Means {
    fn stored(self) -> (&'static str, Option<Uuid>) {
        match self {
            Self::Password => ("password", None),
            Self::Link => ("link", None),
            Self::Passkey => ("passkey", None),
            Self::Provider(within) => ("provider", Some(within)),
        }
    }

    fn read(means: &str, within: Option<Uuid>) -> sqlx::Result<Self> {
        match (means, within) {
            ("password", None) => Ok(Self::Password),
            ("link", None) => Ok(Self::Link),
            ("passkey", None) => Ok(Self::Passkey),
            ("provider", Some(within)) => Ok(Self::Provider(within)),
            _ => Err(sqlx::Error::Decode(format!("unknown means {means:?}").into())),
        }
    }

    fn lifetime(self) -> SignedDuration {
        if let Self::Provider(_) = self { OF_PROVIDERS } else { LIFETIME }
    }
}

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
    /// By what they proved to be who they are, when it began.
    pub means: Means,
    /// When that was.
    pub begun_at: Timestamp,
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
    (person_id, means): (Uuid, Means),
    visit: &Visit,
    now: Timestamp,
) -> sqlx::Result<NewSession> {
    let (token, hash) = Token::random();
    let session = NewSession { id: new_id(now), token, expires_at: now + means.lifetime() };
    let (means, within) = means.stored();
    sqlx::query!(
        "insert into accounts.session
             (id, token_hash, person_id, device, ip, created_at, last_seen_at, expires_at, means,
              within)
         values ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9)",
        session.id,
        hash.as_bytes(),
        person_id,
        visit.device,
        visit.ip.to_string(),
        now.to_sqlx(),
        session.expires_at.to_sqlx(),
        means,
        within,
    )
    .execute(&mut *conn)
    .await?;
    // Whoever vouches for people somewhere ends none of their sessions elsewhere by many of theirs.
    sqlx::query!(
        "delete from accounts.session where id in (
             select id from accounts.session
             where person_id = $1 and id <> $2 and within is not distinct from $4
             order by last_seen_at desc offset $3
         )",
        person_id,
        session.id,
        AT_MOST - 1,
        within,
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

/// Whose session a cookie belongs to, if it is alive and good everywhere. Writes down that it is used.
pub async fn find(
    conn: &mut PgConnection,
    token: &str,
    now: Timestamp,
) -> sqlx::Result<Option<SignedIn>> {
    let found = find_any(conn, token, now).await?;
    Ok(found.filter(|signed_in| !matches!(signed_in.means, Means::Provider(_))))
}

/// The same, also where it is good within one place alone: who calls this looks at
/// [`means`](SignedIn::means).
pub async fn find_any(
    conn: &mut PgConnection,
    token: &str,
    now: Timestamp,
) -> sqlx::Result<Option<SignedIn>> {
    let Some(hash) = TokenHash::of(token) else { return Ok(None) };
    let row = sqlx::query!(
        "select session.id as session_id, session.last_seen_at, session.created_at as begun_at,
             means, within, person.id, person.email, person.display_name, person.role, person.status,
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
    Ok(Some(SignedIn {
        person: person.try_into()?,
        session_id: row.session_id,
        means: Means::read(&row.means, row.within)?,
        begun_at: row.begun_at.to_jiff(),
    }))
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

/// Ends all sessions that are good within this place alone.
pub async fn end_within(conn: &mut PgConnection, within: Uuid) -> sqlx::Result<u64> {
    let done = sqlx::query!("delete from accounts.session where within = $1", within);
    Ok(done.execute(conn).await?.rows_affected())
}

/// The same of one person.
pub async fn end_of_person_within(
    conn: &mut PgConnection,
    person_id: Uuid,
    within: Uuid,
) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "delete from accounts.session where within = $1 and person_id = $2",
        within,
        person_id,
    );
    Ok(done.execute(conn).await?.rows_affected())
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
