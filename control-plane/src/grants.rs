//! What the control plane grants at platforms, and the keys that it signs with.
//!
//! ```text
//! made -> named in the operator's settings, so that platforms know it -> signs -> removed here and there
//! ```
//! The first key is made and signs at once, since no platform knows one before it. The private half of each
//! is sealed under the root key. How to change one is in `docs/operations.md`.

use jiff::Timestamp;
use secrecy::SecretString;
use sqlx::PgConnection;
use url::Url;
use web::grant::{self, Kind, PublicKey, SigningKey, Unsignable, Wanted};
use work::sealed::KeyRing;

use crate::app::{App, of_signing_key};
use crate::db::root_keys;
use crate::db::signing_keys::{self as table, Kept};
use crate::error::Error;
use crate::root_keys::GONE;

/// Why nothing was done to a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// None is called so.
    #[error("there is no key {0}: `control-plane grant-keys` tells which there are")]
    None(String),
    /// It signs now.
    #[error("{0} signs now: have another one sign first, by --sign-with")]
    Signs(String),
    /// It cannot be made or sealed.
    #[error("no key could be made: {0}")]
    NotMade(String),
    /// The database.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
}

impl From<Unsignable> for KeyError {
    fn from(error: Unsignable) -> Self {
        Self::NotMade(error.to_string())
    }
}

/// Which platform is granted something.
#[derive(Clone, Copy, Debug)]
pub struct Whom<'a> {
    /// Its name.
    pub name: &'a str,
    /// The uid of its blueprint: the name alone may be another one's by now.
    pub uid: &'a str,
    /// Under which of its names it is asked.
    pub host: &'a str,
}

/// A grant for this platform, good for a minute.
///
/// # Errors
/// [`Error`]
pub async fn sign(app: &App, whom: Whom<'_>, kind: Kind) -> Result<SecretString, Error> {
    let key = signing(app).await?;
    let audience = grant::audience(whom.name, whom.uid);
    let (issuer, host) = (issuer(app.url()), whom.host);
    let wanted = Wanted { issuer: &issuer, audience: &audience, host, kind };
    let signed = grant::sign(&key, wanted, app.now());
    signed.map_err(|error| Error::Internal(error.to_string()))
}

/// How platforms know the control plane that is met at this address.
pub fn issuer(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// The key that signs; the first one is made.
///
/// # Errors
/// [`Error`]
pub async fn signing(app: &App) -> Result<SigningKey, Error> {
    let (mut tx, now) = (app.begin().await?, app.now());
    let mut kept = that_signs(&mut tx).await?;
    if kept.is_none() {
        // Of two that find none, the second finds the first one's.
        table::lock(&mut tx).await?;
        kept = that_signs(&mut tx).await?;
    }
    let kept = if let Some(kept) = kept {
        kept
    } else {
        let new = made(&app.root_keys(), now).map_err(|it| Error::Internal(it.to_string()))?;
        let new = Kept { signs_since: Some(now), ..new };
        table::add(&mut tx, &new).await?;
        tracing::info!(key = new.id, "a key for grants was made: platforms have to know it");
        new
    };
    tx.commit().await?;
    let opened = app.root_keys().open(of_signing_key(&kept.id), &kept.secret);
    let opened = opened.map_err(|error| Error::Internal(format!("open a signing key: {error}")))?;
    SigningKey::read(&opened).map_err(|error| Error::Internal(error.to_string()))
}

/// The public keys, the one first that signs.
///
/// # Errors
/// The database.
pub async fn published(conn: &mut PgConnection) -> sqlx::Result<Vec<PublicKey>> {
    let kept = table::list(conn).await?;
    Ok(kept.iter().filter_map(|key| PublicKey::of(&key.public).ok()).collect())
}

/// Makes another key, which does not sign yet. It is sealed under the root key that those seal under who run,
/// where it is listed here: not all of them may know another one yet.
///
/// # Errors
/// [`KeyError`]
pub async fn add(
    conn: &mut PgConnection,
    listed: &KeyRing,
    now: Timestamp,
) -> Result<String, KeyError> {
    let running = root_keys::seen(&mut *conn, now.saturating_sub(GONE).unwrap_or(now)).await?;
    let seals = running.iter().map(|it| it.seals).find(|key| listed.opens(*key));
    let keys = listed.clone().sealing_under(seals.unwrap_or(listed.seals().id()));
    let new = made(&keys, now)?;
    table::add(conn, &new).await?;
    Ok(new.id)
}

/// Has another key sign from now on.
///
/// # Errors
/// [`KeyError`]
pub async fn sign_with(conn: &mut PgConnection, id: &str, now: Timestamp) -> Result<(), KeyError> {
    if table::sign_with(conn, id, now).await? { Ok(()) } else { Err(KeyError::None(id.to_owned())) }
}

/// Takes a key away. One that signs stays.
///
/// # Errors
/// [`KeyError`]
pub async fn remove(conn: &mut PgConnection, id: &str) -> Result<(), KeyError> {
    if that_signs(&mut *conn).await?.is_some_and(|key| key.id == id) {
        return Err(KeyError::Signs(id.to_owned()));
    }
    if table::remove(conn, id).await? { Ok(()) } else { Err(KeyError::None(id.to_owned())) }
}

async fn that_signs(conn: &mut PgConnection) -> sqlx::Result<Option<Kept>> {
    Ok(table::list(conn).await?.into_iter().find(|key| key.signs_since.is_some()))
}

fn made(keys: &KeyRing, now: Timestamp) -> Result<Kept, KeyError> {
    let (key, secret) = SigningKey::random()?;
    let id = key.public().id().to_owned();
    let sealed = keys.seal(of_signing_key(&id), &secret);
    let secret = sealed.map_err(|error| KeyError::NotMade(error.to_string()))?;
    let public = key.public().bytes().to_vec();
    Ok(Kept { id, public, secret, made_at: now, signs_since: None })
}
