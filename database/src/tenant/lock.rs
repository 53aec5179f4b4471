//! One process at a time works on one tenant or template.

use sqlx::PgConnection;

use super::Error;

/// Holds `what` until the connection closes, or says after 30 s (the administrator's
/// `lock_timeout`) that somebody else has it. A dead holder's lock goes with its connection.
pub(crate) async fn hold(conn: &mut PgConnection, what: &str) -> Result<(), Error> {
    match sqlx::query("SELECT pg_advisory_lock(hashtextextended('soulfra ' || $1, 0))")
        .bind(what)
        .execute(conn)
        .await
    {
        Ok(_) => Ok(()),
        Err(error) if not_available(&error) => Err(Error::Busy { what: what.to_owned() }),
        Err(source) => Err(Error::Step { step: "take the lock", source }),
    }
}

pub(super) async fn release(conn: &mut PgConnection, what: &str) -> Result<(), Error> {
    sqlx::query("SELECT pg_advisory_unlock(hashtextextended('soulfra ' || $1, 0))")
        .bind(what)
        .execute(conn)
        .await
        .map_err(|source| Error::Step { step: "release the lock", source })?;
    Ok(())
}

/// The error of `lock_timeout`.
pub(super) fn not_available(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() == Some("55P03")
}
