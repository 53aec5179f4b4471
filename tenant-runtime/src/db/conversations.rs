//! Conversations in SQL. Each statement names the person, so that nobody reads another's.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::conversation::Conversation;

struct Row {
    id: Uuid,
    person_id: Uuid,
    agent_id: Uuid,
    agent_version: i32,
    title: String,
    head_id: Option<Uuid>,
    updated_at: jiff_sqlx::Timestamp,
}

impl From<Row> for Conversation {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            person_id: row.person_id,
            agent_id: row.agent_id,
            agent_version: row.agent_version,
            title: row.title,
            head_id: row.head_id,
            updated_at: row.updated_at.to_jiff(),
        }
    }
}

/// Begins a conversation without messages.
pub async fn insert(
    db: &mut PgConnection,
    conversation: &Conversation,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO tenant.conversation
             (id, person_id, agent_id, agent_version, title, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6)",
        conversation.id,
        conversation.person_id,
        conversation.agent_id,
        conversation.agent_version,
        conversation.title,
        now.to_sqlx() as _
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A person's conversation, locked until the transaction ends, so that two messages sent at once
/// come one after the other.
pub async fn lock(
    db: &mut PgConnection,
    person_id: Uuid,
    id: Uuid,
) -> sqlx::Result<Option<Conversation>> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, person_id, agent_id, agent_version, title, head_id, updated_at
           FROM tenant.conversation WHERE id = $1 AND person_id = $2 FOR UPDATE",
        id,
        person_id
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(Conversation::from))
}

/// A person's conversation.
pub async fn get(
    db: &mut PgConnection,
    person_id: Uuid,
    id: Uuid,
) -> sqlx::Result<Option<Conversation>> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, person_id, agent_id, agent_version, title, head_id, updated_at
           FROM tenant.conversation WHERE id = $1 AND person_id = $2",
        id,
        person_id
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(Conversation::from))
}

/// A person's conversations, newest first, after `before` if given; at most `limit`.
pub async fn list(
    db: &mut PgConnection,
    person_id: Uuid,
    before: Option<(Timestamp, Uuid)>,
    limit: i64,
) -> sqlx::Result<Vec<Conversation>> {
    let (at, id) = before.unwrap_or((Timestamp::MAX, Uuid::max()));
    let at = at.clamp(Timestamp::UNIX_EPOCH, far_future());
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, person_id, agent_id, agent_version, title, head_id, updated_at
           FROM tenant.conversation
          WHERE person_id = $1 AND (updated_at, id) < ($2, $3)
          ORDER BY updated_at DESC, id DESC
          LIMIT $4",
        person_id,
        at.to_sqlx() as _,
        id,
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(Conversation::from).collect())
}

/// A person's conversations in which the words occur, in title or messages, newest first.
pub async fn search(
    db: &mut PgConnection,
    person_id: Uuid,
    words: &str,
    limit: i64,
) -> sqlx::Result<Vec<Conversation>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, person_id, agent_id, agent_version, title, head_id, updated_at
           FROM tenant.conversation c
          WHERE person_id = $1
            AND (to_tsvector('simple', title) @@ websearch_to_tsquery('simple', $2)
                 OR EXISTS (SELECT 1 FROM tenant.message m
                             WHERE m.conversation_id = c.id
                               AND m.words @@ websearch_to_tsquery('simple', $2)))
          ORDER BY updated_at DESC, id DESC
          LIMIT $3",
        person_id,
        words,
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(Conversation::from).collect())
}

/// Shows another branch: the one that ends in `head_id`.
pub async fn set_head(
    db: &mut PgConnection,
    id: Uuid,
    head_id: Uuid,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE tenant.conversation SET head_id = $2, updated_at = $3 WHERE id = $1",
        id,
        head_id,
        now.to_sqlx() as _
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Deletes a person's conversation with all its messages.
pub async fn delete(db: &mut PgConnection, person_id: Uuid, id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM tenant.conversation WHERE id = $1 AND person_id = $2", id, person_id)
        .execute(db)
        .await?;
    Ok(())
}

/// How many people and conversations were active in a time: `(people, conversations)`.
pub async fn activity(
    db: &mut PgConnection,
    from: Timestamp,
    until: Timestamp,
) -> sqlx::Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"SELECT count(DISTINCT person_id) AS "people!", count(*) AS "conversations!"
             FROM tenant.conversation WHERE updated_at > $1 AND updated_at <= $2"#,
        from.to_sqlx() as _,
        until.to_sqlx() as _
    )
    .fetch_one(db)
    .await?;
    Ok((row.people, row.conversations))
}

/// Postgres' own range is wider than what fits our text form; this is late enough for all.
fn far_future() -> Timestamp {
    Timestamp::from_second(32_503_680_000).unwrap_or(Timestamp::MAX)
}
