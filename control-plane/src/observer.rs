//! Sees what was made by other means and names an organization, and how far it is what people had done to
//! platforms. Each round can be done again, and by several control planes at once.

use std::time::Duration;

use blueprint::PlatformBlueprint;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::cluster::{CONTROL_PLANE, is_of, uid, writer};
use crate::db::found::{self, Found, Naming};
use crate::db::operations;
use crate::db::platforms::Owned;
use crate::domain::operation::{Kind, Look, Operation};
use crate::http::platforms::{doing, is_it};

/// Between two rounds.
const EVERY: Duration = Duration::from_secs(2);
/// What is read or written at once.
const BATCH: usize = 500;

/// Goes on until told to stop.
pub async fn run(app: App, stop: CancellationToken) {
    loop {
        if let Err(error) = round(&app).await {
            tracing::warn!(%error, "operations are not looked after");
        }
        if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return;
        }
    }
}

/// All of it once.
///
/// # Errors
/// The database.
pub async fn round(app: &App) -> sqlx::Result<()> {
    // What is not known yet would all be forgotten.
    if !app.cluster().is_known() {
        return Ok(());
    }
    find(app).await?;
    forget(app).await?;
    look(app).await
}

/// Blueprints that name an organization appear among its platforms.
async fn find(app: &App) -> sqlx::Result<()> {
    let there = app.cluster().written_elsewhere();
    let named = there.iter().filter_map(|it| {
        let name = it.platform_name().ok()?;
        Some(Naming { name, uid: uid(it)?, organization: it.spec.organization.clone()? })
    });
    let named: Vec<_> = named.collect();
    for batch in named.chunks(BATCH) {
        let mut conn = app.conn().await?;
        let new = found::find(&mut conn, batch, app.now()).await?;
        if new > 0 {
            tracing::info!(new, "platforms were made by other means");
        }
    }
    Ok(())
}

/// Those that were not claimed, and are gone or name somebody else, are forgotten.
async fn forget(app: &App) -> sqlx::Result<()> {
    let mut after = String::new();
    loop {
        let mut conn = app.conn().await?;
        let batch = found::all(&mut conn, &after, BATCH).await?;
        let Some(last) = batch.last() else { return Ok(()) };
        last.naming.name.as_str().clone_into(&mut after);
        let names: Vec<_> = batch.iter().map(|it| it.naming.name.clone()).collect();
        let stays = |Found { id, naming }: &Found, seen: Option<_>| {
            seen.is_some_and(|seen| {
                let names_it = uid(&seen) == Some(naming.uid)
                    && seen.spec.organization.as_ref() == Some(&naming.organization);
                // Whoever claims it may be in the midst of it.
                names_it || is_of(&seen, &id.to_string())
            })
        };
        let gone = batch.iter().zip(app.cluster().seen(&names));
        let gone: Vec<_> =
            gone.filter(|(it, seen)| !stays(it, seen.clone())).map(|(it, _)| it.id).collect();
        if !gone.is_empty() {
            found::forget(&mut conn, &gone).await?;
        }
    }
}

/// What is on its way, and how far it is.
async fn look(app: &App) -> sqlx::Result<()> {
    let mut after = None;
    loop {
        let mut conn = app.conn().await?;
        let batch = operations::running(&mut conn, after, BATCH).await?;
        drop(conn);
        let Some((last, _)) = batch.last() else { return Ok(()) };
        after = Some(last.id);
        let names: Vec<_> = batch.iter().map(|(_, owned)| owned.name.clone()).collect();
        for ((operation, owned), seen) in batch.iter().zip(app.cluster().seen(&names)) {
            let seen = seen.filter(|seen| is_it(owned, seen));
            let now = app.now();
            let handed = seen.as_ref().filter(|seen| is_handed(operation, owned, seen));
            if let Some(handed) = handed {
                let mut tx = app.begin().await?;
                found::claim(&mut tx, owned.id, now).await?;
                doing::taken(&mut tx, (owned.id, operation.id), handed, now).await?;
                tx.commit().await?;
                continue;
            }
            match operation.look(seen.as_ref(), now) {
                Look::Stands(standing) if standing == operation.standing => {}
                Look::Stands(standing) => {
                    let mut conn = app.conn().await?;
                    operations::stands(&mut conn, operation, &standing, now).await?;
                }
                Look::Taken(_) => {
                    let Some(seen) = seen else { continue };
                    let mut tx = app.begin().await?;
                    doing::taken(&mut tx, (owned.id, operation.id), &seen, now).await?;
                    tx.commit().await?;
                }
            }
        }
    }
}

/// Whether whoever handed it over was cut off once the cluster had it so.
fn is_handed(operation: &Operation, owned: &Owned, seen: &PlatformBlueprint) -> bool {
    let is_ours = writer(seen) == CONTROL_PLANE;
    let is_so = match operation.kind {
        Kind::Claim => is_ours,
        Kind::Release => !is_ours,
        _ => false,
    };
    is_so && operation.generation.is_none() && is_of(seen, &owned.id.to_string())
}
