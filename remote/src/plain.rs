//! Texts of somebody else, fit for a terminal.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest, in letters.
const LONGEST: usize = 2_000;
/// The most lines of one text.
const LINES: usize = 100;

/// A line of text without what would steer a terminal, or show letters in another order than they
/// are in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct Plain(String);

impl Plain {
    /// As it may be shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A text of several lines, each of them plain.
    pub fn lines(text: &str) -> Vec<Self> {
        text.lines().take(LINES).map(Self::from).collect()
    }
}

impl From<&str> for Plain {
    fn from(text: &str) -> Self {
        let seen = text.chars().filter_map(seen);
        Self(seen.take(LONGEST).collect())
    }
}

impl From<String> for Plain {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A letter as it may be shown, if it may.
fn seen(letter: char) -> Option<char> {
    match letter {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => Some(' '),
        // Marks that turn the direction of what follows.
        '\u{200e}'
        | '\u{200f}'
        | '\u{061c}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' => None,
        letter if letter.is_control() => None,
        letter => Some(letter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_it_steers_a_terminal() {
        let told = Plain::from("\u{1b}[2Jgone\u{9b}31m\u{7}\r\nnext\u{202e}txt.exe\u{0}");
        assert_eq!(told.as_str(), "[2Jgone31m  nexttxt.exe");
        let read: Plain = serde_json::from_str(r#""a\u001b]0;b\u0007""#).unwrap();
        assert_eq!(read.as_str(), "a]0;b");
        assert_eq!(Plain::from("ü 日本 🦀").as_str(), "ü 日本 🦀");
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(Plain::from("x".repeat(5_000)).as_str().len(), LONGEST);
        assert_eq!(Plain::lines(&"x\n".repeat(5_000)).len(), LINES);
    }
}
