//! Says which platforms are used: who is used by nobody is let sleep.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use certificates::served::{Speaker, note_uses, say_farewell};
use jiff::SignedDuration;
use sqlx::PgPool;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use work::Clock;

use crate::table::Table;

/// It is said so often, whether there is anything to say or not.
const EVERY: Duration = Duration::from_secs(5);
/// It takes no longer.
const WITHIN: Duration = Duration::from_secs(5);

/// The name of the edge that keeps what it knows in this folder. It is kept there too: one that starts
/// again is none that has gone silent.
///
/// # Errors
/// Where the folder cannot be read or written to.
pub fn name_of(folder: &Path) -> std::io::Result<Uuid> {
    let file = folder.join("name");
    let known = std::fs::read_to_string(&file).ok();
    if let Some(known) = known.and_then(|name| name.trim().parse().ok()) {
        return Ok(known);
    }
    let name = Uuid::now_v7();
    std::fs::write(&file, name.to_string())?;
    Ok(name)
}

/// Says it.
pub struct Uses {
    db: PgPool,
    table: Arc<Table>,
    /// This edge.
    speaker: Speaker,
    clock: Clock,
}

impl Uses {
    /// Of the platforms in this table.
    pub fn new(db: PgPool, table: Arc<Table>, speaker: Speaker, clock: Clock) -> Self {
        Self { db, table, speaker, clock }
    }

    /// Goes on until told to stop, and a last time then.
    pub async fn run(&self, stop: CancellationToken) {
        let mut told_until = None;
        self.tell(&mut told_until).await;
        while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
            self.tell(&mut told_until).await;
        }
        self.tell(&mut told_until).await;
        let farewell = async {
            let mut conn = self.db.acquire().await?;
            say_farewell(&mut conn, self.speaker.edge).await
        };
        if !matches!(tokio::time::timeout(WITHIN, farewell).await, Ok(Ok(()))) {
            tracing::info!("the database did not hear that this edge ends");
        }
    }

    /// What was used since it was last told of.
    async fn tell(&self, told_until: &mut Option<Instant>) {
        let begun = Instant::now();
        let now = self.clock.now();
        let used = self.table.used_since(*told_until);
        let used: Vec<_> = used
            .into_iter()
            .map(|(platform, at)| {
                let ago = SignedDuration::try_from(begun.saturating_duration_since(at));
                (platform, ago.map_or(now, |ago| now.saturating_sub(ago).unwrap_or(now)))
            })
            .collect();
        let telling = async {
            let mut tx = self.db.begin().await?;
            note_uses(&mut tx, self.speaker, &used, now).await?;
            tx.commit().await
        };
        match tokio::time::timeout(WITHIN, telling).await {
            Ok(Ok(())) => *told_until = Some(begun),
            Ok(Err(error)) => tracing::warn!(%error, "nobody hears who is used"),
            Err(_) => tracing::warn!("nobody hears who is used: the database does not answer"),
        }
    }
}
