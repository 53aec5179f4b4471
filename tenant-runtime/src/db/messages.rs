//! Messages in SQL: a tree in which nothing is overwritten.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::conversation::{Message, Role, State};

/// How many messages of a branch are read at the most.
const LONGEST_BRANCH: i32 = 2000;

/// A new message to store.
pub struct New<'a> {
    /// Its id.
    pub id: Uuid,
    /// In which conversation.
    pub conversation_id: Uuid,
    /// Which message it answers.
    pub parent_id: Option<Uuid>,
    /// Who speaks.
    pub role: Role,
    /// The words.
    pub body: &'a str,
    /// Where it stands.
    pub state: State,
}

/// Stores a message.
pub async fn insert(db: &mut PgConnection, new: New<'_>, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO tenant.message
             (id, conversation_id, parent_id, role, body, state, created_at, spoken_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $6 = 'streaming' THEN now() END)",
        new.id,
        new.conversation_id,
        new.parent_id,
        new.role.as_str(),
        new.body,
        new.state.as_str(),
        now.to_sqlx() as _
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The branch that ends in `head_id`, first message first, each with its place among its siblings.
pub async fn branch(
    db: &mut PgConnection,
    conversation_id: Uuid,
    head_id: Uuid,
) -> sqlx::Result<Vec<Message>> {
    let rows = sqlx::query!(
        r#"WITH RECURSIVE up AS (
               SELECT m.id, m.parent_id, 1 AS depth FROM tenant.message m
                WHERE m.conversation_id = $1 AND m.id = $2
               UNION ALL
               SELECT m.id, m.parent_id, up.depth + 1 FROM tenant.message m
                 JOIN up ON m.id = up.parent_id
                WHERE m.conversation_id = $1 AND up.depth < $3
           ), numbered AS (
               SELECT m.id,
                      row_number() OVER w AS place,
                      count(*) OVER (PARTITION BY m.parent_id) AS places,
                      lag(m.id) OVER w AS before,
                      lead(m.id) OVER w AS after
                 FROM tenant.message m
                WHERE m.conversation_id = $1
               WINDOW w AS (PARTITION BY m.parent_id ORDER BY m.created_at, m.id)
           )
           SELECT m.id AS "id!", m.parent_id, m.role AS "role!", m.body AS "body!",
                  m.state AS "state!", m.note,
                  m.created_at AS "created_at!: jiff_sqlx::Timestamp",
                  n.place AS "place!", n.places AS "places!", n.before, n.after
             FROM up
             JOIN tenant.message m ON m.id = up.id
             JOIN numbered n ON n.id = m.id
            ORDER BY up.depth DESC"#,
        conversation_id,
        head_id,
        LONGEST_BRANCH
    )
    .fetch_all(db)
    .await?;
    let messages = rows.into_iter().map(|row| Message {
        id: row.id,
        parent_id: row.parent_id,
        role: Role::parse(&row.role),
        body: row.body,
        state: State::parse(&row.state),
        note: row.note,
        created_at: row.created_at.to_jiff(),
        place: (row.place - 1, row.places),
        siblings: (row.before, row.after),
    });
    Ok(messages.collect())
}

/// One message of a person's own conversations: its conversation, parent, role, words and state.
pub struct Found {
    /// In which conversation.
    pub conversation_id: Uuid,
    /// Which message it answers.
    pub parent_id: Option<Uuid>,
    /// Who speaks.
    pub role: Role,
    /// The words so far.
    pub body: String,
    /// Where it stands.
    pub state: State,
    /// What the person should know about how it ended.
    pub note: Option<String>,
}

/// A message, if the conversation is this person's.
pub async fn get(db: &mut PgConnection, person_id: Uuid, id: Uuid) -> sqlx::Result<Option<Found>> {
    let row = sqlx::query!(
        "SELECT m.conversation_id, m.parent_id, m.role, m.body, m.state, m.note
           FROM tenant.message m JOIN tenant.conversation c ON c.id = m.conversation_id
          WHERE m.id = $1 AND c.person_id = $2",
        id,
        person_id
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Found {
        conversation_id: row.conversation_id,
        parent_id: row.parent_id,
        role: Role::parse(&row.role),
        body: row.body,
        state: State::parse(&row.state),
        note: row.note,
    }))
}

/// The answer that is being spoken in a conversation.
pub async fn speaking(db: &mut PgConnection, conversation_id: Uuid) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "SELECT id FROM tenant.message WHERE conversation_id = $1 AND state = 'streaming'",
        conversation_id
    )
    .fetch_optional(db)
    .await
}

/// The last message of the newest branch under a message, to show a branch whole.
pub async fn newest_leaf(
    db: &mut PgConnection,
    conversation_id: Uuid,
    id: Uuid,
) -> sqlx::Result<Uuid> {
    let leaf = sqlx::query_scalar!(
        r#"WITH RECURSIVE down AS (
               SELECT $2::uuid AS id, 1 AS depth
               UNION ALL
               SELECT (SELECT m.id FROM tenant.message m
                        WHERE m.conversation_id = $1 AND m.parent_id = down.id
                        ORDER BY m.created_at DESC, m.id DESC LIMIT 1), down.depth + 1
                 FROM down WHERE down.id IS NOT NULL AND down.depth < $3
           )
           SELECT id AS "id!" FROM down WHERE id IS NOT NULL ORDER BY depth DESC LIMIT 1"#,
        conversation_id,
        id,
        LONGEST_BRANCH
    )
    .fetch_one(db)
    .await?;
    Ok(leaf)
}

/// Keeps what has been said so far of an answer, and that it is still being spoken. `false`:
/// somebody has ended it.
pub async fn keep(db: &mut PgConnection, id: Uuid, body: &str) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE tenant.message SET body = $2, spoken_at = now()
          WHERE id = $1 AND state = 'streaming'",
        id,
        body
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Keeps that an answer is still being spoken, where nothing more was said. `false`: somebody has
/// ended it.
pub async fn keep_on(db: &mut PgConnection, id: Uuid) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE tenant.message SET spoken_at = now() WHERE id = $1 AND state = 'streaming'",
        id
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// How far an answer is that somebody else speaks.
pub struct SoFar {
    /// In which conversation.
    pub conversation_id: Uuid,
    /// The words so far.
    pub body: String,
    /// Where it stands.
    pub state: State,
    /// What the person should know about how it ended.
    pub note: Option<String>,
}

/// How far an answer is; nothing when it was deleted.
pub async fn so_far(db: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<SoFar>> {
    let row = sqlx::query!(
        "SELECT conversation_id, body, state, note FROM tenant.message WHERE id = $1",
        id
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| SoFar {
        conversation_id: row.conversation_id,
        body: row.body,
        state: State::parse(&row.state),
        note: row.note,
    }))
}

/// How an answer ended.
pub struct End<'a> {
    /// All its words.
    pub body: &'a str,
    /// Where it stands now.
    pub state: State,
    /// What the person should know.
    pub note: Option<&'a str>,
    /// Prompt and completion tokens, as the engine counted them.
    pub tokens: Option<(i32, i32)>,
}

/// Ends an answer, once: a second end changes nothing.
pub async fn finish(
    db: &mut PgConnection,
    id: Uuid,
    end: End<'_>,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE tenant.message
            SET body = $2, state = $3, note = $4, prompt_tokens = $5, completion_tokens = $6,
                finished_at = $7
          WHERE id = $1 AND state = 'streaming'",
        id,
        end.body,
        end.state.as_str(),
        end.note,
        end.tokens.map(|t| t.0),
        end.tokens.map(|t| t.1),
        now.to_sqlx() as _
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends an answer that somebody else speaks, with the words that were kept.
pub async fn stop(
    db: &mut PgConnection,
    id: Uuid,
    (state, note): (State, &str),
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE tenant.message SET state = $2, note = $3, finished_at = $4
          WHERE id = $1 AND state = 'streaming'",
        id,
        state.as_str(),
        note,
        now.to_sqlx() as _
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Answers of which nobody has said for 30 s that it still speaks them are over; what they had said
/// is kept. Those of one conversation, or all.
pub async fn interrupt_silent(
    db: &mut PgConnection,
    conversation_id: Option<Uuid>,
    now: Timestamp,
) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "UPDATE tenant.message
            SET state = 'interrupted', finished_at = $1,
                note = 'The server restarted while this was being written. Regenerate to try again.'
          WHERE state = 'streaming' AND ($2::uuid IS NULL OR conversation_id = $2)
            AND coalesce(spoken_at, created_at) < now() - interval '30 seconds'",
        now.to_sqlx() as _,
        conversation_id
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Answers that were being spoken when the server ended are over, where no other could speak them;
/// what they had said is kept.
pub async fn interrupt_all(db: &mut PgConnection, now: Timestamp) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "UPDATE tenant.message
            SET state = 'interrupted', finished_at = $1,
                note = 'The server restarted while this was being written. Regenerate to try again.'
          WHERE state = 'streaming'",
        now.to_sqlx() as _
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Tokens the engine made in a time.
pub async fn tokens_between(
    db: &mut PgConnection,
    from: Timestamp,
    until: Timestamp,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT coalesce(sum(completion_tokens), 0)::bigint AS "tokens!"
             FROM tenant.message WHERE created_at > $1 AND created_at <= $2"#,
        from.to_sqlx() as _,
        until.to_sqlx() as _
    )
    .fetch_one(db)
    .await
}
