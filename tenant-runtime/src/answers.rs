//! Answers while they are being spoken.
//!
//! An answer is written by one task and read by any number of listeners, who may leave and come
//! back. What it has said is a growing text; a listener's place in it is a byte offset and a count
//! of finished blocks, which is also the event id of the stream, so that a cut line resumes at
//! exactly the next byte: nothing is lost, nothing said twice.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use pages::Html;
use pages::markdown::{Block, BlockSplitter};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::domain::conversation::State;

/// How long an answer stays in memory after its end, for listeners who come back.
const LINGER: Duration = Duration::from_mins(1);

/// The answers of one tenant that are being spoken, by message id.
#[derive(Clone, Default)]
pub struct Answers {
    spoken: Arc<Mutex<HashMap<Uuid, Arc<Answer>>>>,
    /// Those that another copy of the runtime speaks, for as long as somebody hears them here.
    echoes: Arc<Mutex<HashMap<Uuid, Weak<Answer>>>>,
    closing: Arc<AtomicBool>,
}

impl Answers {
    /// Begins an answer.
    pub fn begin(&self, id: Uuid) -> Arc<Answer> {
        let answer = Arc::new(Answer::new());
        self.lock().insert(id, Arc::clone(&answer));
        answer
    }

    /// The answer with this id, if it is being spoken or has just ended.
    pub fn get(&self, id: Uuid) -> Option<Arc<Answer>> {
        self.lock().get(&id).cloned()
    }

    /// The echo of an answer that another copy speaks, which has said these words at least; `true`
    /// when it is new, and nobody feeds it yet.
    pub fn echo(&self, id: Uuid, words: &str) -> (Arc<Answer>, bool) {
        let mut echoes = self.echoes.lock().unwrap_or_else(PoisonError::into_inner);
        echoes.retain(|_, echo| echo.strong_count() > 0);
        if let Some(echo) = echoes.get(&id).and_then(Weak::upgrade) {
            return (echo, false);
        }
        let echo = Arc::new(Answer::new());
        echo.say(words);
        echoes.insert(id, Arc::downgrade(&echo));
        (echo, true)
    }

    /// How many answers are being spoken.
    pub fn running(&self) -> usize {
        self.lock().values().filter(|answer| answer.ending().is_none()).count()
    }

    /// Stops all of them, when the platform ends.
    pub fn stop_all(&self) {
        self.closing.store(true, Ordering::Release);
        self.lock().values().for_each(|answer| answer.stop.cancel());
    }

    /// Whether answers end because the platform does, and not because somebody stopped them.
    pub fn are_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Forgets an answer that did not come to be.
    pub fn forget(&self, id: Uuid) {
        self.lock().remove(&id);
    }

    /// Forgets an answer some time after its end.
    pub fn forget_later(&self, id: Uuid) {
        let answers = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(LINGER).await;
            answers.forget(id);
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Arc<Answer>>> {
        self.spoken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One answer.
pub struct Answer {
    spoken: Mutex<Spoken>,
    grown: watch::Sender<()>,
    /// Cancelled when the person stops it.
    pub stop: CancellationToken,
}

struct Spoken {
    text: String,
    /// Its place in the queue of the model server; 0 until that tells one.
    position: usize,
    splitter: BlockSplitter,
    blocks: Vec<Block>,
    ending: Option<Ending>,
}

impl Spoken {
    fn has(&self, place: Place) -> bool {
        self.text.is_char_boundary(place.offset) && place.blocks <= self.blocks.len()
    }
}

/// How an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Where it stands.
    pub state: State,
    /// What the person should know.
    pub note: Option<String>,
}

/// A listener's place: bytes heard, and finished blocks received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Bytes of the text heard.
    pub offset: usize,
    /// Finished blocks received.
    pub blocks: usize,
}

impl Place {
    /// Reads an event id, `OFFSET.BLOCKS`; anything else is the beginning.
    pub fn parse(id: &str) -> Self {
        id.split_once('.')
            .and_then(|(offset, blocks)| {
                Some(Self { offset: offset.parse().ok()?, blocks: blocks.parse().ok()? })
            })
            .unwrap_or_default()
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.offset, self.blocks)
    }
}

/// What a listener hears next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Nothing yet: it waits for its turn, at this place in the queue.
    Waits(usize),
    /// More words; the listener now stands at the place.
    Words(String, Place),
    /// A finished block of HTML, and the words heard behind it.
    Block {
        /// Rendered and sanitised.
        html: Html,
        /// What has been heard but is not in a finished block.
        rest: String,
        /// Where the listener stands now.
        place: Place,
    },
    /// It is over. All its words and how it ended.
    End(String, Ending),
}

impl Answer {
    fn new() -> Self {
        Self {
            spoken: Mutex::new(Spoken {
                text: String::new(),
                position: 0,
                splitter: BlockSplitter::new(),
                blocks: Vec::new(),
                ending: None,
            }),
            grown: watch::Sender::new(()),
            stop: CancellationToken::new(),
        }
    }

    /// Waits at this place in the queue.
    pub fn wait(&self, position: usize) {
        self.lock().position = position;
        self.grown.send_replace(());
    }

    /// Says more.
    pub fn say(&self, words: &str) {
        {
            let mut spoken = self.lock();
            spoken.text.push_str(words);
            let finished = spoken.splitter.push(words);
            spoken.blocks.extend(finished);
        }
        self.grown.send_replace(());
    }

    /// Ends it.
    pub fn end(&self, ending: Ending) {
        self.lock().ending = Some(ending);
        self.grown.send_replace(());
    }

    /// All that has been said.
    pub fn text(&self) -> String {
        self.lock().text.clone()
    }

    /// How it ended, if it has.
    pub fn ending(&self) -> Option<Ending> {
        self.lock().ending.clone()
    }

    /// Waits until this has come as far as a listener is, or ended: an echo may be behind what was
    /// heard elsewhere.
    pub async fn reach(&self, place: Place) {
        let mut grown = self.grown.subscribe();
        loop {
            grown.mark_unchanged();
            {
                let spoken = self.lock();
                if spoken.has(place) || spoken.ending.is_some() {
                    return;
                }
            }
            if grown.changed().await.is_err() {
                return;
            }
        }
    }

    /// What follows a place, waiting for it if need be. `told`: the last place in the queue that
    /// the listener was told; 0 for none.
    pub async fn after(&self, place: Place, told: usize) -> Heard {
        let mut grown = self.grown.subscribe();
        loop {
            grown.mark_unchanged();
            if let Some(heard) = self.next(place, told) {
                return heard;
            }
            if grown.changed().await.is_err() {
                // The sender lives in `self`, so this cannot be; ending is the safe reading.
                return Heard::End(self.text(), Ending { state: State::Interrupted, note: None });
            }
        }
    }

    fn next(&self, place: Place, told: usize) -> Option<Heard> {
        let spoken = self.lock();
        let waits = spoken.text.is_empty() && spoken.ending.is_none();
        if waits && spoken.position != told {
            return Some(Heard::Waits(spoken.position));
        }
        // An id that is not a place in this text (from an older life of it) begins anew.
        let place = if spoken.has(place) { place } else { Place::default() };
        if let Some(block) = spoken.blocks.get(place.blocks) {
            if place.offset < block.end_offset {
                let words = spoken.text[place.offset..block.end_offset].to_owned();
                return Some(Heard::Words(words, Place { offset: block.end_offset, ..place }));
            }
            return Some(Heard::Block {
                html: block.html.clone(),
                rest: spoken.text[block.end_offset..place.offset].to_owned(),
                place: Place { blocks: place.blocks + 1, ..place },
            });
        }
        if place.offset < spoken.text.len() {
            let words = spoken.text[place.offset..].to_owned();
            return Some(Heard::Words(words, Place { offset: spoken.text.len(), ..place }));
        }
        let ending = spoken.ending.clone()?;
        Some(Heard::End(spoken.text.clone(), ending))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Spoken> {
        self.spoken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_listener_who_is_cut_off_anywhere_hears_each_byte_once() {
        let said = "# Héllo\n\nOne paragraph with *words*.\n\n- a\n- b\n\nThe end 🎉.";
        let answer = Answer::new();
        for letter in said.chars() {
            answer.say(&letter.to_string());
        }
        answer.end(Ending { state: State::Done, note: None });
        // Each event is heard on a connection of its own, by its id alone.
        let (mut heard, mut id, mut blocks) = (String::new(), "0.0".to_owned(), 0);
        loop {
            match answer.after(Place::parse(&id), 0).await {
                Heard::Waits(position) => panic!("{position} where there is no queue"),
                Heard::Words(words, place) => {
                    heard.push_str(&words);
                    id = place.to_string();
                }
                Heard::Block { place, .. } => {
                    blocks += 1;
                    id = place.to_string();
                }
                Heard::End(text, _) => {
                    assert_eq!(text, said);
                    break;
                }
            }
        }
        assert_eq!(heard, said);
        // The list ends where the next block is known to begin: at the end of the answer.
        assert_eq!(blocks, 2);
    }

    #[tokio::test]
    async fn a_listener_waits_for_words_and_hears_the_end() {
        let answer = Arc::new(Answer::new());
        let listener = tokio::spawn({
            let answer = Arc::clone(&answer);
            async move { answer.after(Place::default(), 0).await }
        });
        answer.say("hi");
        assert!(matches!(listener.await.unwrap(), Heard::Words(words, _) if words == "hi"));
        answer.end(Ending { state: State::Stopped, note: None });
        let place = Place { offset: 2, blocks: 0 };
        assert!(matches!(answer.after(place, 0).await, Heard::End(text, _) if text == "hi"));
    }

    #[tokio::test]
    async fn a_place_that_is_none_begins_anew() {
        let answer = Answer::new();
        answer.say("äb");
        for id in ["1.0", "99.0", "0.7", "x", ""] {
            assert!(
                matches!(answer.after(Place::parse(id), 0).await, Heard::Words(words, _) if words == "äb"),
                "{id}"
            );
        }
    }

    #[tokio::test]
    async fn a_listener_hears_each_place_in_the_queue_once_and_none_after_the_first_word() {
        let answer = Answer::new();
        answer.wait(2);
        assert_eq!(answer.after(Place::default(), 0).await, Heard::Waits(2));
        answer.wait(1);
        assert_eq!(answer.after(Place::default(), 2).await, Heard::Waits(1));
        answer.say("hi");
        assert!(matches!(answer.after(Place::default(), 1).await, Heard::Words(..)));
        assert!(matches!(answer.after(Place::default(), 0).await, Heard::Words(..)));
    }
}
