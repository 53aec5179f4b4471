//! Half a way in: whose password was right, and who still owes the second factor.
//!
//! It is kept apart from sessions, in a table and a cookie of its own, so that nothing that looks for a
//! session can find one. It lasts five minutes, and no longer than the password it was begun with.
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Token;
use crate::credentials::Credential;
use crate::token::TokenHash;

/// So long there is time for the second factor.
pub const LIFETIME: SignedDuration = SignedDuration::from_mins(5);
/// A person's beyond these end, the oldest first.
const AT_MOST: i64 = 10;

/// One that just began.
#[derive(Debug)]
pub struct NewHalf {
    /// What the cookie carries.
    pub token: Token,
}

/// One that is alive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Half {
    pub(crate) token_hash: TokenHash,
    pub(crate) person_id: Uuid,
    /// What had failed on the password.
    pub(crate) failures: i32,
}

/// Begins one for whoever knew this password. What is over goes.
pub(crate) async fn begin(
    conn: &mut PgConnection,
    credential: &Credential,
    failures: i32,
    now: Timestamp,
) -> sqlx::Result<NewHalf> {
    sqlx::query!(
        "delete from accounts.half_session where expires_at <= $1 or token_hash in (
             select token_hash from accounts.half_session where person_id = $2
             order by expires_at desc offset $3
         )",
        now.to_sqlx(),
        credential.person_id,
        AT_MOST - 1,
    )
    .execute(&mut *conn)
    .await?;
    let (token, hash) = Token::random();
    sqlx::query!(
        "insert into accounts.half_session
             (token_hash, person_id, password_changed_at, failures, expires_at)
         values ($1, $2, $3, $4, $5)",
        hash.as_bytes(),
        credential.person_id,
        credential.changed_at.to_sqlx(),
        failures,
        (now + LIFETIME).to_sqlx(),
    )
    .execute(conn)
    .await?;
    Ok(NewHalf { token })
}

/// Whose it is, if it is alive: the person may sign in, and the password is the same.
pub(crate) async fn find(
    conn: &mut PgConnection,
    token: &str,
    now: Timestamp,
) -> sqlx::Result<Option<Half>> {
    let Some(token_hash) = TokenHash::of(token) else { return Ok(None) };
    let row = sqlx::query!(
        "select half_session.person_id, failures
         from accounts.half_session
         join accounts.person on person.id = half_session.person_id
         join accounts.password on password.person_id = half_session.person_id
         where token_hash = $1 and expires_at > $2 and status = 'active'
           and password.changed_at = password_changed_at",
        token_hash.as_bytes(),
        now.to_sqlx(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Half { token_hash, person_id: row.person_id, failures: row.failures }))
}

/// Ends it; false where it was over already. Inside a transaction neither the person nor the password
/// changes until its end.
pub(crate) async fn end(
    conn: &mut PgConnection,
    half: &Half,
    now: Timestamp,
) -> sqlx::Result<bool> {
    // As where a password is looked at: the same locks, in the same order.
    sqlx::query!(
        "select person.id from accounts.person
         join accounts.password on password.person_id = person.id
         where person.id = $1 for share of person for no key update of password",
        half.person_id,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let done = sqlx::query!(
        "delete from accounts.half_session
         using accounts.person, accounts.password
         where token_hash = $1 and expires_at > $2
           and person.id = half_session.person_id and person.status = 'active'
           and password.person_id = half_session.person_id
           and password.changed_at = password_changed_at",
        half.token_hash.as_bytes(),
        now.to_sqlx(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
