//! SQL, nothing else: plain functions on a connection. Who begins a transaction ends it, and that
//! is never here.

pub mod agents;
pub mod conversations;
pub mod facts;
pub mod grants;
pub mod messages;

/// Whether the database answers at all.
pub async fn answers(db: &mut sqlx::PgConnection) -> sqlx::Result<()> {
    sqlx::query_scalar!("SELECT 1").fetch_one(db).await.map(|_| ())
}
