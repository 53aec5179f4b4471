//! From one root key to the next while all goes on.
//!
//! ```text
//! settings, read again -> what all that run can open with -> which key seals -> what others sealed is sealed anew
//! ```
//! A key opens wherever it is listed, and seals only once all control planes that run have said that they
//! open with it: until then the one before goes on sealing. Out of the settings it is out of memory
//! once nothing is sealed under it any more. How to change it is in `docs/operations.md`.

pub mod resealed;
pub mod told;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use work::sealed::{KeyId, KeyRing};
use work::settings::SettingsError;

use crate::app::App;
use crate::db::root_keys as table;
use crate::settings::Settings;

/// Between two looks at the settings.
const EVERY: Duration = Duration::from_secs(10);
/// Who was not seen for so long runs no more.
pub(crate) const GONE: SignedDuration = SignedDuration::from_secs(60);

/// What is sealed with now. Whoever has taken it goes on with it, whatever comes.
#[derive(Debug)]
pub(crate) struct Held(RwLock<Arc<KeyRing>>);

impl Held {
    pub(crate) fn new(keys: KeyRing) -> Self {
        Self(RwLock::new(Arc::new(keys)))
    }

    pub(crate) fn get(&self) -> Arc<KeyRing> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn put(&self, keys: KeyRing) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }
}

/// Why the keys are as they were.
#[derive(Debug, thiserror::Error)]
pub enum RootKeysError {
    /// What another one writes could not be read here.
    #[error(
        "another control plane that runs seals under the root key {0}, which is not known here: name its file \
         under `otherRootKeys` in the settings"
    )]
    Unknown(KeyId),
    /// The database.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
}

/// This control plane, among those that run on its database.
#[derive(Debug)]
pub struct Replica {
    id: Uuid,
    /// Not listed the last time either.
    unlisted: HashSet<KeyId>,
}

impl Replica {
    /// Joins those that run, before it serves anybody.
    ///
    /// # Errors
    /// [`RootKeysError`]: it must not serve then.
    pub async fn join(app: &App) -> Result<Self, RootKeysError> {
        let mut joined = Self { id: Uuid::now_v7(), unlisted: HashSet::new() };
        joined.agree(app, &app.root_keys()).await?;
        let used = told::used(&mut *app.conn().await?).await?;
        for (key, counts) in used.iter().filter(|(key, _)| !app.root_keys().opens(**key)) {
            tracing::error!(%key, %counts, "sealed under a root key that is not in the settings");
        }
        Ok(joined)
    }

    /// Agrees with the others on what is sealed with, where these keys are listed. What is not listed
    /// any more is forgotten the second time, if nothing is sealed under it.
    ///
    /// # Errors
    /// [`RootKeysError`]: all is as it was, but for what it opens with.
    pub async fn agree(&mut self, app: &App, listed: &KeyRing) -> Result<(), RootKeysError> {
        let (former, now) = (app.root_keys(), app.now());
        let since = now.saturating_sub(GONE).unwrap_or(now);
        // Before anybody is told that it is opened with.
        let known = listed.clone().and_all_of(&former);
        app.hold(known.clone().sealing_under(former.seals().id()));
        let mut tx = app.begin().await?;
        table::lock(&mut tx).await?;
        let mut others = table::seen(&mut tx, since).await?;
        others.retain(|other| other.id != self.id);
        if let Some(other) = others.iter().find(|other| !known.opens(other.seals)) {
            return Err(RootKeysError::Unknown(other.seals));
        }
        let opened_by_all = |key: &KeyId| others.iter().all(|other| other.opens.contains(key));
        let wished = [listed.seals().id(), former.seals().id()].into_iter();
        let mut wished = wished.chain(others.iter().map(|other| other.seals));
        let seals = wished.find(opened_by_all).unwrap_or(former.seals().id());
        let unlisted: HashSet<_> = known.ids().filter(|id| !listed.opens(*id)).collect();
        let mut over = Vec::new();
        for id in unlisted.intersection(&self.unlisted).copied().filter(|id| *id != seals) {
            if others.iter().all(|other| other.seals != id) && !table::is_used(&mut tx, id).await? {
                over.push(id);
            }
        }
        let known = known.sealing_under(seals).without(&over);
        let told = table::Replica { id: self.id, opens: known.ids().collect(), seals };
        table::put(&mut tx, &told, (now, since)).await?;
        tx.commit().await?;
        if seals != former.seals().id() {
            tracing::info!(key = %seals, former = %former.seals().id(), "another root key seals");
        }
        if seals != listed.seals().id() {
            tracing::warn!(
                key = %listed.seals().id(), seals = %seals,
                "not every control plane that runs knows the root key yet, so the one before goes on sealing"
            );
        }
        for key in over {
            tracing::info!(%key, "a former root key is forgotten");
        }
        self.unlisted = unlisted;
        app.hold(known);
        Ok(())
    }

    /// Nobody waits for it any more.
    ///
    /// # Errors
    /// The database.
    pub async fn leave(self, app: &App) -> sqlx::Result<()> {
        table::remove(&mut *app.conn().await?, self.id).await
    }
}

/// Reads the settings again and again, and seals anew what is sealed under a former key, until told to stop.
pub async fn run(app: App, mut replica: Replica, settings: PathBuf, stop: CancellationToken) {
    let mut listed = Arc::unwrap_or_clone(app.root_keys());
    loop {
        match read(&settings) {
            Ok(keys) => listed = keys,
            Err(error) => tracing::warn!(%error, "the root keys are as they were"),
        }
        match replica.agree(&app, &listed).await {
            Ok(()) => {}
            // What it sealed from here on nobody else could open.
            Err(error @ RootKeysError::Unknown(_)) => {
                tracing::error!(%error, "it serves nobody any more");
                stop.cancel();
            }
            Err(error) => tracing::error!(%error, "the root keys are as they were"),
        }
        match resealed::all(&app).await {
            Ok(resealed::Done { sealed, refused }) => {
                if sealed > 0 {
                    tracing::info!(sealed, "sealed anew under the root key that seals now");
                }
                if refused > 0 {
                    tracing::warn!(refused, "of another place, or damaged: left as they are");
                }
            }
            Err(error) => tracing::warn!(%error, "not all is sealed anew"),
        }
        if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            break;
        }
    }
    if let Err(error) = replica.leave(&app).await {
        tracing::warn!(%error, "the others take it for running a minute longer");
    }
}

fn read(settings: &Path) -> Result<KeyRing, SettingsError> {
    Settings::read(settings)?.root_keys_that_are_there()
}
