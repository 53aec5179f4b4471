//! What somebody types who is asked for the second factor: a code of the app, or one from paper.
use std::fmt;

use data_encoding::BASE32_NOPAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// 80 bits: no guessing, so no slow hash either.
const BYTES: usize = 10;
/// The longest text that is looked at.
const LONGEST: usize = 64;

/// What was typed, where it can be one of the two.
pub enum Proof {
    /// Of an app.
    Code(u32),
    /// From paper.
    Recovery(RecoveryCode),
}

impl Proof {
    /// Spaces, dashes and the case of letters are all the same.
    pub fn read(text: &SecretString) -> Option<Self> {
        let text = text.expose_secret();
        if text.len() > LONGEST {
            return None;
        }
        let counts = |c: &char| !c.is_whitespace() && *c != '-';
        let plain: String = text.chars().filter(counts).collect();
        if plain.len() == 6 && plain.bytes().all(|byte| byte.is_ascii_digit()) {
            return plain.parse().ok().map(Self::Code);
        }
        let bits = BASE32_NOPAD.decode(plain.to_ascii_uppercase().as_bytes()).ok()?;
        Some(Self::Recovery(RecoveryCode(bits.try_into().ok()?)))
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Code(_) => "Code(..)",
            Self::Recovery(_) => "Recovery(..)",
        })
    }
}

/// A code on paper, in place of one of the app; good once.
#[derive(Clone)]
pub struct RecoveryCode([u8; BYTES]);

impl RecoveryCode {
    pub(crate) fn random() -> Self {
        Self(rand::random())
    }

    /// As people write it down: four times four letters and digits.
    pub fn text(&self) -> SecretString {
        let text = BASE32_NOPAD.encode(&self.0).to_ascii_lowercase();
        let (one, two, three, four) = (&text[..4], &text[4..8], &text[8..12], &text[12..]);
        format!("{one}-{two}-{three}-{four}").into()
    }

    /// As it is stored: one person's is nobody else's.
    pub(crate) fn hash(&self, person_id: Uuid) -> [u8; 32] {
        Sha256::new().chain_update(person_id).chain_update(self.0).finalize().into()
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_spaced() {
        for text in ["012345", " 012 345 ", "012-345"] {
            assert!(matches!(Proof::read(&text.into()), Some(Proof::Code(12_345))), "{text}");
        }
        for text in ["", "12345", "1234567", "١٢٣٤٥٦", "+12345", "abcdef", &"1".repeat(65)] {
            assert!(Proof::read(&text.into()).is_none(), "{text}");
        }
    }

    #[test]
    fn a_code_from_paper_comes_back_in_any_case_and_is_one_persons() {
        let code = RecoveryCode::random();
        let text = code.text();
        let text = text.expose_secret();
        assert_eq!((text.len(), text.matches('-').count()), (19, 3));
        for typed in [text.to_owned(), text.to_uppercase(), text.replace('-', " ")] {
            let Some(Proof::Recovery(read)) = Proof::read(&typed.into()) else { panic!("{text}") };
            assert_eq!(read.hash(Uuid::nil()), code.hash(Uuid::nil()));
            assert_ne!(read.hash(Uuid::nil()), code.hash(Uuid::max()));
        }
        assert!(!format!("{code:?}").contains(text));
    }
}
