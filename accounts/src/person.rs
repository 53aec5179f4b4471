//! A person: the noun, its state, and the name shown to others.
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

use crate::{Email, Role};

/// Somebody with an account on this platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Person {
    /// UUID v7: later people sort after earlier ones.
    pub id: Uuid,
    /// Unique among the people of the platform.
    pub email: Email,
    /// What others see.
    pub display_name: DisplayName,
    /// What the person may do.
    pub role: Role,
    /// Whether the person may sign in.
    pub status: Status,
    /// When the account was made.
    pub created_at: Timestamp,
}

/// Whether a person may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Yes.
    Active,
    /// Not yet: the address is to be verified, or an admin to approve.
    Pending,
    /// Not any more, until an admin says otherwise.
    Suspended,
}

impl Status {
    /// As stored and shown: `active`, `pending`, `suspended`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Suspended => "suspended",
        }
    }
}

/// A text that names no status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no status is named {0:?}; there are active, pending and suspended")]
pub struct UnknownStatus(String);

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        [Self::Active, Self::Pending, Self::Suspended]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| UnknownStatus(text.to_owned()))
    }
}

/// A name to show: 1 to 80 characters on one line, single spaces, nothing invisible that could
/// turn the text around it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DisplayName(String);

/// Why a text is no name we show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DisplayNameProblem {
    /// Nothing, or only spaces.
    #[error("a name is needed")]
    Empty,
    /// More than 80 characters.
    #[error("this name is too long; 80 characters are the most")]
    TooLong,
    /// Control characters, or marks that change the direction of writing.
    #[error("this name has signs that cannot be shown")]
    NotShowable,
}

impl DisplayName {
    /// The name as shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name that was parsed before it was stored.
    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }
}

impl FromStr for DisplayName {
    type Err = DisplayNameProblem;

    fn from_str(text: &str) -> Result<Self, DisplayNameProblem> {
        // Before normalising, so that no flood of text is worked on; 80 signs fit in well.
        if text.len() > 4096 {
            return Err(DisplayNameProblem::TooLong);
        }
        let name = text.split_whitespace().collect::<Vec<_>>().join(" ").nfc().collect::<String>();
        if name.is_empty() {
            return Err(DisplayNameProblem::Empty);
        }
        if name.chars().count() > 80 {
            return Err(DisplayNameProblem::TooLong);
        }
        // Joiners stay: Persian and emoji need them.
        let turns_text = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if name.chars().any(|c| c.is_control() || turns_text(c)) {
            return Err(DisplayNameProblem::NotShowable);
        }
        Ok(Self(name))
    }
}

impl fmt::Display for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for DisplayName {
    type Error = DisplayNameProblem;

    fn try_from(text: String) -> Result<Self, DisplayNameProblem> {
        text.parse()
    }
}

impl From<DisplayName> for String {
    fn from(name: DisplayName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_of_showable_text() {
        let name: DisplayName = "  Jane \n Doe ".parse().unwrap();
        assert_eq!(name.as_str(), "Jane Doe");
        assert_eq!(" \t".parse::<DisplayName>(), Err(DisplayNameProblem::Empty));
        assert_eq!("x".repeat(81).parse::<DisplayName>(), Err(DisplayNameProblem::TooLong));
        assert_eq!("a\u{202e}b".parse::<DisplayName>(), Err(DisplayNameProblem::NotShowable));
        assert_eq!("a\u{0}b".parse::<DisplayName>(), Err(DisplayNameProblem::NotShowable));
        assert!("👩\u{200d}🏫 Ms Ω".parse::<DisplayName>().is_ok());
    }
}
