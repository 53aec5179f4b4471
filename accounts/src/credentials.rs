//! The stored hash of a person's password.
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Email;
use crate::passwords::PasswordHash;

/// A password as it was found.
#[derive(Debug)]
pub(crate) struct Credential {
    pub(crate) person_id: Uuid,
    pub(crate) hash: PasswordHash,
    pub(crate) changed_at: Timestamp,
}

/// The password of who has this address; one look-up for person and hash.
pub(crate) async fn by_email(
    conn: &mut PgConnection,
    email: &Email,
) -> sqlx::Result<Option<Credential>> {
    let row = sqlx::query!(
        "select person.id, password.hash, password.changed_at
         from accounts.person join accounts.password on password.person_id = person.id
         where person.email = $1",
        email.as_str(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Credential {
        person_id: row.id,
        hash: PasswordHash::stored(row.hash),
        changed_at: row.changed_at.to_jiff(),
    }))
}

/// Sets a person's first password.
pub(crate) async fn set(
    conn: &mut PgConnection,
    person_id: Uuid,
    hash: &PasswordHash,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into accounts.password (person_id, hash, changed_at) values ($1, $2, $3)",
        person_id,
        hash.as_str(),
        now.to_sqlx(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets another password in place of the one there is.
pub(crate) async fn change(
    conn: &mut PgConnection,
    person_id: Uuid,
    hash: &PasswordHash,
    now: Timestamp,
) -> sqlx::Result<()> {
    // Later than the former one by any clock: that is how a change is noticed.
    sqlx::query!(
        "update accounts.password
         set hash = $2, changed_at = greatest($3, changed_at + interval '1 microsecond')
         where person_id = $1",
        person_id,
        hash.as_str(),
        now.to_sqlx(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores another hash of the same password; the password does not count as changed.
pub(crate) async fn rehash(
    conn: &mut PgConnection,
    person_id: Uuid,
    hash: &PasswordHash,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update accounts.password set hash = $2 where person_id = $1",
        person_id,
        hash.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether the person still has this password. Inside a transaction neither the person nor the
/// password changes until its end.
pub(crate) async fn still_is(
    conn: &mut PgConnection,
    credential: &Credential,
) -> sqlx::Result<bool> {
    // The password is locked for an update, as it may get one: two who both share a lock and both
    // want to write would wait for each other.
    let row = sqlx::query_scalar!(
        "select person.id
         from accounts.person join accounts.password on password.person_id = person.id
         where person.id = $1 and password.changed_at = $2
         for share of person for no key update of password",
        credential.person_id,
        credential.changed_at.to_sqlx(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some())
}
