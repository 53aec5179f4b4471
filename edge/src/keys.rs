//! Certificates as they are needed: from memory, from the disk, from the database.

use std::sync::Arc;
use std::time::Duration;

use certificates::served;
use moka::future::Cache;
use sqlx::PgPool;
use tokio_rustls::rustls::sign::CertifiedKey;
use uuid::Uuid;
use work::sealed::RootKey;

use crate::disk::{Disk, aside};

/// A visitor waits for the database no longer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Certificates, by their ids. What one id means never changes, so nothing here is ever stale.
pub struct Keys {
    ready: Cache<Uuid, Arc<CertifiedKey>>,
    disk: Disk,
    db: PgPool,
    key: Arc<RootKey>,
}

impl Keys {
    /// At most `most` are kept ready; one takes some 6 KiB.
    pub fn new(most: u64, disk: Disk, db: PgPool, key: Arc<RootKey>) -> Self {
        Self { ready: Cache::new(most), disk, db, key }
    }

    /// A certificate, however many ask for it at once; `None` where it is not to be had.
    pub async fn get(&self, id: Uuid) -> Option<Arc<CertifiedKey>> {
        let found = Box::pin(self.ready.try_get_with(id, self.load(id))).await;
        found.inspect_err(|why| tracing::warn!(%id, why = %why, "no certificate")).ok()
    }

    async fn load(&self, id: Uuid) -> Result<Arc<CertifiedKey>, String> {
        let disk = self.disk.clone();
        let kept = aside(move || disk.certificate(id)).await;
        let kept = kept.inspect_err(|error| tracing::warn!(%error, "the disk")).ok().flatten();
        let issued = match kept {
            Some(kept) => kept,
            None => self.fetch(id).await?,
        };
        let key = self.key.clone();
        let opened = tokio::task::spawn_blocking(move || issued.open(&key)).await;
        let opened = opened.map_err(|error| error.to_string())?;
        opened.map(Arc::new).map_err(|error| error.to_string())
    }

    /// From the database. It is kept on the disk by who follows it.
    async fn fetch(&self, id: Uuid) -> Result<served::Issued, String> {
        let fetch = async {
            let mut conn = self.db.acquire().await?;
            served::issued(&mut conn, &[id]).await
        };
        let fetched = tokio::time::timeout(PATIENCE, fetch).await;
        let fetched = fetched.map_err(|_| "the database does not answer".to_owned())?;
        let mut fetched = fetched.map_err(|error| error.to_string())?;
        fetched.pop().ok_or_else(|| "there is none of this id".to_owned())
    }
}
