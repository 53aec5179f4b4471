//! Signing in by e-mail address and password, and out again.
//!
//! Three steps, so that no connection is held while a password is hashed:
//!
//! ```text
//! begin   counts the attempt, finds the hash     a connection, outside of any transaction
//! verify  hashes the password                    none
//! finish  begins the session                     a transaction
//! ```
//! [`sign_in`] is all three, for callers with a connection to spare.
use jiff::Timestamp;
use secrecy::SecretString;
use sqlx::PgConnection;

use crate::attempts::{self, Counted};
use crate::credentials::{self, Credential};
use crate::events::{self, Kind};
use crate::passwords::{PasswordHash, Passwords, PasswordsError, Turn, Verdict};
use crate::sessions::{self, NewSession, SignedIn};
use crate::{Email, Person, Status, Visit, Wait, people};

/// Somebody who wants in.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// Which account.
    pub email: Email,
    /// As typed.
    pub password: SecretString,
    /// Where from.
    pub visit: Visit,
}

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// No such account, or not its password: one answer for both.
    #[error("The e-mail address or the password is not right")]
    Refused,
    /// Too many failures of late, on this account or from this address.
    #[error("Too many attempts; please wait {0}")]
    TooMany(Wait),
    /// The password is right, and the account waits for its verification or approval.
    #[error("This account is not open yet")]
    Pending,
    /// The password is right, and the account was suspended.
    #[error("This account is suspended")]
    Suspended,
    /// No verdict on the password.
    #[error("check a password")]
    Passwords(#[from] PasswordsError),
    /// The database.
    #[error("sign in")]
    Store(#[from] sqlx::Error),
}

/// An attempt that was counted and may go on.
#[derive(Debug)]
pub struct Begun {
    turn: Turn,
    request: SignIn,
    counted: Counted,
    credential: Option<Credential>,
}

/// An attempt whose password is right.
#[derive(Debug)]
pub struct Verified {
    pub(crate) visit: Visit,
    pub(crate) counted: Counted,
    pub(crate) credential: Credential,
    rehashed: Option<PasswordHash>,
}

/// Counts the attempt and looks the account up. Not in a transaction that is rolled back when
/// somebody is refused: the count has to stay. Who got no turn has not tried, and is not counted.
pub async fn begin(
    conn: &mut PgConnection,
    turn: Turn,
    request: SignIn,
    now: Timestamp,
) -> Result<Begun, SignInError> {
    let counted = attempts::sign_in(conn, &request.email, request.visit.ip, now)
        .await?
        .map_err(SignInError::TooMany)?;
    let credential = credentials::by_email(conn, &request.email).await?;
    Ok(Begun { turn, request, counted, credential })
}

impl Begun {
    /// Looks at the password; a missing account takes as long as a wrong password.
    pub async fn verify(self) -> Result<Verified, SignInError> {
        let Self { turn, request: SignIn { password, visit, .. }, counted, credential } = self;
        let hash = credential.as_ref().map(|credential| &credential.hash);
        let verdict = turn.verify(&password, hash).await?;
        let rehashed = match verdict {
            Verdict::Wrong => return Err(SignInError::Refused),
            Verdict::Right => None,
            Verdict::RightRehashed(hash) => Some(hash),
        };
        let credential = credential.ok_or(SignInError::Refused)?;
        Ok(Verified { visit, counted, credential, rehashed })
    }
}

/// Begins the session, unless the person may not sign in. Best in a transaction: then neither a
/// suspension nor a new password can come in between.
pub async fn finish(
    conn: &mut PgConnection,
    verified: Verified,
    now: Timestamp,
) -> Result<(Person, NewSession), SignInError> {
    let Verified { visit, counted, credential, rehashed } = verified;
    if !credentials::still_is(conn, &credential).await? {
        return Err(SignInError::Refused);
    }
    let person_id = credential.person_id;
    let person = people::get(conn, person_id).await?.ok_or(SignInError::Refused)?;
    match person.status {
        Status::Active => {}
        Status::Pending => return Err(SignInError::Pending),
        Status::Suspended => return Err(SignInError::Suspended),
    }
    if let Some(hash) = rehashed {
        credentials::rehash(conn, person_id, &hash).await?;
    }
    let failures = attempts::succeeded(conn, &counted, now).await?;
    let session = sessions::begin(conn, person_id, &visit, now).await?;
    events::record(conn, Kind::SignedIn, person_id, failures, &visit, now).await?;
    Ok((person, session))
}

/// All three steps on one connection, which must not be in a transaction that is rolled back when
/// somebody is refused: the count has to stay.
pub async fn sign_in(
    conn: &mut PgConnection,
    passwords: &Passwords,
    request: SignIn,
    now: Timestamp,
) -> Result<(Person, NewSession), SignInError> {
    let begun = begin(conn, passwords.turn()?, request, now).await?;
    let verified = begun.verify().await?;
    finish(conn, verified, now).await
}

/// Ends the session somebody is signed in with.
pub async fn sign_out(
    conn: &mut PgConnection,
    signed_in: &SignedIn,
    visit: &Visit,
    now: Timestamp,
) -> sqlx::Result<()> {
    if sessions::end(conn, signed_in.person.id, signed_in.session_id).await? {
        events::record(conn, Kind::SignedOut, signed_in.person.id, 0, visit, now).await?;
    }
    Ok(())
}
