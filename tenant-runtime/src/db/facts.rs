//! Small facts about the platform itself.

use serde_json::Value;
use sqlx::PgConnection;

/// What is known under a key.
pub async fn get(db: &mut PgConnection, key: &str) -> sqlx::Result<Option<Value>> {
    sqlx::query_scalar!("SELECT value FROM tenant.fact WHERE key = $1", key)
        .fetch_optional(db)
        .await
}

/// Remembers a fact, in place of an older one.
pub async fn put(db: &mut PgConnection, key: &str, value: &Value) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO tenant.fact (key, value) VALUES ($1, $2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        key,
        value
    )
    .execute(db)
    .await?;
    Ok(())
}
