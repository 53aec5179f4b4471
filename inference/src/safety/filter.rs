//! An answer as it is told: what is checked is shown, what may be the beginning of a match is held
//! back until that is decided.

use std::fmt;
use std::sync::Arc;

use super::normal::{ends_within_word, normalise};
use super::rules::Screen;
use super::{Category, Level};

/// The longest window where answers come by the sentence, in bytes.
const WINDOW: usize = 200;
/// No rule is longer than this, in bytes: what is held back beyond it is let go.
const HELD: usize = 4096;

/// Checks one answer.
pub struct SafetyFilter {
    screen: Arc<Screen>,
    level: Level,
    windows: Windows,
    held: String,
    /// What was shown ends within a word.
    within_word: bool,
}

/// How much is shown at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Windows {
    /// Whatever is decided.
    None,
    /// Whole sentences, or [`WINDOW`].
    Sentences,
}

/// What may be shown of an answer after a bit of it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// This text, and more may come.
    More(String),
    /// This text, and then the answer is over, for this.
    Blocked(String, Category),
}

impl SafetyFilter {
    pub(super) fn new(screen: Arc<Screen>, level: Level) -> Self {
        let windows = if level == Level::Maximum { Windows::Sentences } else { Windows::None };
        Self { screen, level, windows, held: String::new(), within_word: false }
    }

    /// The level it checks for.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Shows whole sentences only, whatever the level: for who asks a guard about each.
    #[must_use]
    pub fn by_sentence(mut self) -> Self {
        self.windows = Windows::Sentences;
        self
    }

    /// Whether something is held back.
    pub fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// Takes the next bit and says what may be shown.
    pub fn push(&mut self, text: &str) -> Checked {
        self.held.push_str(text);
        self.check(self.windows, false)
    }

    /// What may be shown although its sentence has not ended: nobody should wait for long.
    pub fn overdue(&mut self) -> Checked {
        self.check(Windows::None, false)
    }

    /// The rest, once no more text can come.
    pub fn rest(&mut self) -> Checked {
        self.check(Windows::None, true)
    }

    fn check(&mut self, windows: Windows, is_whole: bool) -> Checked {
        let (hit, open) = self.look(is_whole);
        if let Some((at, category)) = hit {
            self.held.truncate(at);
            return Checked::Blocked(std::mem::take(&mut self.held), category);
        }
        let too_much = self.held.len().saturating_sub(HELD);
        let mut decided = open.max(self.held.ceil_char_boundary(too_much));
        if windows == Windows::Sentences && self.held.len() <= WINDOW {
            decided = sentences(&self.held[..decided]);
        }
        let keep = self.held.split_off(decided);
        let show = std::mem::replace(&mut self.held, keep);
        self.within_word = ends_within_word(&show).unwrap_or(self.within_word);
        Checked::More(show)
    }

    /// What is to be blocked and from where on, and from where on nothing is decided yet.
    fn look(&self, is_whole: bool) -> (Option<(usize, Category)>, usize) {
        let Screen { words, categories, safe, data } = &*self.screen;
        let normal = normalise(&self.held, self.within_word, is_whole, safe);
        let mut open = normal.unsure_from.unwrap_or(self.held.len());
        if let Some((rule, at)) = words.matches(&normal.text).next() {
            let from = normal.original(at.start);
            // One word more can make a phrase of it that is safe.
            let next = normal.text[at.end..].trim_start();
            if is_whole || next.contains(' ') {
                return (Some((from, categories[rule])), open);
            }
            open = open.min(from);
        }
        if let Some(data) = data {
            if let Some(at) = data.find(&self.held, is_whole) {
                return (Some((at, Category::PersonalData)), open);
            }
            open = open.min(data.open_from(&self.held).unwrap_or(open));
        }
        let mut begun = normal.places().filter(|(place, _)| words.is_open(&normal.text, *place));
        open = open.min(begun.next().map_or(open, |(_, from)| from));
        (None, if is_whole { self.held.len() } else { open })
    }
}

/// How much of a text is whole sentences.
fn sentences(text: &str) -> usize {
    let ends = |c: char| matches!(c, '.' | '!' | '?' | '…' | ':' | ';' | '。' | '！' | '？');
    let mut before = ' ';
    let mut whole = 0;
    for (at, c) in text.char_indices() {
        if c == '\n' || (c.is_whitespace() && ends(before)) {
            whole = at + c.len_utf8();
        }
        before = c;
    }
    whole
}

impl fmt::Debug for SafetyFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is held back is nobody's to read.
        f.debug_struct("SafetyFilter").field("level", &self.level).finish_non_exhaustive()
    }
}
