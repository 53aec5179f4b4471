//! What a device is asked to sign: a number that we know again without having kept it.
//!
//! Whoever opens the page to sign in gets one, so a table of them would grow with strangers. It carries
//! when it ends, and a code over that and what it is for, under a key derived from the root key that seals. That
//! none is answered twice is written down when one is answered.
use aws_lc_rs::hmac;
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;
use work::sealed::{KeyRing, RootKey};

/// So long there is time to answer.
const LIFETIME: SignedDuration = SignedDuration::from_mins(5);
/// When it ends, in seconds, and a number that nobody has seen.
const TOLD: usize = 8 + 16;

/// What is to be signed for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// To come in.
    SignIn,
    /// To add a key, from this session.
    Add(Uuid),
}

/// A new one.
pub(crate) fn new(keys: &KeyRing, purpose: Purpose, now: Timestamp) -> Vec<u8> {
    let mut told = (now + LIFETIME).as_second().to_be_bytes().to_vec();
    told.extend(rand::random::<[u8; 16]>());
    let code = hmac::sign(&mac_key(keys.seals()), &message(&told, purpose));
    told.extend(code.as_ref());
    told
}

/// Uses it up; false where it is none of ours, for something else, too old, or was answered. Call it
/// in the transaction of what it allows.
pub(crate) async fn consume(
    conn: &mut PgConnection,
    keys: &KeyRing,
    (challenge, purpose): (&[u8], Purpose),
    now: Timestamp,
) -> sqlx::Result<bool> {
    let Some((told, code)) = challenge.split_at_checked(TOLD) else { return Ok(false) };
    let message = message(told, purpose);
    if !keys.keys().any(|key| hmac::verify(&mac_key(key), &message, code).is_ok()) {
        return Ok(false);
    }
    let end = told.first_chunk().map(|end| i64::from_be_bytes(*end));
    let Some(end) = end.and_then(|end| Timestamp::from_second(end).ok()) else { return Ok(false) };
    if end <= now {
        return Ok(false);
    }
    sqlx::query!("delete from accounts.answered_challenge where expires_at <= $1", now.to_sqlx())
        .execute(&mut *conn)
        .await?;
    let done = sqlx::query!(
        "insert into accounts.answered_challenge (hash, expires_at) values ($1, $2)
         on conflict do nothing",
        &Sha256::digest(challenge)[..],
        end.to_sqlx(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

fn mac_key(key: &RootKey) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &key.derive("challenges of passkeys, version 1")[..])
}

fn message(told: &[u8], purpose: Purpose) -> Vec<u8> {
    let (kind, session) = match purpose {
        Purpose::SignIn => (0, Uuid::nil()),
        Purpose::Add(session) => (1, session),
    };
    [&[kind], told, session.as_bytes()].concat()
}
