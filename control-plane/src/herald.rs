//! Sees when a platform's phase is another one than was told last, and has webhooks be told; removes what
//! is over.

use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::courier;
use crate::db::deliveries;
use crate::db::platforms::{self, Listened};
use crate::domain::webhook::{PHASE, Told};
use crate::http::platforms::{Platform, is_it};

/// Between two rounds.
const EVERY: Duration = Duration::from_secs(5);
/// Of so many rounds, one removes what is over of people's.
const TIDIES: u64 = 720;
/// Platforms that are read at once.
const BATCH: usize = 500;

/// Goes on until told to stop.
pub async fn run(app: App, stop: CancellationToken) {
    for turn in 0_u64.. {
        let done = async {
            round(&app).await?;
            courier::tidy(&app).await?;
            if turn % TIDIES == 0 {
                accounts::tidy::tidy(&mut *app.conn().await?, app.now()).await?;
            }
            Ok::<_, sqlx::Error>(())
        };
        if let Err(error) = done.await {
            tracing::warn!(%error, "phases are not told");
        }
        if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return;
        }
    }
}

/// The platforms of all who listen, once; how many phases were told.
///
/// # Errors
/// The database.
pub async fn round(app: &App) -> sqlx::Result<usize> {
    let (mut told, mut after) = (0, String::new());
    if !app.cluster().is_known() {
        return Ok(0);
    }
    loop {
        let mut conn = app.conn().await?;
        let batch = platforms::listened(&mut conn, &after, BATCH).await?;
        drop(conn);
        let Some(last) = batch.last() else { return Ok(told) };
        last.owned.name.as_str().clone_into(&mut after);
        let names: Vec<_> = batch.iter().map(|it| it.owned.name.clone()).collect();
        for (it, seen) in batch.iter().zip(app.cluster().seen(&names)) {
            let seen = seen.filter(|seen| is_it(&it.owned, seen));
            // That one is gone the audit tells.
            let Some(seen) = seen else { continue };
            told += usize::from(tell(app, it, &Platform::of(&it.owned, Some(&seen))).await?);
        }
    }
}

/// Whether there was something to tell. Of several control planes one tells it.
async fn tell(app: &App, listened: &Listened, now: &Platform) -> sqlx::Result<bool> {
    let Listened { owned, told } = listened;
    if told.as_ref() == Some(&now.phase) {
        return Ok(false);
    }
    let mut tx = app.begin().await?;
    let is_ours = platforms::tell(&mut tx, owned.id, told.as_deref(), &now.phase).await?;
    // As it stood when somebody began to listen is no news.
    if let Some(before) = told.as_ref().filter(|_| is_ours) {
        let data = json!({
            "platform": now.id, "name": now.name, "phase": now.phase, "before": before,
            "ready": now.ready, "url": now.url,
        });
        let told = Told { r#type: PHASE, timestamp: app.now(), data };
        deliveries::announce(&mut tx, owned.organization, &told).await?;
    }
    tx.commit().await?;
    Ok(is_ours && told.is_some())
}
