//! Model servers and their keys, for whoever runs the control plane. No organization has them, so no
//! audit tells of them.

use jiff::Timestamp;
use sqlx::PgPool;
use uuid::Uuid;

use crate::db::model_servers::{self, Known};
use crate::domain::id::ModelServerId;
use crate::domain::key::Key;

/// The longest name.
const LONGEST: usize = 40;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ModelServerError {
    /// It is no name.
    #[error("{0:?} is no name: 1 to {LONGEST} small letters, digits and hyphens, as in gpu-1")]
    Name(String),
    /// One of this name has a key.
    #[error("the model server {0} has a key already: revoke that first, or choose another name")]
    Taken(String),
    /// None of this name has one.
    #[error("no model server {0} has a key")]
    Nobody(String),
    /// The database.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
}

/// Makes a key for a model server of this name. It is shown here and never again.
///
/// # Errors
/// [`ModelServerError`]
pub async fn add(db: &PgPool, name: &str, now: Timestamp) -> Result<Key, ModelServerError> {
    let name = named(name)?;
    let key = Key::of_model_server();
    let new = Known {
        id: ModelServerId(Uuid::now_v7()),
        name: name.to_owned(),
        prefix: key.prefix().to_owned(),
        created_at: now,
        seen_at: None,
        revoked_at: None,
    };
    let mut conn = db.acquire().await?;
    if model_servers::create(&mut conn, &new, key.hash()).await? {
        Ok(key)
    } else {
        Err(ModelServerError::Taken(new.name))
    }
}

/// A line of each that there is or was, the newest first.
///
/// # Errors
/// The database.
pub async fn list(db: &PgPool) -> Result<Vec<String>, ModelServerError> {
    let mut conn = db.acquire().await?;
    let line = |it: &Known| {
        let seen = it.seen_at.map_or_else(|| "never seen".to_owned(), |at| format!("seen {at}"));
        let state = it.revoked_at.map_or(seen, |at| format!("revoked {at}"));
        format!("{} {} {} made {} {state}", it.name, it.id, it.prefix, it.created_at)
    };
    Ok(model_servers::list(&mut conn).await?.iter().map(line).collect())
}

/// Takes the key of a model server back: from now on it leases nothing and is not heard. What it holds
/// is free again once its leases are over, and the hour of grace behind them.
///
/// # Errors
/// [`ModelServerError`]
pub async fn revoke(db: &PgPool, name: &str, now: Timestamp) -> Result<(), ModelServerError> {
    let name = named(name)?;
    let mut conn = db.acquire().await?;
    if model_servers::revoke(&mut conn, name, now).await? {
        Ok(())
    } else {
        Err(ModelServerError::Nobody(name.to_owned()))
    }
}

/// As the table takes it.
fn named(name: &str) -> Result<&str, ModelServerError> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_name = (1..=LONGEST).contains(&name.len())
        && name.bytes().all(is_plain)
        && !name.starts_with('-')
        && !name.ends_with('-');
    if is_name { Ok(name) } else { Err(ModelServerError::Name(name.to_owned())) }
}
