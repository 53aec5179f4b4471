//! Small texts that are valid by construction: parsed once, carried as their own types.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

/// A text that does not have the form its place asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {wanted}")]
pub struct InvalidText {
    text: String,
    wanted: &'static str,
}

impl InvalidText {
    pub(crate) fn new(text: &str, wanted: &'static str) -> Self {
        Self { text: text.to_owned(), wanted }
    }
}

/// A newtype over `String` which only `$valid` texts can enter.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $max:literal, $wanted:literal, $valid:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidText;

            fn from_str(text: &str) -> Result<Self, InvalidText> {
                if $valid(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidText::new(text, $wanted))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidText;

            fn try_from(text: String) -> Result<Self, InvalidText> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> String {
                text.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "maxLength": $max })
            }
        }
    };
}

text_type!(
    /// A short identifier: lowercase letters, digits and inner hyphens, at most 63 characters.
    Slug, 63, "lowercase letters, digits and inner hyphens", is_label
);
text_type!(
    /// A domain name as the DNS has it: lowercase, internationalised labels in their `xn--` form,
    /// no wildcard, no trailing dot, at least two labels.
    Domain, 253, "a lowercase domain name", is_domain
);
text_type!(
    /// A colour as `#rrggbb`, lowercase.
    Colour, 7, "a colour written as #rrggbb in lowercase", is_colour
);
text_type!(
    /// A length of time: a whole number and one unit of `s`, `m`, `h`, such as `15m`.
    Wait, 7, "a length of time such as 15m", is_wait
);

impl Wait {
    /// The same as a standard duration.
    pub fn duration(&self) -> Duration {
        Duration::from_secs(seconds(&self.0).unwrap_or_default())
    }
}

/// A DNS label: `[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?`.
pub(crate) fn is_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Labels joined by dots, the last one at least two characters and not starting with a digit.
pub(crate) fn is_domain(text: &str) -> bool {
    let Some((_, last)) = text.rsplit_once('.') else { return false };
    text.len() <= 253
        && text.split('.').all(is_label)
        && last.len() >= 2
        && last.starts_with(|c: char| c.is_ascii_lowercase())
}

pub(crate) fn is_colour(text: &str) -> bool {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.len() == 7 && text.starts_with('#') && text.bytes().skip(1).all(hex)
}

pub(crate) fn is_wait(text: &str) -> bool {
    seconds(text).is_some()
}

/// Seconds in a text such as `90s`, `15m`, `2h`; at most six digits, no leading zero.
pub(crate) fn seconds(text: &str) -> Option<u64> {
    let unit = match text.bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3600,
        _ => return None,
    };
    let digits = text.get(..text.len() - 1)?;
    let plain = (1..=6).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.starts_with('0');
    plain.then(|| digits.parse::<u64>().ok()).flatten().map(|count| count * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_texts_become_types() {
        for good in ["a.de", "chat.example.com", "xn--mnchen-3ya.de", "1a.example"] {
            assert!(good.parse::<Domain>().is_ok(), "{good}");
        }
        for bad in ["localhost", "A.de", "a..de", "-a.de", "a.de.", "*.a.de", "1.2.3.4", "a.d", ""]
        {
            assert!(bad.parse::<Domain>().is_err(), "{bad}");
        }
        assert!("#0a0b0c".parse::<Colour>().is_ok());
        for bad in ["#0A0B0C", "0a0b0c", "#abc", "#0a0b0g", "#äbcde"] {
            assert!(bad.parse::<Colour>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_wait_counts_in_its_unit() {
        let wait = |text: &str| text.parse::<Wait>().map(|wait| wait.duration().as_secs());
        assert_eq!(wait("90s"), Ok(90));
        assert_eq!(wait("15m"), Ok(900));
        assert_eq!(wait("2h"), Ok(7200));
        for bad in ["", "m", "0m", "015m", "15", "1.5h", "1h30m", "1234567s", "15ü"] {
            assert!(wait(bad).is_err(), "{bad}");
        }
    }
}
