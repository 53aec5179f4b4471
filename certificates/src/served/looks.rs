//! How what an edge says in a platform's place looks: in the colours of its brand.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// The colours of a brand, in each mode that it has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looks {
    /// In light mode; `None`: it is always dark.
    pub light: Option<Shades>,
    /// In dark mode; `None`: it is always light.
    pub dark: Option<Shades>,
}

/// Colours that can be read on one another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shades {
    /// The page itself.
    pub page: Shade,
    /// What is written on it.
    pub text: Shade,
    /// What is said by the way.
    pub quiet: Shade,
    /// Links.
    pub link: Shade,
}

/// A colour, written `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shade([u8; 3]);

/// Those of a later version, which mean nothing here, are none.
pub(super) fn where_known<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Looks>, D::Error> {
    let said = Value::deserialize(from)?;
    Ok(serde_json::from_value(said).ok().flatten())
}

/// It is not a colour in the form `#rrggbb`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a colour: write it as #rrggbb")]
pub struct NotAShade(String);

impl FromStr for Shade {
    type Err = NotAShade;

    fn from_str(text: &str) -> Result<Self, NotAShade> {
        let digits = text.strip_prefix('#').filter(|digits| {
            digits.len() == 6 && digits.bytes().all(|each| each.is_ascii_hexdigit())
        });
        let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let [_, red, green, blue] = number.ok_or_else(|| NotAShade(text.to_owned()))?.to_be_bytes();
        Ok(Self([red, green, blue]))
    }
}

impl fmt::Display for Shade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([red, green, blue]) = self;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl TryFrom<String> for Shade {
    type Error = NotAShade;

    fn try_from(text: String) -> Result<Self, NotAShade> {
        text.parse()
    }
}

impl From<Shade> for String {
    fn from(shade: Shade) -> Self {
        shade.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_six_digits_and_nothing_else() {
        let shade: Shade = "#1D4ed8".parse().unwrap();
        assert_eq!(shade.to_string(), "#1d4ed8");
        for no in ["", "#fff", "1d4ed8", "#1d4ed8;", "#+d4ed8", "#1d4ed88", "red"] {
            assert_eq!(no.parse::<Shade>(), Err(NotAShade(no.to_owned())));
        }
    }

    #[test]
    fn looks_of_a_later_version_are_none() {
        #[derive(Deserialize)]
        struct Holder {
            #[serde(default, deserialize_with = "where_known")]
            looks: Option<Looks>,
        }
        let looks = |text: &str| serde_json::from_str::<Holder>(text).unwrap().looks;
        assert_eq!(looks(r#"{"looks": {"light": {"page": 7}}}"#), None);
        assert_eq!(looks("{}"), None);
        assert_eq!(looks(r#"{"looks": null}"#), None);
        assert_eq!(looks(r#"{"looks": {"light": null, "dark": null}}"#), Some(Looks::default()));
    }
}
