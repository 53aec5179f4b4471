//! Keys of the API: 256 random bits behind a word that tells what it is, so that whoever finds one
//! lying about (a scanner of repositories above all) knows. Those of model servers have a word of their
//! own: neither kind is ever taken for the other.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// What those of organizations begin with.
const WORD: &str = "soulfra_";
/// What those of model servers begin with.
const OF_MODEL_SERVER: &str = "soulfra_models_";
/// So many letters behind it are shown in lists.
const SHOWN: usize = 8;

/// A key that was just made. It is shown once.
#[derive(Clone)]
pub struct Key {
    secret: SecretString,
    word: &'static str,
}

/// What is stored of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash([u8; 32]);

impl Key {
    /// One that nobody has seen.
    pub fn random() -> Self {
        Self::behind(WORD)
    }

    /// One for a model server.
    pub fn of_model_server() -> Self {
        Self::behind(OF_MODEL_SERVER)
    }

    fn behind(word: &'static str) -> Self {
        let bits: [u8; 32] = rand::random();
        Self { secret: format!("{word}{}", URL_SAFE_NO_PAD.encode(bits)).into(), word }
    }

    /// The key itself, for whoever asked for it.
    pub fn expose(&self) -> &str {
        self.secret.expose_secret()
    }

    /// What is shown of it in lists: nobody guesses the rest.
    pub fn prefix(&self) -> &str {
        &self.expose()[self.word.len()..self.word.len() + SHOWN]
    }

    /// What is stored of it.
    pub fn hash(&self) -> KeyHash {
        KeyHash(Sha256::digest(self.expose()).into())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}..)", self.prefix())
    }
}

impl KeyHash {
    /// Of what somebody sent; `None` where it cannot be a key.
    pub fn of(text: &str) -> Option<Self> {
        Self::behind(WORD, text)
    }

    /// Of what a model server sent; `None` where it cannot be a key of one.
    pub fn of_model_server(text: &str) -> Option<Self> {
        Self::behind(OF_MODEL_SERVER, text)
    }

    fn behind(word: &str, text: &str) -> Option<Self> {
        let bits = URL_SAFE_NO_PAD.decode(text.strip_prefix(word)?).ok()?;
        (bits.len() == 32).then(|| Self(Sha256::digest(text).into()))
    }

    /// As it is stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_to_its_hash_and_does_not_show() {
        let key = Key::random();
        assert!(KeyHash::of(key.expose()) == Some(key.hash()));
        assert_eq!(key.prefix().len(), SHOWN);
        let debug = format!("{key:?}");
        assert!(!debug.contains(&key.expose()[WORD.len() + SHOWN..]), "{debug}");
        assert_ne!(Key::random().expose(), key.expose());
    }

    #[test]
    fn a_key_of_a_model_server_is_none_of_an_organization_and_the_other_way_round() {
        let (key, of_models) = (Key::random(), Key::of_model_server());
        assert!(KeyHash::of_model_server(of_models.expose()) == Some(of_models.hash()));
        assert!(KeyHash::of(of_models.expose()).is_none());
        assert!(KeyHash::of_model_server(key.expose()).is_none());
        assert_eq!(of_models.prefix().len(), SHOWN);
    }

    #[test]
    fn what_cannot_be_a_key_is_not_looked_up() {
        for text in ["", "soulfra_", "soulfra_short", "bearer", &"a".repeat(51)] {
            assert!(KeyHash::of(text).is_none(), "{text}");
        }
    }
}
