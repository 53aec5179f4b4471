//! Signing in by e-mail address and password, and out again.
//!
//! Three steps, so that no connection is held while a password is hashed:
//!
//! ```text
//! begin   counts the attempt, finds the hash     a connection, outside of any transaction
//! verify  hashes the password                    none
//! finish  begins the session                     a transaction
//! ```
//! Whoever has a second factor is not let in by [`finish`]; [`finish_or_ask`] is for those who can
//! ask for it.
//! [`sign_in`] is all three, for callers with a connection to spare.
use jiff::Timestamp;
use secrecy::SecretString;
use sqlx::PgConnection;

use crate::attempts::{self, Counted};
use crate::credentials::{self, Credential};
use crate::events::{self, Kind};
use crate::halves::NewHalf;
use crate::passwords::{PasswordHash, Passwords, PasswordsError, Turn, Verdict};
use crate::sessions::{self, Means, NewSession, SignedIn};
use crate::{Email, Person, Status, Visit, Wait, factors, halves, people};

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
    /// The password is right, and not enough; who asks for passwords alone lets nobody in by one.
    #[error(
        "This account has a second factor, and this site cannot ask for it yet; ask whoever runs it"
    )]
    SecondFactor,
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

/// What the right password leads to.
#[derive(Debug)]
pub enum Entered {
    /// In.
    In(Person, NewSession),
    /// To the question for the second factor: [`second_factor::begin`](crate::second_factor::begin).
    HalfWay(NewHalf),
}

/// Begins the session, unless the person may not sign in, or not by a password alone. Best in a
/// transaction: then neither a suspension nor a new password can come in between.
pub async fn finish(
    conn: &mut PgConnection,
    verified: Verified,
    now: Timestamp,
) -> Result<(Person, NewSession), SignInError> {
    let person = active(conn, &verified).await?;
    if factors::has(conn, person.id).await? {
        return Err(SignInError::SecondFactor);
    }
    begun(conn, verified, person, now).await
}

/// The same for who can ask for a second factor: who has one is half way in.
pub async fn finish_or_ask(
    conn: &mut PgConnection,
    verified: Verified,
    now: Timestamp,
) -> Result<Entered, SignInError> {
    let person = active(conn, &verified).await?;
    if factors::has(conn, person.id).await? {
        let failures = settled(conn, &verified, now).await?;
        let half = halves::begin(conn, &verified.credential, failures, now).await?;
        return Ok(Entered::HalfWay(half));
    }
    let (person, session) = begun(conn, verified, person, now).await?;
    Ok(Entered::In(person, session))
}

/// Whose password it was, if they may sign in.
async fn active(conn: &mut PgConnection, verified: &Verified) -> Result<Person, SignInError> {
    if !credentials::still_is(conn, &verified.credential).await? {
        return Err(SignInError::Refused);
    }
    let person = people::get(conn, verified.credential.person_id).await?;
    let person = person.ok_or(SignInError::Refused)?;
    match person.status {
        Status::Active => Ok(person),
        Status::Pending => Err(SignInError::Pending),
        Status::Suspended => Err(SignInError::Suspended),
    }
}

/// The password is done with: what had failed on it.
async fn settled(
    conn: &mut PgConnection,
    verified: &Verified,
    now: Timestamp,
) -> sqlx::Result<i32> {
    if let Some(hash) = &verified.rehashed {
        credentials::rehash(conn, verified.credential.person_id, hash).await?;
    }
    attempts::succeeded(conn, &verified.counted, now).await
}

async fn begun(
    conn: &mut PgConnection,
    verified: Verified,
    person: Person,
    now: Timestamp,
) -> Result<(Person, NewSession), SignInError> {
    let failures = settled(conn, &verified, now).await?;
    let session = sessions::begin(conn, (person.id, Means::Password), &verified.visit, now).await?;
    events::record(conn, Kind::SignedIn, person.id, failures, &verified.visit, now).await?;
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
