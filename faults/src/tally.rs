//! What passed through a proxy, and how often a fault was carried out.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Notes of one kind of call.
#[derive(Debug)]
pub(crate) struct Tally<T> {
    calls: Mutex<Vec<T>>,
    struck: watch::Sender<usize>,
}

impl<T: Clone> Tally<T> {
    pub(crate) fn new() -> Self {
        Self { calls: Mutex::default(), struck: watch::Sender::new(0) }
    }

    /// Notes a call, and says as which one.
    pub(crate) fn add(&self, call: T) -> usize {
        let mut calls = locked(&self.calls);
        calls.push(call);
        calls.len() - 1
    }

    /// Changes what was noted, unless it was forgotten meanwhile.
    pub(crate) fn change(&self, number: usize, change: impl FnOnce(&mut T)) {
        if let Some(call) = locked(&self.calls).get_mut(number) {
            change(call);
        }
    }

    pub(crate) fn all(&self) -> Vec<T> {
        locked(&self.calls).clone()
    }

    pub(crate) fn forget(&self) {
        locked(&self.calls).clear();
        self.struck.send_replace(0);
    }

    /// A fault has been carried out.
    pub(crate) fn strike(&self) {
        self.struck.send_modify(|struck| *struck += 1);
    }

    /// Waits until `n` have been.
    pub(crate) async fn struck(&self, n: usize) {
        // The sender is ours: it does not close while we wait.
        let _ = self.struck.subscribe().wait_for(|struck| *struck >= n).await;
    }
}

/// What a test that failed left behind is as good as before.
pub(crate) fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_for_a_fault_is_told() {
        let tally = Tally::new();
        let number = tally.add("one");
        tally.change(number, |call| *call = "other");
        assert_eq!(tally.all(), ["other"]);
        let ((), ()) = tokio::join!(tally.struck(2), async {
            tally.strike();
            tally.strike();
        });
        tally.forget();
        assert!(tally.all().is_empty());
        tally.struck(0).await;
    }
}
