//! Making an account of one's own.
//!
//! In steps, like signing in: [`begin`] counts, [`Begun::hash`] hashes the password (which costs,
//! so it comes after the count), then [`finish`] stores. [`sign_up`] is all of it.
use jiff::Timestamp;
use sqlx::{Connection, PgConnection};

use crate::events::{self, Kind};
use crate::passwords::{PasswordHash, Passwords, PasswordsError, Turn};
use crate::people::{self, CreateError, NewPerson};
use crate::sessions::{self, Means, NewSession};
use crate::{NewPassword, Person, Status, Visit, Wait, attempts, credentials};

/// Why there is no new account.
#[derive(Debug, thiserror::Error)]
pub enum SignUpError {
    /// Too many accounts were made from this address of late.
    #[error("Too many accounts were made from here; please wait {0}")]
    TooMany(Wait),
    /// Somebody has this address already.
    #[error("This e-mail address has an account already; sign in instead")]
    EmailTaken,
    /// As many people are here as may be.
    #[error("There is no place left for another account")]
    Full,
    /// The password could not be hashed.
    #[error("hash a password")]
    Passwords(#[from] PasswordsError),
    /// The database.
    #[error("sign up")]
    Store(#[from] sqlx::Error),
}

impl From<CreateError> for SignUpError {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::EmailTaken => Self::EmailTaken,
            CreateError::Store(error) => Self::Store(error),
        }
    }
}

/// A sign-up that was counted and may go on.
#[derive(Debug)]
pub struct Begun(Turn);

/// Counts a sign-up from this address. Not in a transaction that is rolled back afterwards. Who
/// got no turn is not counted.
pub async fn begin(
    conn: &mut PgConnection,
    turn: Turn,
    visit: &Visit,
    now: Timestamp,
) -> Result<Begun, SignUpError> {
    let counted = attempts::sign_up(conn, visit.ip, now).await?;
    counted.map(|()| Begun(turn)).map_err(SignUpError::TooMany)
}

impl Begun {
    /// The hash to store for the chosen password.
    pub async fn hash(self, password: &NewPassword) -> Result<PasswordHash, SignUpError> {
        Ok(self.0.hash(password).await?)
    }
}

/// Adds the person with a password, and begins a session if the person is active. Call it in a
/// transaction, and roll back on an error. The caller sets role and status by the platform's
/// rules, never by the form; `places`: how many people may be here, as many as come if `None`.
pub async fn finish(
    conn: &mut PgConnection,
    new: &NewPerson,
    hash: &PasswordHash,
    places: Option<u32>,
    visit: &Visit,
    now: Timestamp,
) -> Result<(Person, Option<NewSession>), SignUpError> {
    let person = people::create(conn, new, now).await?;
    if !people::fit(conn, places).await? {
        return Err(SignUpError::Full);
    }
    credentials::set(conn, person.id, hash, now).await?;
    events::record(conn, Kind::SignedUp, person.id, 0, visit, now).await?;
    let session = match person.status {
        Status::Active => {
            Some(sessions::begin(conn, (person.id, Means::Password), visit, now).await?)
        }
        Status::Pending | Status::Suspended => None,
    };
    Ok((person, session))
}

/// All of it on one connection, the storing in a transaction of its own, where as many people may
/// be as come.
pub async fn sign_up(
    conn: &mut PgConnection,
    passwords: &Passwords,
    new: &NewPerson,
    password: &NewPassword,
    visit: &Visit,
    now: Timestamp,
) -> Result<(Person, Option<NewSession>), SignUpError> {
    let begun = begin(conn, passwords.turn()?, visit, now).await?;
    let hash = begun.hash(password).await?;
    let mut tx = conn.begin().await?;
    let signed_up = finish(&mut tx, new, &hash, None, visit, now).await?;
    tx.commit().await?;
    Ok(signed_up)
}
