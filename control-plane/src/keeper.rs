//! Confirms whose platforms are and what that gives them, again and again: who was cut off in between,
//! or pays for another plan now, is confirmed a little later.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::cluster::uid;
use crate::db::platforms;
use crate::http::platforms::is_it;

/// Between two rounds.
const EVERY: Duration = Duration::from_secs(30);
/// Platforms that are read at once.
const BATCH: usize = 500;

/// Goes on until told to stop.
pub async fn run(app: App, stop: CancellationToken) {
    loop {
        if let Err(error) = round(&app).await {
            tracing::warn!(%error, "accounts are not confirmed");
        }
        if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return;
        }
    }
}

/// All platforms once; how many had to be confirmed.
///
/// # Errors
/// The database.
pub async fn round(app: &App) -> sqlx::Result<usize> {
    let (mut confirmed, mut after) = (0, None);
    // One line for all: whoever may confirm none may confirm none of thousands.
    let mut refused: (usize, Option<String>) = (0, None);
    // What is not known yet would all be confirmed anew.
    if !app.cluster().is_known() {
        return Ok(0);
    }
    loop {
        let mut conn = app.conn().await?;
        let batch = platforms::all(&mut conn, after.as_deref(), BATCH).await?;
        drop(conn);
        let Some((last, _)) = batch.last() else {
            if let (count, Some(first)) = refused {
                tracing::warn!(count, %first, "not confirmed");
            }
            return Ok(confirmed);
        };
        after = Some(last.name.to_string());
        let names: Vec<_> = batch.iter().map(|(owned, _)| owned.name.clone()).collect();
        for ((owned, account), seen) in batch.into_iter().zip(app.cluster().seen(&names)) {
            // What an organization has not claimed is not confirmed to be its own.
            let is_own = owned.found.is_none();
            let Some(seen) = seen.filter(|seen| is_own && is_it(&owned, seen)) else { continue };
            let told = seen.status.as_ref().and_then(|status| status.account.as_ref());
            let Some(uid) = uid(&seen).filter(|_| told != Some(&account)) else { continue };
            match app.cluster().confirm(&owned.name, uid, &account).await {
                Ok(()) => confirmed += 1,
                Err(error) => {
                    refused.0 += 1;
                    refused.1.get_or_insert_with(|| format!("{}: {error}", owned.name));
                }
            }
        }
    }
}
