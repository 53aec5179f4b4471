//! What a password must be, when one is chosen.
//!
//! Length is what counts; no rules about kinds of signs. Refused is what is guessed first: the
//! commonest passwords, one sign repeated, and the account's own address.
use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

use crate::Email;

/// The commonest passwords of at least [`MIN_CHARS`] characters, in lower case, one a line.
const COMMON: &str = include_str!("common_passwords.txt");
const MIN_CHARS: usize = 10;
const MAX_BYTES: usize = 256;

/// A password that may be set: NFC, at least 10 characters, at most 256 bytes, not a common one.
#[derive(Clone, Debug)]
pub struct NewPassword(SecretString);

/// Why a password may not be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordProblem {
    /// Fewer than 10 characters.
    #[error("this password is too short; it needs at least 10 characters")]
    TooShort,
    /// More than 256 bytes.
    #[error("this password is too long; it may have at most 256 bytes")]
    TooLong,
    /// Among the first that anybody would try.
    #[error(
        "this password is one of the first that are guessed; three or four random words are better"
    )]
    Common,
    /// The address, or the part before its `@`.
    #[error("the e-mail address cannot be the password")]
    IsEmail,
}

impl NewPassword {
    /// Checks what somebody with that address chose.
    pub fn new(text: &SecretString, email: &Email) -> Result<Self, PasswordProblem> {
        let password = normalised(text).ok_or(PasswordProblem::TooLong)?;
        let chosen = password.expose_secret();
        if chosen.chars().count() < MIN_CHARS {
            return Err(PasswordProblem::TooShort);
        }
        let lower = SecretString::from(chosen.to_lowercase());
        let lower = lower.expose_secret().trim();
        if lower == email.as_str() || lower == email.local() {
            return Err(PasswordProblem::IsEmail);
        }
        let mut signs = lower.chars();
        let first = signs.next();
        if signs.all(|c| Some(c) == first) || COMMON.lines().any(|common| common == lower) {
            return Err(PasswordProblem::Common);
        }
        Ok(Self(password))
    }

    pub(crate) fn text(&self) -> &SecretString {
        &self.0
    }
}

/// The form that is hashed, at any keyboard the same; `None` if it is too long to be a password.
pub(crate) fn normalised(text: &SecretString) -> Option<SecretString> {
    // Composing never makes a text four times shorter, so this refuses no good one, and no
    // flood of text is worked on.
    if text.expose_secret().len() > 4 * MAX_BYTES {
        return None;
    }
    let password: String = text.expose_secret().nfc().collect();
    let password = SecretString::from(password);
    (password.expose_secret().len() <= MAX_BYTES).then_some(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<NewPassword, PasswordProblem> {
        NewPassword::new(&text.into(), &"jane.doe-smith@example.com".parse().unwrap())
    }

    #[test]
    fn a_password_needs_length_and_nothing_else() {
        assert!(check("horse staple").is_ok());
        assert!(check("ünïcödé-🦀🦀").is_ok());
        assert_eq!(check("Aa1!Aa1!A").unwrap_err(), PasswordProblem::TooShort);
        // Ten bytes, but five characters.
        assert_eq!(check("ééééé").unwrap_err(), PasswordProblem::TooShort);
        assert_eq!(check(&"long".repeat(65)).unwrap_err(), PasswordProblem::TooLong);
        assert_eq!(check(&"long".repeat(9999)).unwrap_err(), PasswordProblem::TooLong);
    }

    #[test]
    fn what_is_guessed_first_is_refused() {
        for text in ["1234567890", "Password123", "QWERTYUIOP", "aaaaaaaaaaaaaa", " password123 "] {
            assert_eq!(check(text).unwrap_err(), PasswordProblem::Common, "{text}");
        }
        for text in ["jane.doe-smith@example.com", "Jane.Doe-Smith"] {
            assert_eq!(check(text).unwrap_err(), PasswordProblem::IsEmail, "{text}");
        }
    }

    #[test]
    fn the_list_holds_only_what_could_otherwise_be_chosen() {
        for common in COMMON.lines() {
            assert!(common.chars().count() >= MIN_CHARS, "{common} is refused as too short anyway");
            assert_eq!(common, common.to_lowercase(), "compared in lower case");
            assert_eq!(COMMON.lines().filter(|line| *line == common).count(), 1, "{common} twice");
        }
    }

    #[test]
    fn a_password_does_not_show_in_logs() {
        assert!(!format!("{:?}", check("horse staple")).contains("horse"));
    }
}
