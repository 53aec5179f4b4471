//! Choosing another password while signed in.
//!
//! It begins as signing in does, with [`sign_in::begin`](crate::sign_in::begin) and the password
//! there is: a session left open, or stolen, cannot guess it any faster. Then the new one is
//! hashed, and [`finish`] stores it.
use jiff::Timestamp;
use sqlx::PgConnection;

use crate::events::{self, Kind};
use crate::passwords::PasswordHash;
use crate::sessions::{self, SignedIn};
use crate::sign_in::{SignInError, Verified};
use crate::{attempts, credentials};

/// Stores the new password, writes that down, and ends every session but the one it was changed from; says how many
/// ended. Call it in a transaction.
pub async fn finish(
    conn: &mut PgConnection,
    verified: Verified,
    hash: &PasswordHash,
    signed_in: &SignedIn,
    now: Timestamp,
) -> Result<u64, SignInError> {
    let Verified { visit, counted, credential, .. } = verified;
    let id = signed_in.person.id;
    if credential.person_id != id || !credentials::still_is(conn, &credential).await? {
        return Err(SignInError::Refused);
    }
    credentials::change(conn, id, hash, now).await?;
    let failures = attempts::succeeded(conn, &counted, now).await?;
    events::record(conn, Kind::PasswordChanged, id, failures, &visit, now).await?;
    Ok(sessions::end_others(conn, id, signed_in.session_id).await?)
}
