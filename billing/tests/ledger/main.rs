//! The ledger in Postgres does what the one in memory does, whatever becomes of those who tell it.
#![expect(clippy::unwrap_used, reason = "the helpers here are no tests, but only tests call them")]

mod changes;
mod histories;
mod planted;
mod rules;
mod sales;
mod told;

/// The database of a test with its tables.
async fn migrated(db: &sqlx::PgPool) {
    billing::MIGRATOR.run(db).await.unwrap();
}
