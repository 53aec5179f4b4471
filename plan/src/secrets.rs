//! Secrets: a plan names them, and never holds them.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::SecretString;

/// A secret that a platform's objects need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretKey {
    /// URL of the database for the role that reads and writes rows.
    DatabaseApp,
    /// URL of the database for the role that only reads.
    DatabaseRead,
    /// What the runtime signs its tokens for the model server with.
    Inference,
    /// What opens the platform's part of the file store.
    Files,
    /// The link that makes its first visitor the owner, once.
    AdminLink,
}

impl SecretKey {
    /// Every one of them.
    pub const ALL: [Self; 5] =
        [Self::DatabaseApp, Self::DatabaseRead, Self::Inference, Self::Files, Self::AdminLink];

    /// The object that holds it, and the key in it.
    pub const fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::DatabaseApp => ("database-access", "app-url"),
            Self::DatabaseRead => ("database-access", "read-url"),
            Self::Inference => ("inference-credential", "credential"),
            Self::Files => ("files-credential", "credential"),
            Self::AdminLink => ("admin-link", "url"),
        }
    }
}

/// The values. No way of showing them says more than which there are.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<SecretKey, SecretString>);

impl Secrets {
    /// The same, and one more.
    pub fn with(mut self, key: SecretKey, value: SecretString) -> Self {
        self.0.insert(key, value);
        self
    }

    pub(crate) fn get(&self, key: SecretKey) -> Result<&SecretString, MissingSecret> {
        self.0.get(&key).ok_or(MissingSecret(key))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// An object needs a secret that was not handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the key `{}` of the Secret `{}` has no value yet: make it, then apply",
    .0.place().1,
    .0.place().0
)]
pub struct MissingSecret(pub SecretKey);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_is_not_printed() {
        let secrets =
            Secrets::default().with(SecretKey::AdminLink, "https://x/y".to_owned().into());
        assert_eq!(format!("{secrets:?}"), "{AdminLink}");
        let missing = secrets.get(SecretKey::Files).map(|_| ()).unwrap_err();
        assert!(missing.to_string().contains("files-credential"), "{missing}");
    }
}
