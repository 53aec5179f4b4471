//! Who may use the processor: reading a prompt goes before writing further words.
//!
//! Somebody who waits for a first word waits for all that is computed before it; somebody whose
//! answer is on its way has words to read meanwhile. So prompts are read one at a time, and the
//! other answers pause. Both have bounds: a long prompt delays the next by [`QUEUE`] at most, and
//! an answer pauses for [`PAUSE`] at most between two of its tokens.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The longest a prompt waits for another to be read.
const QUEUE: Duration = Duration::from_secs(1);
/// The longest pause between two tokens of an answer.
const PAUSE: Duration = Duration::from_millis(250);

/// The turns of all lanes of one engine.
#[derive(Debug)]
pub struct Turns {
    reader: Arc<Semaphore>,
    readers: Mutex<usize>,
    changed: Condvar,
}

/// A prompt is being read while this lives.
#[derive(Debug)]
pub struct Reading {
    turns: Arc<Turns>,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// Nobody reads yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            reader: Arc::new(Semaphore::new(1)),
            readers: Mutex::new(0),
            changed: Condvar::new(),
        })
    }

    /// Waits for the turn to read a prompt, in the order of asking.
    pub async fn read(self: &Arc<Self>) -> Reading {
        let turn = tokio::time::timeout(QUEUE, Arc::clone(&self.reader).acquire_owned()).await;
        *self.lock() += 1;
        Reading { turns: Arc::clone(self), _turn: turn.ok().and_then(Result::ok) }
    }

    /// Blocks the thread before a further token is computed, while somebody reads.
    pub fn before_next_token(&self) {
        let readers = self.lock();
        let waited = self.changed.wait_timeout_while(readers, PAUSE, |readers| *readers > 0);
        drop(waited);
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading {
    /// Whose turn it is part of.
    pub fn turns(&self) -> &Arc<Turns> {
        &self.turns
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        *self.turns.lock() -= 1;
        self.turns.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn prompts_are_read_one_after_the_other_but_a_long_one_does_not_hold_the_rest() {
        let turns = Turns::new();
        let begun = tokio::time::Instant::now();
        let first = turns.read().await;
        let second = turns.read().await;
        assert_eq!(begun.elapsed().as_secs(), QUEUE.as_secs());
        drop((first, second));
        turns.read().await;
        assert_eq!(begun.elapsed().as_secs(), QUEUE.as_secs());
        assert_eq!(*turns.lock(), 0);
    }

    #[tokio::test]
    async fn answers_pause_while_somebody_reads_and_not_for_ever() {
        let turns = Turns::new();
        let reading = turns.read().await;
        let begun = Instant::now();
        turns.before_next_token();
        assert!(begun.elapsed() >= PAUSE, "{:?}", begun.elapsed());

        let (paused, is_paused) = std::sync::mpsc::channel();
        let writer = std::thread::spawn({
            let turns = Arc::clone(&turns);
            move || {
                paused.send(()).unwrap();
                let begun = Instant::now();
                turns.before_next_token();
                begun.elapsed()
            }
        });
        is_paused.recv().unwrap();
        drop(reading);
        let waited = writer.join().unwrap();
        assert!(waited < PAUSE, "woken before the pause was over: {waited:?}");
        turns.before_next_token();
    }
}
