//! Platforms that were deleted, and what they were.

use std::collections::HashSet;

use blueprint::BlueprintSpec;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::db::platforms::Owned;
use crate::domain::breaker::{Deleted, OVER};
use crate::domain::id::PlatformId;

/// A platform that was deleted, and not brought back.
#[derive(Clone, Debug)]
pub struct Deletion {
    /// Which deletion of it.
    pub id: Uuid,
    /// By whom.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// As its blueprint said at that moment.
    pub spec: BlueprintSpec,
}

/// Until the transaction ends nobody else deletes anything: what was counted stays so.
///
/// # Errors
/// The database.
pub async fn one_at_a_time(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("select pg_advisory_xact_lock(hashtext('control.deletion'))").execute(conn).await?;
    Ok(())
}

/// How many were deleted of late, of all and of this one's organization.
///
/// # Errors
/// The database.
pub async fn lately(
    conn: &mut PgConnection,
    owned: &Owned,
    now: Timestamp,
) -> sqlx::Result<[Deleted; 2]> {
    let since = now - OVER;
    let counts = sqlx::query!(
        r#"select
               (select count(*) from control.platform where gone_at is null and found is null) as "all!",
               (select count(*) from control.platform
                where gone_at is null and found is null and organization = $1) as "own!",
               (select count(*) from control.deletion
                where at > $2 and undone_at is null) as "deleted!",
               (select count(*) from control.deletion
                where at > $2 and undone_at is null and organization = $1) as "own_deleted!",
               (select min(at) from control.deletion
                where at > $2 and undone_at is null) as "first: jiff_sqlx::Timestamp",
               (select min(at) from control.deletion
                where at > $2 and undone_at is null and organization = $1)
                   as "own_first: jiff_sqlx::Timestamp""#,
        owned.organization.0,
        since.to_sqlx(),
    )
    .fetch_one(conn)
    .await?;
    let first = |at: Option<jiff_sqlx::Timestamp>| at.map(jiff_sqlx::Timestamp::to_jiff);
    let count = |count: i64| u64::try_from(count).unwrap_or_default();
    Ok([
        Deleted {
            of: count(counts.all),
            lately: count(counts.deleted),
            first: first(counts.first),
        },
        Deleted {
            of: count(counts.own),
            lately: count(counts.own_deleted),
            first: first(counts.own_first),
        },
    ])
}

/// It is deleted from now on; which deletion that is.
///
/// # Errors
/// The database.
pub async fn begin(
    conn: &mut PgConnection,
    owned: &Owned,
    by: &str,
    spec: &BlueprintSpec,
    now: Timestamp,
) -> sqlx::Result<Uuid> {
    let id = Uuid::now_v7();
    sqlx::query!(
        "insert into control.deletion (id, platform, organization, by, spec, at)
         values ($1, $2, $3, $4, $5, $6)",
        id,
        owned.id.0,
        owned.organization.0,
        by,
        json!(spec),
        now.to_sqlx(),
    )
    .execute(conn)
    .await?;
    Ok(id)
}

/// What it was, as it was seen later than when that began.
///
/// # Errors
/// The database.
pub async fn renew(conn: &mut PgConnection, id: Uuid, spec: &BlueprintSpec) -> sqlx::Result<()> {
    sqlx::query!("update control.deletion set spec = $2 where id = $1", id, json!(spec))
        .execute(conn)
        .await?;
    Ok(())
}

/// How it was deleted; `None`, where it was not, or was brought back.
///
/// # Errors
/// The database.
pub async fn of(conn: &mut PgConnection, platform: PlatformId) -> sqlx::Result<Option<Deletion>> {
    let row = sqlx::query!(
        "select id, by, at, spec from control.deletion where platform = $1 and undone_at is null",
        platform.0,
    );
    let Some(row) = row.fetch_optional(conn).await? else { return Ok(None) };
    let spec = serde_json::from_value(row.spec);
    let spec = spec.map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(Some(Deletion { id: row.id, by: row.by, at: row.at.to_jiff(), spec }))
}

/// Which of these were deleted, and not brought back.
///
/// # Errors
/// The database.
pub async fn among(
    conn: &mut PgConnection,
    platforms: &[PlatformId],
) -> sqlx::Result<HashSet<PlatformId>> {
    let ids: Vec<Uuid> = platforms.iter().map(|id| id.0).collect();
    let found = sqlx::query_scalar!(
        "select platform from control.deletion where platform = any($1) and undone_at is null",
        &ids,
    );
    Ok(found.fetch_all(conn).await?.into_iter().map(PlatformId).collect())
}

/// It is brought back.
///
/// # Errors
/// The database.
pub async fn undo(conn: &mut PgConnection, id: Uuid, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query!(
        "update control.deletion set undone_at = $2 where id = $1 and undone_at is null",
        id,
        now.to_sqlx(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
