//! Watches a folder's blueprint while its platform runs.

use std::time::Duration;

use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::folder::Folder;

/// Editors write in several steps; this long after the last one the file is looked at.
const SETTLE: Duration = Duration::from_millis(80);
/// Looked at this often anyway: not every file system tells of changes.
const ANYWAY: Duration = Duration::from_secs(2);

/// Calls `look` after each change, until `stop`.
pub fn begin<F, L>(folder: &Folder, stop: CancellationToken, look: F)
where
    F: Fn() -> L + Send + Sync + 'static,
    L: Future<Output = ()> + Send,
{
    let (told, mut changes) = mpsc::channel(1);
    let watcher = notify::recommended_watcher(move |_| {
        // One waiting change is enough: the file is read whole.
        _ = told.try_send(());
    })
    .and_then(|mut watcher| {
        watcher.watch(folder.path(), RecursiveMode::NonRecursive)?;
        Ok(watcher)
    })
    .inspect_err(|error| tracing::warn!(%error, "cannot watch the folder; looking now and then"));
    tokio::spawn(async move {
        // Held, because it watches as long as it lives.
        let watcher = watcher;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(()) = changes.recv() => {
                    tokio::time::sleep(SETTLE).await;
                    _ = changes.try_recv();
                }
                () = tokio::time::sleep(ANYWAY) => {}
            }
            look().await;
        }
        drop(watcher);
    });
}
