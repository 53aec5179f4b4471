//! Keeps what an edge knows up to date: read once whole, then what changed, as it changes.

use std::sync::Arc;
use std::time::Duration;

use certificates::served::{self, CHANNEL, Changes, Moment};
use sqlx::postgres::PgListener;
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::sync::watch::{Receiver, Sender};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use work::sealed::RootKey;

use crate::disk::{Disk, DiskError, aside};
use crate::table::Table;

/// Asked for changes so often, though nobody told of any.
const SELDOM: Duration = Duration::from_secs(20);
/// All is read anew so often: what was missed, however that was, is not missed for ever.
const WHOLE: Duration = Duration::from_hours(1);
/// After a failure, at first; doubled each time, up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(10);
/// All names and certificates are read within this time.
const READS: Duration = Duration::from_mins(5);
/// One attempt to reach the database takes no longer.
const ATTEMPT: Duration = Duration::from_secs(3);
/// So many certificates tell whether the key is theirs.
const SOME: usize = 20;
/// Certificates that are fetched at once.
const BATCH: usize = 200;

/// Follows the database.
pub struct Follower {
    db: PgPool,
    table: Arc<Table>,
    disk: Disk,
    key: Arc<RootKey>,
    failure: Sender<Option<String>>,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("the database: {0}{also}", also = also(.0))]
    Database(#[from] sqlx::Error),
    #[error("the disk: {0}")]
    Disk(#[from] DiskError),
    #[error("the database does not answer")]
    Gone,
    #[error(
        "the certificates there are sealed with another key: give this edge the key that the operator \
         has as `domains.key`"
    )]
    OtherKey,
}

impl Follower {
    /// One that has not begun.
    pub fn new(db: PgPool, table: Arc<Table>, disk: Disk, key: Arc<RootKey>) -> Self {
        Self { db, table, disk, key, failure: Sender::new(None) }
    }

    /// What stands in the way, as long as something does.
    pub fn failure(&self) -> Receiver<Option<String>> {
        self.failure.subscribe()
    }

    /// Fills the table with what is on the disk, so that visitors are served before the database
    /// was reached.
    pub async fn begin(&self) {
        let disk = self.disk.clone();
        match aside(move || disk.load()).await {
            Ok(kept) => self.table.replace(&kept),
            Err(error) => tracing::warn!(%error, "nothing is known from before"),
        }
    }

    /// Goes on until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        let mut pause = SHORTEST;
        while !stop.is_cancelled() {
            let begun = Instant::now();
            tokio::select! {
                () = stop.cancelled() => return,
                Err(error) = self.follow() => {
                    tracing::warn!(%error, "names and certificates stay as they are known here");
                    self.failure.send_replace(Some(error.to_string()));
                }
            }
            // One that held for a while failed for another reason.
            pause = if begun.elapsed() > LONGEST { SHORTEST } else { (pause * 2).min(LONGEST) };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Listens first and reads then: what changes between the two is told.
    async fn follow(&self) -> Result<std::convert::Infallible, Failed> {
        let mut told = self.listener().await?;
        told.listen(CHANNEL).await?;
        loop {
            let mut next = Box::pin(in_time(self.read_all())).await?;
            let until = Instant::now() + WHOLE;
            while Instant::now() < until {
                match tokio::time::timeout(SELDOM, told.try_recv()).await {
                    Ok(heard) => {
                        heard?.ok_or(Failed::Gone)?;
                    }
                    // Nobody told of anything: or nobody can.
                    Err(_) => in_time(still_there(&mut told)).await?,
                }
                // One look is enough for all that was told of by now.
                while told.next_buffered().is_some() {}
                next = Box::pin(in_time(self.read_since(next))).await?;
            }
        }
    }

    async fn listener(&self) -> Result<PgListener, Failed> {
        match PgListener::connect_with(&self.db).await {
            // What stands in the way is told to who asks without a pool.
            Err(sqlx::Error::PoolTimedOut) => {
                let options = self.db.connect_options();
                let direct = PgConnection::connect_with(&options);
                let direct = tokio::time::timeout(ATTEMPT, direct).await;
                direct.map_err(|_| Failed::Gone)?.map(drop)?;
                Err(Failed::Database(sqlx::Error::PoolTimedOut))
            }
            listener => Ok(listener?),
        }
    }

    async fn read_all(&self) -> Result<Moment, Failed> {
        let mut conn = self.db.acquire().await?;
        let mut tx = at_one_moment(&mut conn).await?;
        let all = served::all(&mut tx).await?;
        tx.commit().await?;
        let (next, ids) = (all.next, certificates_of(&all));
        let some = &ids[..ids.len().min(SOME)];
        let some = served::issued(&mut conn, some).await?;
        if !some.is_empty() && !some.iter().any(|issued| issued.is_of(&self.key)) {
            return Err(Failed::OtherKey);
        }
        tracing::info!(names = all.hosts.len(), platforms = all.platforms.len(), "all is read");
        self.table.replace(&all);
        self.failure.send_replace(None);
        let disk = self.disk.clone();
        let missing = aside(move || {
            disk.replace(&all)?;
            disk.missing(ids)
        });
        self.keep(&mut conn, &missing.await?).await?;
        Ok(next)
    }

    async fn read_since(&self, since: Moment) -> Result<Moment, Failed> {
        let mut conn = self.db.acquire().await?;
        let mut tx = at_one_moment(&mut conn).await?;
        let changes = served::since(&mut tx, since).await?;
        tx.commit().await?;
        let (next, ids) = (changes.next, certificates_of(&changes));
        if changes == (Changes { next, ..Changes::default() }) {
            return Ok(next);
        }
        let disk = self.disk.clone();
        let kept = aside(move || {
            disk.apply(&changes)?;
            Ok((disk.missing(ids)?, changes))
        });
        let (missing, changes) = kept.await?;
        // What is served is on the disk by then, unless it is very much at once.
        let (soon, later) = missing.split_at(missing.len().min(BATCH));
        self.keep(&mut conn, soon).await?;
        self.table.apply(&changes);
        self.keep(&mut conn, later).await?;
        Ok(next)
    }

    /// Keeps these certificates on the disk, before anybody asks for them.
    async fn keep(&self, conn: &mut PgConnection, ids: &[Uuid]) -> Result<(), Failed> {
        for ids in ids.chunks(BATCH) {
            let issued = served::issued(&mut *conn, ids).await?;
            let disk = self.disk.clone();
            aside(move || disk.keep(&issued)).await?;
        }
        Ok(())
    }
}

/// What to do about it, where the database's words do not say.
fn also(error: &sqlx::Error) -> &'static str {
    let Some(error) = error.as_database_error() else { return "" };
    match error.code().as_deref() {
        // No such table, no such schema.
        Some("42P01" | "3F000") => {
            ": the operator has not made its tables there: is it the right one?"
        }
        _ => "",
    }
}

/// A server that is gone without a word says nothing for ever.
async fn in_time<T>(work: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    tokio::time::timeout(READS, work).await.map_err(|_late| Failed::Gone)?
}

async fn still_there(told: &mut PgListener) -> Result<(), Failed> {
    sqlx::query("select 1").execute(told).await?;
    Ok(())
}

/// Everything that is read is of the same moment.
async fn at_one_moment(
    conn: &mut PgConnection,
) -> sqlx::Result<sqlx::Transaction<'_, sqlx::Postgres>> {
    conn.begin_with("begin isolation level repeatable read read only").await
}

fn certificates_of(changes: &Changes) -> Vec<Uuid> {
    changes.hosts.iter().filter_map(|host| host.certificate).collect()
}
