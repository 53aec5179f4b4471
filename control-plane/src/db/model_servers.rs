//! Model servers, and what their keys are known by.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::id::ModelServerId;
use crate::domain::key::KeyHash;

/// That one asks is written down at most this often.
const SEEN_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// A model server. Its key is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub id: ModelServerId,
    /// As whoever runs the control plane calls it.
    pub name: String,
    /// The first letters of its key.
    pub prefix: String,
    /// Since when.
    pub created_at: Timestamp,
    /// When it asked last, to the minute.
    pub seen_at: Option<Timestamp>,
    /// When its key was taken back.
    pub revoked_at: Option<Timestamp>,
}

/// Stores a new one; false where one of this name has a key.
///
/// # Errors
/// The database.
pub async fn create(conn: &mut PgConnection, new: &Known, hash: KeyHash) -> sqlx::Result<bool> {
    let made = sqlx::query!(
        "insert into control.model_server (id, name, prefix, hash, created_at)
         values ($1, $2, $3, $4, $5)
         on conflict (name) where revoked_at is null do nothing",
        new.id.0,
        new.name,
        new.prefix,
        hash.as_bytes(),
        new.created_at.to_sqlx(),
    );
    Ok(made.execute(conn).await?.rows_affected() == 1)
}

/// The one whose key has this hash, if that is good. Writes down that it is used.
///
/// # Errors
/// The database.
pub async fn find(
    conn: &mut PgConnection,
    hash: KeyHash,
    now: Timestamp,
) -> sqlx::Result<Option<ModelServerId>> {
    let row = sqlx::query!(
        r#"select id, seen_at as "seen_at: jiff_sqlx::Timestamp" from control.model_server
         where hash = $1 and revoked_at is null"#,
        hash.as_bytes(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.seen_at.is_none_or(|seen| seen.to_jiff() + SEEN_EVERY <= now) {
        sqlx::query!(
            "update control.model_server set seen_at = $2
             where id = $1 and (seen_at is null or seen_at < $2)",
            row.id,
            now.to_sqlx(),
        )
        .execute(conn)
        .await?;
    }
    Ok(Some(ModelServerId(row.id)))
}

/// All of them, the newest first.
///
/// # Errors
/// The database.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<Known>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select id, name, prefix, created_at, seen_at as "seen_at: _", revoked_at as "revoked_at: _"
         from control.model_server order by id desc"#,
    );
    Ok(rows.fetch_all(conn).await?.into_iter().map(Known::from).collect())
}

/// From now on its key is good for nothing; false where none of this name has one.
///
/// # Errors
/// The database.
pub async fn revoke(conn: &mut PgConnection, name: &str, now: Timestamp) -> sqlx::Result<bool> {
    let revoked = sqlx::query!(
        "update control.model_server set revoked_at = $2 where name = $1 and revoked_at is null",
        name,
        now.to_sqlx(),
    );
    Ok(revoked.execute(conn).await?.rows_affected() == 1)
}

struct Row {
    id: Uuid,
    name: String,
    prefix: String,
    created_at: jiff_sqlx::Timestamp,
    seen_at: Option<jiff_sqlx::Timestamp>,
    revoked_at: Option<jiff_sqlx::Timestamp>,
}

impl From<Row> for Known {
    fn from(row: Row) -> Self {
        Self {
            id: ModelServerId(row.id),
            name: row.name,
            prefix: row.prefix,
            created_at: row.created_at.to_jiff(),
            seen_at: row.seen_at.map(jiff_sqlx::Timestamp::to_jiff),
            revoked_at: row.revoked_at.map(jiff_sqlx::Timestamp::to_jiff),
        }
    }
}
