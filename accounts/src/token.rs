//! Secrets we hand out: session ids and link tokens.
//!
//! 256 random bits, so no guessing and no slow hash: what is stored is their SHA-256, and a thief
//! of the database holds nothing to sign in with.
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// A new secret, to be handed out once: 43 characters of URL-safe base64.
#[derive(Clone)]
pub struct Token(SecretString);

impl Token {
    /// A secret nobody has seen, and the hash to store.
    pub fn random() -> (Self, TokenHash) {
        let bits: [u8; 32] = rand::random();
        Self::of_bits(&bits)
    }

    /// The secret of these bits, which somebody else has drawn, and the hash to store.
    pub(crate) fn of_bits(bits: &[u8; 32]) -> (Self, TokenHash) {
        (Self(URL_SAFE_NO_PAD.encode(bits).into()), TokenHash::of_bits(bits))
    }

    /// The secret itself, for the cookie or the link it goes into.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// What is stored of a secret.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

impl TokenHash {
    /// The hash of what somebody handed back; `None` if it cannot be one of ours.
    pub fn of(text: &str) -> Option<Self> {
        let bits: [u8; 32] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        Some(Self::of_bits(&bits))
    }

    /// As it is stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn of_bits(bits: &[u8; 32]) -> Self {
        Self(Sha256::digest(bits).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_to_its_hash() {
        let (token, hash) = Token::random();
        assert_eq!(token.expose().len(), 43);
        assert_eq!(TokenHash::of(token.expose()).unwrap().as_bytes(), hash.as_bytes());
    }

    #[test]
    fn what_cannot_be_a_token_is_not_looked_up() {
        for text in ["", "short", "'; drop table", &"a".repeat(44), &"=".repeat(43)] {
            assert!(TokenHash::of(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_token_does_not_show_in_logs() {
        let (token, _) = Token::random();
        assert!(!format!("{token:?}").contains(token.expose()));
    }
}
