//! Who may use the processor: reading a prompt goes before writing further words, and short
//! prompts before long ones.
//!
//! Somebody who waits for a first word waits for all that is computed before it; somebody whose
//! answer is on its way has words to read meanwhile. So prompts are read one at a time, and the
//! other answers pause. Never two at once: the processor's threads take operations in turn,
//! whatever their size, so beside a long prompt a short one takes as long as the long one.
//! Everything has a bound: a long prompt lets [`PASSED`] shorter ones by, a prompt waits for
//! [`QUEUE`] at most, an answer pauses for [`PAUSE`] at most between two of its tokens.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

/// The longest a prompt waits for others to be read: longer means that one of them hangs.
const QUEUE: Duration = Duration::from_mins(1);
/// How many that came later may go before a prompt because they are shorter.
const PASSED: usize = 4;
/// The longest pause between two tokens of an answer.
const PAUSE: Duration = Duration::from_millis(250);

/// The turns of all lanes of one engine.
#[derive(Debug, Default)]
pub struct Turns {
    state: Mutex<State>,
    nobody_reads: Condvar,
}

#[derive(Debug, Default)]
struct State {
    readers: usize,
    waiting: Vec<Waiting>,
}

/// In the order of asking.
#[derive(Debug)]
struct Waiting {
    tokens: usize,
    passed: usize,
    turn: oneshot::Sender<Reading>,
}

/// A prompt is being read while this lives.
#[derive(Debug)]
pub struct Reading {
    turns: Arc<Turns>,
}

impl Turns {
    /// Nobody reads yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Waits for the turn to read a prompt of so many tokens.
    pub async fn read(self: &Arc<Self>, tokens: usize) -> Reading {
        let granted = {
            let mut state = self.lock();
            if state.readers == 0 {
                state.readers = 1;
                return self.reading();
            }
            let (turn, granted) = oneshot::channel();
            state.waiting.push(Waiting { tokens, passed: 0, turn });
            granted
        };
        // Who leaves while waiting drops a turn that came in that moment: it goes to the next.
        if let Ok(Ok(reading)) = tokio::time::timeout(QUEUE, granted).await {
            return reading;
        }
        self.lock().readers += 1;
        self.reading()
    }

    /// Blocks the thread before a further token is computed, while somebody reads.
    pub fn before_next_token(&self) {
        let state = self.lock();
        let waited = self.nobody_reads.wait_timeout_while(state, PAUSE, |s| s.readers > 0);
        drop(waited);
    }

    fn reading(self: &Arc<Self>) -> Reading {
        Reading { turns: Arc::clone(self) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes out who reads next: the shortest prompt, but for one that was passed too often.
    fn next(&mut self) -> Option<Waiting> {
        self.waiting.retain(|waiting| !waiting.turn.is_closed());
        let passed = self.waiting.iter().position(|waiting| waiting.passed >= PASSED);
        let shortest = || {
            let waiting = self.waiting.iter().enumerate();
            waiting.min_by_key(|(_, waiting)| waiting.tokens).map(|(at, _)| at)
        };
        let at = passed.or_else(shortest)?;
        self.waiting[..at].iter_mut().for_each(|waiting| waiting.passed += 1);
        Some(self.waiting.remove(at))
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
        let next = {
            let mut state = self.turns.lock();
            state.readers -= 1;
            // Others read already if one of them waited too long.
            let next = if state.readers == 0 { state.next() } else { None };
            match &next {
                Some(_) => state.readers += 1,
                None if state.readers == 0 => self.turns.nobody_reads.notify_all(),
                None => {}
            }
            next
        };
        if let Some(next) = next {
            // Whoever is gone drops it, which comes here again.
            drop(next.turn.send(self.turns.reading()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// Somebody who asks for a turn now, says a name when it comes, and ends the turn.
    async fn reader(
        turns: &Arc<Turns>,
        tokens: usize,
        order: &Arc<Mutex<Vec<usize>>>,
    ) -> tokio::task::JoinHandle<()> {
        let (turns, order) = (Arc::clone(turns), Arc::clone(order));
        let reader = tokio::spawn(async move {
            let reading = turns.read(tokens).await;
            order.lock().unwrap().push(tokens);
            drop(reading);
        });
        // Until it waits.
        tokio::task::yield_now().await;
        reader
    }

    #[tokio::test]
    async fn short_prompts_are_read_first_but_a_long_one_is_not_passed_for_ever() {
        let turns = Turns::new();
        let order = Arc::default();
        let first = turns.read(1).await;
        let mut readers = Vec::new();
        for tokens in [900, 30, 20, 40, 11, 10, 12] {
            readers.push(reader(&turns, tokens, &order).await);
        }
        drop(first);
        for reader in readers {
            reader.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [10, 11, 12, 20, 900, 30, 40]);
        assert_eq!(turns.lock().readers, 0);
    }

    #[tokio::test]
    async fn who_leaves_gives_the_turn_to_the_next() {
        let turns = Turns::new();
        let order = Arc::default();
        let first = turns.read(1).await;
        let leaves = reader(&turns, 5, &order).await;
        let stays = reader(&turns, 6, &order).await;
        leaves.abort();
        drop(first);
        stays.await.unwrap();
        assert_eq!(*order.lock().unwrap(), [6]);
        assert_eq!(turns.lock().readers, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_hangs_does_not_hold_the_rest_for_ever() {
        let turns = Turns::new();
        let begun = tokio::time::Instant::now();
        let hangs = turns.read(1).await;
        let second = turns.read(1).await;
        assert_eq!(begun.elapsed(), QUEUE);
        drop((hangs, second));
        turns.read(1).await;
        assert_eq!(begun.elapsed(), QUEUE);
    }

    #[tokio::test]
    async fn answers_pause_while_somebody_reads_and_not_for_ever() {
        let turns = Turns::new();
        let reading = turns.read(1).await;
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
