//! Connections to the database. Whatever becomes of it, nobody waits for long, and a connection that
//! answers no more is not given to the next one.

use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, PgPool};

/// So many at once.
pub const CONNECTIONS: u32 = 16;
/// Nobody waits for one longer.
const ACQUIRE: Duration = Duration::from_secs(3);
/// One that was used within this time is taken for good.
const FRESH: Duration = Duration::from_secs(1);
/// One that is asked whether it is there answers within this time, or is given up.
const THERE: Duration = Duration::from_secs(1);
/// No question takes longer, and nobody holds others up for longer.
const BOUNDS: [(&str, &str); 3] = [
    ("statement_timeout", "4s"),
    ("lock_timeout", "3s"),
    ("idle_in_transaction_session_timeout", "10s"),
];

/// Connections that are made when they are wanted.
pub fn pool(database: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE)
        // In time, below.
        .test_before_acquire(false)
        .before_acquire(|connection, about| {
            let is_fresh = about.idle_for < FRESH;
            if is_fresh { Box::pin(async { Ok(true) }) } else { is_there(connection) }
        })
        // Somebody may have left while they waited for an answer that never comes: without a bound their
        // place would be gone for good.
        .after_release(|connection, _| is_there(connection))
        .connect_lazy_with(database.options(BOUNDS))
}

fn is_there(connection: &mut PgConnection) -> BoxFuture<'_, sqlx::Result<bool>> {
    Box::pin(async {
        let asked = tokio::time::timeout(THERE, connection.ping()).await;
        asked.map_err(|_| sqlx::Error::PoolTimedOut)??;
        Ok(true)
    })
}
