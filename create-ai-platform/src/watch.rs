//! Watches a folder's blueprint while its platform runs.

use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecursiveMode, Watcher};
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
    let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // Our own look opens the file: to be told of that would be to look for ever.
        if event.is_ok_and(|event| only_looked_at(event.kind)) {
            return;
        }
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

/// Whether somebody opened or read the file; one that is closed after writing has changed.
fn only_looked_at(kind: EventKind) -> bool {
    let written = AccessKind::Close(AccessMode::Write);
    matches!(kind, EventKind::Access(access) if access != written)
}
