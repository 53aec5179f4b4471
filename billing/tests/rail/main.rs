//! Whatever becomes of requests, answers, processes and events: what moved at the rail is what the ledger says.
#![expect(clippy::unwrap_used, reason = "the helpers here are no tests, but only tests call them")]

mod cut;
mod keys;
mod payouts;
mod planted;
mod shop;
mod storm;
mod stormy;
mod test_money;
mod told;

/// The database of a test with its tables.
async fn migrated(db: &sqlx::PgPool) {
    billing::MIGRATOR.run(db).await.unwrap();
}
