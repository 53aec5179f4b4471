//! An e-mail address, parsed once.
//!
//! Kept in one form (trimmed, NFC, lower case), so that two spellings of one address are one
//! account. The check is for slips of the finger and for signs that confuse pages and mails; that
//! an address works is only known when its owner answers a mail.
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// A well-formed address such as `jane@example.com`, at most 254 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

/// Why a text is no address we take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmailProblem {
    /// More than 254 bytes, or more than 64 before the `@`.
    #[error("this e-mail address is too long")]
    TooLong,
    /// Not `name@domain.tld`.
    #[error("this is not an e-mail address; it looks like name@example.com")]
    Malformed,
}

impl Email {
    /// The address in its one form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the `@`.
    pub(crate) fn local(&self) -> &str {
        self.0.rsplit_once('@').map_or(self.0.as_str(), |(local, _)| local)
    }

    /// An address that was parsed before it was stored.
    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }
}

impl FromStr for Email {
    type Err = EmailProblem;

    fn from_str(text: &str) -> Result<Self, EmailProblem> {
        let text = text.trim();
        // Before normalising, which could make a long text longer still.
        if text.len() > 254 {
            return Err(EmailProblem::TooLong);
        }
        let email: String = text.nfc().collect::<String>().to_lowercase();
        let (local, domain) = email.rsplit_once('@').ok_or(EmailProblem::Malformed)?;
        if local.len() > 64 || email.len() > 254 {
            return Err(EmailProblem::TooLong);
        }
        if !is_local(local) || !is_domain(domain) {
            return Err(EmailProblem::Malformed);
        }
        Ok(Self(email))
    }
}

/// Dot-separated atoms; quoted names are refused, nobody has one.
fn is_local(local: &str) -> bool {
    let is_sign = |c: char| c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c);
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_sign))
}

fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    domain.contains('.') && domain.split('.').all(is_label)
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Email {
    type Error = EmailProblem;

    fn try_from(text: String) -> Result<Self, EmailProblem> {
        text.parse()
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_are_one_address() {
        let email: Email = " Jane.Doe@Example.COM ".parse().unwrap();
        assert_eq!(email.as_str(), "jane.doe@example.com");
        // "é" in one sign and as "e" with an accent.
        assert_eq!("Ren\u{e9}@example.com".parse::<Email>(), "Rene\u{301}@example.com".parse());
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "jane",
            "@example.com",
            "jane@",
            "jane@gmail",
            "jane@@example.com",
            "jane doe@example.com",
            "jane@exa mple.com",
            ".jane@example.com",
            "jane..doe@example.com",
            "jane@-example.com",
            "jane@example..com",
            "<jane@example.com>",
            "jane@example.com\r\nBcc: all@example.com",
            "ja\u{200b}ne@example.com",
        ] {
            assert_eq!(text.parse::<Email>(), Err(EmailProblem::Malformed), "{text:?}");
        }
        let long = format!("{}@example.com", "a".repeat(65));
        assert_eq!(long.parse::<Email>(), Err(EmailProblem::TooLong));
    }

    #[test]
    fn addresses_of_other_scripts_are_taken() {
        for text in ["jane+news@example.com", "o'neil@example.co.uk", "用户@例子.公司"] {
            assert!(text.parse::<Email>().is_ok(), "{text:?}");
        }
    }
}
