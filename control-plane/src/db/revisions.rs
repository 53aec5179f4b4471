//! What blueprints said, each time that they were changed by us.

use blueprint::BlueprintSpec;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde_json::json;
use sqlx::PgConnection;

use crate::domain::id::{OperationId, PlatformId};

/// So many of a platform are kept.
const KEPT: i64 = 100;

/// What a blueprint said from some time on.
#[derive(Clone, Debug)]
pub struct Revision {
    /// From 1 on.
    pub number: i64,
    /// What made it so.
    pub operation: OperationId,
    /// By whom.
    pub by: String,
    /// Since when.
    pub at: Timestamp,
    /// What was changed, in a few sentences.
    pub summary: String,
    /// A line for each field.
    pub changes: Vec<String>,
}

/// By this operation it says so from now on, unless that is what it said. Under the platform's lock.
///
/// # Errors
/// The database.
pub async fn write(
    conn: &mut PgConnection,
    operation: OperationId,
    spec: &BlueprintSpec,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query!(
        "with last as (
             select revision.number, revision.spec from control.operation
             join control.revision using (platform)
             where operation.id = $1 order by revision.number desc limit 1
         )
         insert into control.revision (platform, number, operation, by, at, summary, changes, spec)
         select platform, coalesce((select number from last), 0) + 1, id, by, $3, summary, changes, $2
         from control.operation
         where id = $1 and $2::jsonb is distinct from (select spec from last)",
        operation.0,
        json!(spec),
        now.to_sqlx(),
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "delete from control.revision using control.operation
         where operation.id = $1 and revision.platform = operation.platform and number <= (
             select max(number) from control.revision where platform = operation.platform
         ) - $2::bigint",
        operation.0,
        KEPT,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Those of a platform, the latest first, from before this one on.
///
/// # Errors
/// The database.
pub async fn list(
    conn: &mut PgConnection,
    platform: PlatformId,
    before: Option<i64>,
    limit: usize,
) -> sqlx::Result<Vec<Revision>> {
    let rows = sqlx::query!(
        "select number, operation, by, at, summary, changes from control.revision
         where platform = $1 and number < $2 order by number desc limit $3",
        platform.0,
        before.unwrap_or(i64::MAX),
        i64::try_from(limit).unwrap_or(i64::MAX),
    );
    let rows = rows.fetch_all(conn).await?.into_iter().map(|row| Revision {
        number: row.number,
        operation: OperationId(row.operation),
        by: row.by,
        at: row.at.to_jiff(),
        summary: row.summary,
        changes: row.changes,
    });
    Ok(rows.collect())
}

/// What one of them said.
///
/// # Errors
/// The database.
pub async fn spec(
    conn: &mut PgConnection,
    platform: PlatformId,
    number: i64,
) -> sqlx::Result<Option<BlueprintSpec>> {
    let spec = sqlx::query_scalar!(
        "select spec from control.revision where platform = $1 and number = $2",
        platform.0,
        number,
    );
    let spec = spec.fetch_optional(conn).await?.map(serde_json::from_value);
    spec.transpose().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
