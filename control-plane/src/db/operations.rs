//! What was done to platforms, and how far each is.

use blueprint::BlueprintSpec;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::db::platforms::{self, Owned};
use crate::db::revisions;
use crate::domain::id::{OperationId, OrganizationId, PlatformId};
use crate::domain::operation::{Kind, NoSuchWord, Operation, Standing, State};

/// So many of a platform are kept.
const KEPT: i64 = 100;

/// What is to be done to a platform.
#[derive(Clone, Debug)]
pub struct New<'a> {
    /// What.
    pub kind: Kind,
    /// What its blueprint is to say, where that is known before.
    pub wanted: Option<&'a BlueprintSpec>,
    /// What that changes, in words.
    pub words: Words,
}

/// A change, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// All of it, in a few sentences.
    pub summary: String,
    /// A line for each field.
    pub changes: Vec<String>,
}

/// It is begun; by whom. In the transaction of its line of the audit.
///
/// # Errors
/// The database.
pub async fn begin(
    conn: &mut PgConnection,
    owned: &Owned,
    (by, new): (&str, New<'_>),
    now: Timestamp,
) -> sqlx::Result<OperationId> {
    let id = OperationId(Uuid::now_v7());
    sqlx::query!(
        "insert into control.operation
             (id, platform, organization, kind, by, wanted, summary, changes, begun_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        id.0,
        owned.id.0,
        owned.organization.0,
        new.kind.word(),
        by,
        new.wanted.map(|wanted| json!(wanted)),
        new.words.summary,
        &new.words.changes,
        now.to_sqlx(),
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "delete from control.operation where platform = $1 and state <> 'running' and id < (
             select id from control.operation where platform = $1 order by id desc offset $2 limit 1
         )",
        owned.id.0,
        KEPT,
    )
    .execute(conn)
    .await?;
    Ok(id)
}

/// The cluster took it: the blueprint says so from this generation on, and what was begun before on the
/// same platform comes about no more. False where that was known.
///
/// # Errors
/// The database.
pub async fn taken(
    conn: &mut PgConnection,
    (platform, id): (PlatformId, OperationId),
    (generation, spec): (i64, &BlueprintSpec),
    now: Timestamp,
) -> sqlx::Result<bool> {
    platforms::lock(&mut *conn, platform).await?;
    // It may have been thought to be over, by what was done beside it.
    let kind = sqlx::query_scalar!(
        "update control.operation set generation = $2, state = 'running', ended_at = null, error = null
         where id = $1 and generation is null
         returning kind",
        id.0,
        generation,
    );
    let Some(kind) = kind.fetch_optional(&mut *conn).await? else { return Ok(false) };
    let is_deletion = kind == Kind::Delete.word();
    if !is_deletion && ![Kind::Release.word(), Kind::Retry.word()].contains(&&*kind) {
        revisions::write(&mut *conn, id, spec, now).await?;
    }
    // Of what is deleted nothing comes about, whatever its generation.
    let generation = if is_deletion { i64::MAX } else { generation };
    supersede(conn, (platform, id), generation, now).await?;
    Ok(true)
}

/// A blueprint that is made counts its generations anew.
async fn supersede(
    conn: &mut PgConnection,
    (platform, id): (PlatformId, OperationId),
    generation: i64,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update control.operation set state = 'superseded', ended_at = greatest($4, begun_at)
         where platform = $1 and state = 'running' and id <> $2
           and (generation < $3 or ((generation is null or kind = 'delete' or $3 = 1) and id < $2))",
        platform.0,
        id.0,
        generation,
        now.to_sqlx(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// It stands so by now, where it is on its way and nobody said otherwise since.
///
/// # Errors
/// The database.
pub async fn stands(
    conn: &mut PgConnection,
    of: &Operation,
    standing: &Standing,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let ended = (standing.state != State::Running).then(|| now.to_sqlx());
    let written = sqlx::query!(
        "update control.operation
         set state = $3, phase = $4, progress = $5, error = $6, ended_at = $7
         where id = $1 and state = 'running' and generation is not distinct from $2",
        of.id.0,
        of.generation,
        standing.state.word(),
        standing.phase,
        i16::from(standing.progress),
        standing.error,
        ended as _,
    );
    Ok(written.execute(conn).await?.rows_affected() == 1)
}

/// It was not done, for this reason.
///
/// # Errors
/// The database.
pub async fn failed(
    conn: &mut PgConnection,
    id: OperationId,
    why: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update control.operation set state = 'failed', error = $2, ended_at = $3
         where id = $1 and state = 'running'",
        id.0,
        why,
        now.to_sqlx(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What makes this platform: the latest that did not fail.
///
/// # Errors
/// The database.
pub async fn making(
    conn: &mut PgConnection,
    platform: PlatformId,
) -> sqlx::Result<Option<OperationId>> {
    let id = sqlx::query_scalar!(
        "select id from control.operation
         where platform = $1 and kind in ('create', 'clone') and state <> 'failed'
         order by id desc limit 1",
        platform.0,
    );
    Ok(id.fetch_optional(conn).await?.map(OperationId))
}

/// One of this organization's, and its platform.
///
/// # Errors
/// The database.
pub async fn get(
    conn: &mut PgConnection,
    organization: OrganizationId,
    id: OperationId,
) -> sqlx::Result<Option<Operation>> {
    let row = sqlx::query_as!(
        Row,
        "select id, platform, kind, state, by, wanted, generation, phase, progress, error, begun_at,
                ended_at
         from control.operation where organization = $1 and id = $2",
        organization.0,
        id.0,
    );
    row.fetch_optional(conn).await?.map(Operation::try_from).transpose()
}

/// Those of a platform, the latest first, from before this one on.
///
/// # Errors
/// The database.
pub async fn list(
    conn: &mut PgConnection,
    platform: PlatformId,
    before: Option<OperationId>,
    limit: usize,
) -> sqlx::Result<Vec<Operation>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, platform, kind, state, by, wanted, generation, phase, progress, error, begun_at,
                ended_at
         from control.operation where platform = $1 and id < $2
         order by id desc limit $3",
        platform.0,
        before.map_or(Uuid::max(), |before| before.0),
        i64::try_from(limit).unwrap_or(i64::MAX),
    );
    rows.fetch_all(conn).await?.into_iter().map(Operation::try_from).collect()
}

/// Those that are on their way, of all platforms, from behind this one on; each with its platform.
///
/// # Errors
/// The database.
pub async fn running(
    conn: &mut PgConnection,
    after: Option<OperationId>,
    limit: usize,
) -> sqlx::Result<Vec<(Operation, Owned)>> {
    let rows = sqlx::query!(
        "select operation.id, platform, kind, state, by, wanted, generation, phase, progress, error,
                begun_at, ended_at, name, platform.organization, created_at, found
         from control.operation join control.platform on platform.id = platform
         where state = 'running' and operation.id > $1
         order by operation.id limit $2",
        after.map_or(Uuid::nil(), |after| after.0),
        i64::try_from(limit).unwrap_or(i64::MAX),
    );
    let rows = rows.fetch_all(conn).await?.into_iter();
    rows.map(|row| {
        let owned = Owned {
            id: PlatformId(row.platform),
            name: row.name.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            organization: OrganizationId(row.organization),
            created_at: row.created_at.to_jiff(),
            found: row.found,
        };
        let operation = Row {
            id: row.id,
            platform: row.platform,
            kind: row.kind,
            state: row.state,
            by: row.by,
            wanted: row.wanted,
            generation: row.generation,
            phase: row.phase,
            progress: row.progress,
            error: row.error,
            begun_at: row.begun_at,
            ended_at: row.ended_at,
        };
        Ok((Operation::try_from(operation)?, owned))
    })
    .collect()
}

struct Row {
    id: Uuid,
    platform: Uuid,
    kind: String,
    state: String,
    by: String,
    wanted: Option<serde_json::Value>,
    generation: Option<i64>,
    phase: Option<String>,
    progress: i16,
    error: Option<String>,
    begun_at: jiff_sqlx::Timestamp,
    ended_at: Option<jiff_sqlx::Timestamp>,
}

impl TryFrom<Row> for Operation {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        let unread = |error: Box<dyn std::error::Error + Send + Sync>| sqlx::Error::Decode(error);
        let wanted = row.wanted.map(serde_json::from_value).transpose();
        let standing = Standing {
            state: row.state.parse().map_err(|error: NoSuchWord| unread(error.into()))?,
            phase: row.phase,
            progress: u8::try_from(row.progress).unwrap_or_default(),
            error: row.error,
        };
        Ok(Self {
            id: OperationId(row.id),
            platform: PlatformId(row.platform),
            kind: row.kind.parse::<Kind>().map_err(|error| unread(error.into()))?,
            standing,
            by: row.by,
            generation: row.generation,
            wanted: wanted.map_err(|error| unread(error.into()))?,
            begun_at: row.begun_at.to_jiff(),
            ended_at: row.ended_at.map(jiff_sqlx::Timestamp::to_jiff),
        })
    }
}
