//! Who waits for which blueprint to change: nobody is woken by others.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch::{Receiver, Sender};

/// After so many who came, those that nobody waits for any more are forgotten.
const SWEPT_AFTER: usize = 1_024;

/// Blueprints that somebody waits for, by name.
#[derive(Debug, Default)]
pub struct Watched(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    by_name: HashMap<String, Sender<()>>,
    came: usize,
}

impl Watched {
    /// Hears of each change from now on; of several at once, of one.
    pub fn watch(&self, name: &str) -> Receiver<()> {
        let mut waiting = self.lock();
        waiting.came += 1;
        if waiting.came.is_multiple_of(SWEPT_AFTER) {
            waiting.by_name.retain(|_, sender| sender.receiver_count() > 0);
        }
        waiting.by_name.entry(name.to_owned()).or_default().subscribe()
    }

    /// It changed.
    pub fn changed(&self, name: &str) {
        if let Some(sender) = self.lock().by_name.get(name) {
            sender.send_replace(());
        }
    }

    /// Anything may have: what happened meanwhile was not heard of.
    pub fn all_changed(&self) {
        self.lock().by_name.values().for_each(|sender| {
            sender.send_replace(());
        });
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_hears_of_their_own_and_of_what_nobody_heard() {
        let watched = Watched::default();
        let (mut one, mut other) = (watched.watch("one"), watched.watch("other"));
        watched.changed("one");
        watched.changed("nobody's");
        assert!(one.has_changed().unwrap() && !other.has_changed().unwrap());
        one.mark_unchanged();
        watched.all_changed();
        assert!(one.has_changed().unwrap() && other.has_changed().unwrap());
        other.mark_unchanged();
    }

    #[test]
    fn whom_nobody_waits_for_is_forgotten() {
        let watched = Watched::default();
        let kept = watched.watch("kept");
        for number in 0..2 * SWEPT_AFTER {
            drop(watched.watch(&number.to_string()));
        }
        let known = watched.lock().by_name.len();
        assert!(known <= SWEPT_AFTER + 1, "{known}");
        watched.changed("kept");
        assert!(kept.has_changed().unwrap());
    }
}
