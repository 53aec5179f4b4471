//! Removes what is over, so that the tables stay as small as what they are for.
use jiff::Timestamp;
use sqlx::PgConnection;

use crate::{attempts, events, links, sessions};

/// How many rows went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Sessions that had ended.
    pub sessions: u64,
    /// Links that had ended a week before.
    pub links: u64,
    /// Events older than 90 days.
    pub events: u64,
    /// Counts of failures, untouched for a day.
    pub attempts: u64,
}

/// To be called now and then, such as daily. Nothing depends on it but the size of the tables.
pub async fn tidy(conn: &mut PgConnection, now: Timestamp) -> sqlx::Result<Tidied> {
    Ok(Tidied {
        sessions: sessions::prune(conn, now).await?,
        links: links::prune(conn, now).await?,
        events: events::prune(conn, now).await?,
        attempts: attempts::prune(conn, now).await?,
    })
}
