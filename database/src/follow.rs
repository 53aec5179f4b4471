//! A pool whose login follows a file.
//!
//! Kubernetes changes the file of a mounted Secret in place. New connections then log in as the
//! file says, and older ones are left behind: each is closed when it would be used next. Nobody
//! who uses the pool notices, as long as the old login is good until then.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::tenant;

/// How often a file is looked at: Kubernetes itself takes up to two minutes to change it.
pub const EVERY: Duration = Duration::from_secs(5);

/// The file cannot be used. Nothing of what it holds is told.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// It cannot be read.
    #[error("cannot read the database URL in {file}: {source}", file = file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It holds something else.
    #[error(
        "{file} holds no database URL such as postgres://user:password@host:5432/name",
        file = file.display()
    )]
    Content {
        /// Which.
        file: PathBuf,
    },
}

/// A pool with the login that a file names, now and when the file changes. It follows the file
/// until it is dropped; clones of its pool go on with the last login.
#[derive(Debug)]
pub struct Followed {
    pool: PgPool,
    follower: JoinHandle<()>,
}

/// The last login that a file named.
struct Follower {
    file: PathBuf,
    pool: PgPool,
    url: SecretString,
    changed: Changed,
}

/// Since when the pool has its present login; `None` as long as it is the first.
type Changed = Arc<Mutex<Option<Instant>>>;

impl Followed {
    /// Opens the pool of [`tenant::pool`] with the URL in the file, which is looked at as often
    /// as `every` says: see [`EVERY`]. It has no more than `most` connections, by which
    /// [`tenant::APP_POOL`] or [`tenant::READ_POOL`] is meant. Whether the server answers shows
    /// when it is first asked.
    ///
    /// # Errors
    /// [`FollowError`]: as long as there was no URL yet. Later ones are logged, and the last
    /// login stays.
    pub async fn open(file: &Path, most: u32, every: Duration) -> Result<Self, FollowError> {
        let url = read(file).await?;
        let options = options(file, &url)?;
        let changed = Changed::default();
        let since = changed.clone();
        let pool = tenant::pool_options()
            .max_connections(most)
            .before_acquire(move |_, meta| {
                let changed = *since.lock().unwrap_or_else(PoisonError::into_inner);
                let is_older = changed.is_some_and(|changed| meta.age > changed.elapsed());
                Box::pin(async move { Ok(!is_older) })
            })
            .connect_lazy_with(options);
        let follower = Follower { file: file.to_owned(), pool: pool.clone(), url, changed };
        let follower = tokio::spawn(follower.follow(every));
        Ok(Self { pool, follower })
    }

    /// The pool; a clone is the same pool.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

impl Follower {
    async fn follow(mut self, every: Duration) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "the last login to the database stays");
            }
        }
    }

    async fn look(&mut self) -> Result<(), FollowError> {
        let url = read(&self.file).await?;
        if url.expose_secret() == self.url.expose_secret() {
            return Ok(());
        }
        let options = options(&self.file, &url)?;
        tracing::info!(role = options.get_username(), "the login to the database has changed");
        self.pool.set_connect_options(options);
        *self.changed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.url = url;
        Ok(())
    }
}

async fn read(file: &Path) -> Result<SecretString, FollowError> {
    let text = tokio::fs::read_to_string(file).await;
    let text = text.map_err(|source| FollowError::File { file: file.to_owned(), source })?;
    Ok(text.trim().to_owned().into())
}

fn options(file: &Path, url: &SecretString) -> Result<PgConnectOptions, FollowError> {
    tenant::connect_options(url).map_err(|_| FollowError::Content { file: file.to_owned() })
}
