//! Agents and their versions in SQL.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::agent::{Agent, Draft};

struct Row {
    id: Uuid,
    slug: String,
    owner_id: Option<Uuid>,
    published: Option<i32>,
    number: i32,
    name: String,
    description: String,
    instructions: String,
    model: Option<String>,
    starters: Vec<String>,
    created_at: jiff_sqlx::Timestamp,
}

impl From<Row> for Agent {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            slug: row.slug,
            owner_id: row.owner_id,
            published: row.published,
            version: row.number,
            text: Draft {
                name: row.name,
                description: row.description,
                instructions: row.instructions,
                model: row.model,
                starters: row.starters,
            },
            written_at: row.created_at.to_jiff(),
        }
    }
}

/// All that people can talk to, by name; at most `limit`.
pub async fn published(db: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<Agent>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT a.id, a.slug, a.owner_id, a.published, v.number, v.name, v.description,
                v.instructions, v.model, v.starters, v.created_at
           FROM tenant.agent a
           JOIN tenant.agent_version v ON v.agent_id = a.id AND v.number = a.published
          WHERE a.archived_at IS NULL
          ORDER BY v.name, a.id
          LIMIT $1",
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(Agent::from).collect())
}

/// Every agent with its newest version, published or not; at most `limit`.
pub async fn all_newest(db: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<Agent>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT a.id AS "id!", a.slug AS "slug!", a.owner_id, a.published,
                  v.number AS "number!", v.name AS "name!", v.description AS "description!",
                  v.instructions AS "instructions!", v.model, v.starters AS "starters!",
                  v.created_at AS "created_at!: jiff_sqlx::Timestamp"
             FROM tenant.agent a
             JOIN LATERAL (SELECT * FROM tenant.agent_version
                            WHERE agent_id = a.id ORDER BY number DESC LIMIT 1) v ON true
            WHERE a.archived_at IS NULL
            ORDER BY v.name, a.id
            LIMIT $1"#,
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(Agent::from).collect())
}

/// The published version at an address.
pub async fn by_slug(db: &mut PgConnection, slug: &str) -> sqlx::Result<Option<Agent>> {
    let row = sqlx::query_as!(
        Row,
        "SELECT a.id, a.slug, a.owner_id, a.published, v.number, v.name, v.description,
                v.instructions, v.model, v.starters, v.created_at
           FROM tenant.agent a
           JOIN tenant.agent_version v ON v.agent_id = a.id AND v.number = a.published
          WHERE a.slug = $1 AND a.archived_at IS NULL",
        slug
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(Agent::from))
}

/// One version, for a conversation that stays on it.
pub async fn version(
    db: &mut PgConnection,
    agent_id: Uuid,
    number: i32,
) -> sqlx::Result<Option<Agent>> {
    let row = sqlx::query_as!(
        Row,
        "SELECT a.id, a.slug, a.owner_id, a.published, v.number, v.name, v.description,
                v.instructions, v.model, v.starters, v.created_at
           FROM tenant.agent a
           JOIN tenant.agent_version v ON v.agent_id = a.id
          WHERE a.id = $1 AND v.number = $2",
        agent_id,
        number
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(Agent::from))
}

/// The newest version of an agent, published or not.
pub async fn newest(db: &mut PgConnection, agent_id: Uuid) -> sqlx::Result<Option<Agent>> {
    let row = sqlx::query_as!(
        Row,
        "SELECT a.id, a.slug, a.owner_id, a.published, v.number, v.name, v.description,
                v.instructions, v.model, v.starters, v.created_at
           FROM tenant.agent a
           JOIN tenant.agent_version v ON v.agent_id = a.id
          WHERE a.id = $1 AND a.archived_at IS NULL
          ORDER BY v.number DESC
          LIMIT 1",
        agent_id
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(Agent::from))
}

/// Adds an agent with no version yet. `false`: the address is taken.
pub async fn insert(
    db: &mut PgConnection,
    id: Uuid,
    slug: &str,
    owner_id: Option<Uuid>,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO tenant.agent (id, slug, owner_id, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT ON CONSTRAINT agent_slug_key DO NOTHING",
        id,
        slug,
        owner_id,
        now.to_sqlx() as _
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Locks an agent until the transaction ends, so that no version is added meanwhile. `false`: there
/// is none.
pub async fn lock(db: &mut PgConnection, agent_id: Uuid) -> sqlx::Result<bool> {
    let found = sqlx::query!("SELECT id FROM tenant.agent WHERE id = $1 FOR UPDATE", agent_id)
        .fetch_optional(db)
        .await?;
    Ok(found.is_some())
}

/// Writes the next version of an agent and returns its number.
pub async fn add_version(
    db: &mut PgConnection,
    agent_id: Uuid,
    draft: &Draft,
    author_id: Option<Uuid>,
    now: Timestamp,
) -> sqlx::Result<i32> {
    // The agent's row is the lock under which its versions are counted.
    lock(db, agent_id).await?;
    sqlx::query_scalar!(
        r#"INSERT INTO tenant.agent_version
               (agent_id, number, name, description, instructions, model, starters, author_id,
                created_at)
           SELECT $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5, $6, $7, $8
             FROM tenant.agent_version WHERE agent_id = $1
           RETURNING number"#,
        agent_id,
        draft.name,
        draft.description,
        draft.instructions,
        draft.model,
        &draft.starters,
        author_id,
        now.to_sqlx() as _
    )
    .fetch_one(db)
    .await
}

/// Makes a version the one people meet.
pub async fn publish(db: &mut PgConnection, agent_id: Uuid, number: i32) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE tenant.agent SET published = $2
          WHERE id = $1 AND archived_at IS NULL
            AND EXISTS (SELECT 1 FROM tenant.agent_version
                         WHERE agent_id = $1 AND number = $2)",
        agent_id,
        number
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes an agent away from people; its conversations stay readable.
pub async fn unpublish(db: &mut PgConnection, agent_id: Uuid) -> sqlx::Result<bool> {
    let done = sqlx::query!("UPDATE tenant.agent SET published = NULL WHERE id = $1", agent_id)
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// How many agents people made themselves.
pub async fn count_own(db: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM tenant.agent
            WHERE owner_id IS NOT NULL AND archived_at IS NULL"#
    )
    .fetch_one(db)
    .await
}
