//! The name of a platform: parsed once, valid for ever.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::text::is_label;

/// Longest name, in characters: leaves room for `tenant-` and a suffix in Kubernetes names and
/// for `t_..._owner` in Postgres role names.
pub const MAX_NAME: usize = 40;

/// Host labels the factory keeps for itself.
pub const RESERVED: [&str; 6] = ["console", "www", "api", "admin", "edge", "mail"];

/// The name of a blueprint: a DNS label of at most [`MAX_NAME`] characters, not [`RESERVED`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlueprintName(String);

/// Why a text cannot name a platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Not a DNS label of at most 40 characters.
    #[error(
        "`{0}` cannot be a name: use 1 to {MAX_NAME} lowercase letters, digits and inner hyphens, \
         such as `{suggestion}`",
        suggestion = suggestion(_0)
    )]
    NotALabel(String),
    /// One of [`RESERVED`].
    #[error("the name `{0}` is reserved; use another one, such as `my-{0}`")]
    Reserved(String),
}

impl BlueprintName {
    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BlueprintName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if !is_name_label(text) {
            return Err(InvalidName::NotALabel(text.to_owned()));
        }
        if RESERVED.contains(&text) {
            return Err(InvalidName::Reserved(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for BlueprintName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<BlueprintName> for String {
    fn from(name: BlueprintName) -> String {
        name.0
    }
}

impl AsRef<str> for BlueprintName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BlueprintName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The form alone, reserved words left aside. An `xn--` label is refused because it shows in a
/// browser as other letters than the ones written.
pub(crate) fn is_name_label(text: &str) -> bool {
    text.len() <= MAX_NAME && is_label(text) && !text.starts_with("xn--")
}

/// The valid name that is closest to what was written.
pub(crate) fn suggestion(text: &str) -> String {
    let mut name = String::new();
    for c in text.trim_start_matches("xn--").chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.truncate(MAX_NAME);
    let name = name.trim_end_matches('-');
    match name {
        "" => "my-platform".to_owned(),
        name if RESERVED.contains(&name) => format!("my-{name}"),
        name if is_name_label(name) => name.to_owned(),
        _ => "my-platform".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_names_and_reserved_words_are_not() {
        for good in ["a", "my-company", "42", &"x".repeat(40)] {
            assert_eq!(good.parse::<BlueprintName>().map(String::from), Ok(good.to_owned()));
        }
        for bad in ["", "-a", "a-", "My", "a_b", "a.b", "xn--pple-43d", "münchen", &"x".repeat(41)]
        {
            assert!(
                matches!(bad.parse::<BlueprintName>(), Err(InvalidName::NotALabel(_))),
                "{bad}"
            );
        }
        for reserved in RESERVED {
            let refused = Err(InvalidName::Reserved(reserved.to_owned()));
            assert_eq!(reserved.parse::<BlueprintName>(), refused);
        }
    }

    #[test]
    fn every_suggestion_is_a_valid_name() {
        let long = "é".repeat(50) + &"y-".repeat(40);
        for text in ["My Company!", "www", "", "--", "xn--x", "Ünï", "xn--xn--a", &long] {
            let suggested = suggestion(text);
            assert!(suggested.parse::<BlueprintName>().is_ok(), "{text} -> {suggested}");
        }
        assert_eq!(suggestion("My Company!"), "my-company");
        assert_eq!(suggestion("admin"), "my-admin");
    }
}
