//! The second factor: asked for after the password, and again before it is changed.
//!
//! ```text
//! sign-in   sign_in::finish_or_ask -> begin (counted) -> finish            -> Person + Session
//! change    ask (counted) -> prove -> turn_off | renew_codes
//! set-up    sign_in::begin, verify -> offer -> confirm                     -> codes on paper
//! ```
//! Guesses are counted like those at passwords, on a count of their own: a right password does not
//! wipe it out, so who has stolen the password guesses no faster than anybody.
use jiff::{SignedDuration, Timestamp};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::attempts::{self, Counted};
use crate::events::{self, Kind};
use crate::factors::{self, Sealing, StoreError};
use crate::halves::{self, Half};
use crate::proof::{Proof, RecoveryCode};
use crate::sessions::{self, Means, NewSession, SignedIn};
use crate::sign_in::Verified;
use crate::totp::Secret;
use crate::{Person, Visit, Wait, credentials, passkeys, people};

/// So long there is time to bring the secret into an app.
const SET_UP: SignedDuration = SignedDuration::from_mins(20);

/// Why a second factor does nothing.
#[derive(Debug, thiserror::Error)]
pub enum FactorError {
    /// The first step was too long ago, or somebody has finished it, or the password changed since.
    #[error("This took too long, or was done already; begin again")]
    Gone,
    /// Too many failures of late, on this account or from this address.
    #[error("Too many attempts; please wait {0}")]
    TooMany(Wait),
    /// No code of this person's, or one that was used.
    #[error("This code is not right, or was used already; each works once")]
    Refused,
    /// There is one already, and it is to be turned off first.
    #[error("There is a second factor already; turn it off first")]
    IsOn,
    /// The password that was to be shown is not theirs.
    #[error("This is not your password")]
    Password,
    /// It could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for FactorError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(StoreError::Database(error))
    }
}

/// A try to sign in that was counted and may go on.
#[derive(Debug)]
pub struct Begun {
    half: Half,
    visit: Visit,
    counted: Counted,
}

/// A try of somebody who is signed in, counted, that may go on.
#[derive(Debug)]
pub struct Asked {
    person_id: Uuid,
    visit: Visit,
    counted: Counted,
}

/// Somebody signed in who has shown the second factor just now.
#[derive(Debug)]
pub struct Proven {
    pub(crate) person_id: Uuid,
    failures: i32,
    visit: Visit,
}

/// Whether somebody is half way in by this token.
pub async fn is_half_way(
    conn: &mut PgConnection,
    token: &str,
    now: Timestamp,
) -> sqlx::Result<bool> {
    Ok(halves::find(conn, token, now).await?.is_some())
}

/// Counts the try. Not in a transaction that is rolled back when somebody is refused.
pub async fn begin(
    conn: &mut PgConnection,
    token: &str,
    visit: Visit,
    now: Timestamp,
) -> Result<Begun, FactorError> {
    let half = halves::find(conn, token, now).await?.ok_or(FactorError::Gone)?;
    let counted = attempts::code(conn, half.person_id, visit.ip, now).await?;
    Ok(Begun { half, visit, counted: counted.map_err(FactorError::TooMany)? })
}

/// Begins the session. Call it in a transaction, and roll back on an error.
pub async fn finish(
    conn: &mut PgConnection,
    sealing: Sealing<'_>,
    begun: Begun,
    proof: &Proof,
    now: Timestamp,
) -> Result<(Person, NewSession), FactorError> {
    let Begun { half, visit, counted } = begun;
    let id = half.person_id;
    if !halves::end(conn, &half, now).await? {
        return Err(FactorError::Gone);
    }
    if !factors::take(conn, sealing, id, proof, now).await? {
        return Err(FactorError::Refused);
    }
    let person = people::get(conn, id).await?.ok_or(FactorError::Gone)?;
    let failures = attempts::succeeded(conn, &counted, now).await?.saturating_add(half.failures);
    let session = sessions::begin(conn, (id, Means::Password), &visit, now).await?;
    let kind = match proof {
        Proof::Code(_) => Kind::SignedIn,
        Proof::Recovery(_) => Kind::SignedInByRecoveryCode,
    };
    events::record(conn, kind, id, failures, &visit, now).await?;
    Ok((person, session))
}

/// Counts a try of somebody who is signed in: a session left open guesses no faster either.
pub async fn ask(
    conn: &mut PgConnection,
    signed_in: &SignedIn,
    visit: Visit,
    now: Timestamp,
) -> Result<Asked, FactorError> {
    let person_id = signed_in.person.id;
    let counted = attempts::code(conn, person_id, visit.ip, now).await?;
    Ok(Asked { person_id, visit, counted: counted.map_err(FactorError::TooMany)? })
}

/// Uses the proof up. In one transaction with what it allows; roll back on an error.
pub async fn prove(
    conn: &mut PgConnection,
    sealing: Sealing<'_>,
    asked: Asked,
    proof: &Proof,
    now: Timestamp,
) -> Result<Proven, FactorError> {
    let Asked { person_id, visit, counted } = asked;
    if !factors::take(conn, sealing, person_id, proof, now).await? {
        return Err(FactorError::Refused);
    }
    let failures = attempts::succeeded(conn, &counted, now).await?;
    Ok(Proven { person_id, failures, visit })
}

/// From now on the password alone lets this person in.
pub async fn turn_off(
    conn: &mut PgConnection,
    proven: Proven,
    now: Timestamp,
) -> Result<(), FactorError> {
    let Proven { person_id, failures, visit } = proven;
    factors::remove(conn, person_id).await?;
    events::record(conn, Kind::SecondFactorTurnedOff, person_id, failures, &visit, now).await?;
    Ok(())
}

/// New codes on paper; the former ones are good no more.
pub async fn renew_codes(
    conn: &mut PgConnection,
    proven: Proven,
    now: Timestamp,
) -> Result<Vec<RecoveryCode>, FactorError> {
    let Proven { person_id, failures, visit } = proven;
    let codes = factors::new_codes(conn, person_id).await?;
    events::record(conn, Kind::RecoveryCodesMade, person_id, failures, &visit, now).await?;
    Ok(codes)
}

/// A secret for somebody who has shown the password again: a session left open locks nobody out of
/// their account. Call it in a transaction.
pub async fn offer(
    conn: &mut PgConnection,
    sealing: Sealing<'_>,
    verified: Verified,
    signed_in: &SignedIn,
    now: Timestamp,
) -> Result<Secret, FactorError> {
    let Verified { counted, credential, .. } = verified;
    let id = signed_in.person.id;
    if credential.person_id != id || !credentials::still_is(conn, &credential).await? {
        return Err(FactorError::Password);
    }
    attempts::succeeded(conn, &counted, now).await?;
    let whose = (id, signed_in.session_id);
    factors::offer(conn, sealing, whose, now).await?.ok_or(FactorError::IsOn)
}

/// The secret that was offered to this session, to be shown again where the first code was wrong.
pub async fn offered(
    conn: &mut PgConnection,
    sealing: Sealing<'_>,
    signed_in: &SignedIn,
    now: Timestamp,
) -> Result<Secret, FactorError> {
    let whose = (signed_in.person.id, signed_in.session_id);
    let secret = factors::offered(conn, sealing, whose, now - SET_UP).await?;
    secret.ok_or(FactorError::Gone)
}

/// Turns it on by the first code of the app, ends all other sessions, takes passkeys away, and hands out the codes for
/// paper. Call it in a transaction, and roll back on an error.
pub async fn confirm(
    conn: &mut PgConnection,
    sealing: Sealing<'_>,
    signed_in: &SignedIn,
    (proof, visit): (&Proof, &Visit),
    now: Timestamp,
) -> Result<Vec<RecoveryCode>, FactorError> {
    let id = signed_in.person.id;
    let secret = offered(conn, sealing, signed_in, now).await?;
    let Proof::Code(code) = proof else { return Err(FactorError::Refused) };
    let step = secret.step_of(*code, now, 0).ok_or(FactorError::Refused)?;
    if !sessions::is_on(conn, signed_in.session_id, now).await? {
        return Err(FactorError::Gone);
    }
    factors::confirm(conn, id, step, now).await?;
    // The password alone had allowed them: whoever stole it may have added one.
    passkeys::remove_all(conn, id).await?;
    sessions::end_others(conn, id, signed_in.session_id).await?;
    events::record(conn, Kind::SecondFactorSetUp, id, 0, visit, now).await?;
    Ok(factors::new_codes(conn, id).await?)
}
