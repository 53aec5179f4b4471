//! Passkeys: a key of somebody's device lets them in without a password.
//!
//! ```text
//! add       allow_by_password | allow_by_code -> challenge -> the device -> add
//! sign-in   challenge -> the device -> sign_in                          -> Person + Session
//! ```
//! A device that signs has seen its person, and signs for this very site only: neither is there
//! anything to guess, nor to be lured out of people. So nothing is counted, and no code is asked for.
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use uuid::Uuid;
use work::sealed::KeyRing;

use crate::challenge::{self, Purpose};
use crate::events::{self, Kind};
use crate::factors;
use crate::id::new_id;
use crate::second_factor::Proven;
use crate::sessions::{self, Means, NewSession, SignedIn};
use crate::sign_in::Verified;
use crate::webauthn::{Answer, NewKey, Site};
use crate::{DisplayName, Person, Status, Visit, attempts, credentials, people};

/// A person has no more of them.
const AT_MOST: i64 = 20;

/// A passkey, as its person sees it in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    /// For [`remove`].
    pub id: Uuid,
    /// As the device calls it: it makes no second key where it has one.
    pub credential_id: Vec<u8>,
    /// As its person calls it.
    pub name: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it let its person in last.
    pub used_at: Option<Timestamp>,
}

/// Why a passkey does nothing.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyError {
    /// Not known, not for this site, not signed, answered before, or too late: one answer for all.
    #[error("This passkey is not known here, or it took too long; try again")]
    Refused,
    /// Whoever adds one has to show more than that.
    #[error("This is not your password, or you have a second factor: then show that")]
    NotShown,
    /// The device's key is here already, or there are too many.
    #[error("This passkey is here already, or you have 20 of them; remove one first")]
    NoPlace,
    /// The database.
    #[error("use a passkey")]
    Store(#[from] sqlx::Error),
}

/// What a device is to sign for somebody to come in.
pub fn challenge(keys: &KeyRing, now: Timestamp) -> Vec<u8> {
    challenge::new(keys, Purpose::SignIn, now)
}

/// What a device is to sign, for somebody who has shown the password again. Who has a second factor
/// shows that. Call it in a transaction.
pub async fn allow_by_password(
    conn: &mut PgConnection,
    keys: &KeyRing,
    verified: Verified,
    signed_in: &SignedIn,
    now: Timestamp,
) -> Result<Vec<u8>, PasskeyError> {
    let Verified { counted, credential, .. } = verified;
    let is_theirs = credential.person_id == signed_in.person.id
        && credentials::still_is(conn, &credential).await?;
    if !is_theirs || factors::has(conn, credential.person_id).await? {
        return Err(PasskeyError::NotShown);
    }
    attempts::succeeded(conn, &counted, now).await?;
    Ok(challenge::new(keys, Purpose::Add(signed_in.session_id), now))
}

/// What a device is to sign, for somebody who has shown the second factor again.
pub fn allow_by_code(
    keys: &KeyRing,
    proven: &Proven,
    signed_in: &SignedIn,
    now: Timestamp,
) -> Result<Vec<u8>, PasskeyError> {
    if proven.person_id != signed_in.person.id {
        return Err(PasskeyError::NotShown);
    }
    Ok(challenge::new(keys, Purpose::Add(signed_in.session_id), now))
}

/// Adds the device's key. Call it in a transaction, and roll back on an error.
pub async fn add(
    conn: &mut PgConnection,
    (keys, site): (&KeyRing, Site<'_>),
    signed_in: &SignedIn,
    (new, name, visit): (&NewKey, &DisplayName, &Visit),
    now: Timestamp,
) -> Result<(), PasskeyError> {
    let id = signed_in.person.id;
    let (challenge, credential_id, count) = new.read(site).ok_or(PasskeyError::Refused)?;
    let asked = (&challenge[..], Purpose::Add(signed_in.session_id));
    // Who was signed out while the device was asked adds nothing any more.
    let is_on = sessions::is_on(conn, signed_in.session_id, now).await?;
    if !is_on || !challenge::consume(conn, keys, asked, now).await? {
        return Err(PasskeyError::Refused);
    }
    let done = sqlx::query!(
        "insert into accounts.passkey
             (id, person_id, credential_id, public_key, algorithm, signatures, name, created_at)
         select $1, $2, $3, $4, $5, $6, $7, $8
         where (select count(*) from accounts.passkey where person_id = $2) < $9
         on conflict do nothing",
        new_id(now),
        id,
        credential_id,
        new.public_key,
        new.algorithm,
        i64::from(count),
        name.as_str(),
        now.to_sqlx(),
        AT_MOST,
    )
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() == 0 {
        return Err(PasskeyError::NoPlace);
    }
    Ok(events::record(conn, Kind::PasskeyAdded, id, 0, visit, now).await?)
}

/// Lets in whose device has signed. Call it in a transaction, and roll back on an error.
pub async fn sign_in(
    conn: &mut PgConnection,
    (keys, site): (&KeyRing, Site<'_>),
    answer: &Answer,
    visit: &Visit,
    now: Timestamp,
) -> Result<(Person, NewSession), PasskeyError> {
    let known = sqlx::query!(
        "select passkey.id, person_id, public_key, algorithm, signatures
         from accounts.passkey join accounts.person on person.id = person_id
         where credential_id = $1 for share of person for no key update of passkey",
        answer.credential_id,
    )
    .fetch_optional(&mut *conn)
    .await?
    .ok_or(PasskeyError::Refused)?;
    let read = answer.read(site, (&known.public_key, known.algorithm));
    let (challenge, count) = read.ok_or(PasskeyError::Refused)?;
    let count = i64::from(count);
    // Devices that count begin at one, and others say nothing but zero.
    let was_copied = (count > 0 || known.signatures > 0) && count <= known.signatures;
    let asked = (&challenge[..], Purpose::SignIn);
    if was_copied || !challenge::consume(conn, keys, asked, now).await? {
        return Err(PasskeyError::Refused);
    }
    let person = people::get(conn, known.person_id).await?;
    let person = person.filter(|person| person.status == Status::Active);
    let person = person.ok_or(PasskeyError::Refused)?;
    sqlx::query!(
        "update accounts.passkey set signatures = $2, used_at = $3 where id = $1",
        known.id,
        count,
        now.to_sqlx(),
    )
    .execute(&mut *conn)
    .await?;
    let session = sessions::begin(conn, (person.id, Means::Passkey), visit, now).await?;
    events::record(conn, Kind::SignedInByPasskey, person.id, 0, visit, now).await?;
    Ok((person, session))
}

/// A person's passkeys, the oldest first.
pub async fn list(conn: &mut PgConnection, person_id: Uuid) -> sqlx::Result<Vec<Passkey>> {
    sqlx::query!(
        "select id, credential_id, name, created_at, used_at from accounts.passkey
         where person_id = $1 order by id",
        person_id,
    )
    .map(|row| Passkey {
        id: row.id,
        credential_id: row.credential_id,
        name: row.name,
        created_at: row.created_at.to_jiff(),
        used_at: row.used_at.map(jiff_sqlx::Timestamp::to_jiff),
    })
    .fetch_all(conn)
    .await
}

/// Takes one of a person's passkeys away; false where they have no such one.
pub async fn remove(
    conn: &mut PgConnection,
    person_id: Uuid,
    id: Uuid,
    visit: &Visit,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "delete from accounts.passkey where person_id = $1 and id = $2",
        person_id,
        id,
    )
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    events::record(conn, Kind::PasskeyRemoved, person_id, 0, visit, now).await?;
    Ok(true)
}

/// Takes all of a person's passkeys away, and says how many those were.
pub async fn remove_all(conn: &mut PgConnection, person_id: Uuid) -> sqlx::Result<u64> {
    let done = sqlx::query!("delete from accounts.passkey where person_id = $1", person_id)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}
