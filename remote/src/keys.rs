//! Keys of control planes, kept in a file that only its owner can read. Why in a file:
//! docs/adr/0035.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use secrecy::{ExposeSecret as _, SecretString};

use crate::address::Address;
use crate::error::{Error, Result};

/// The longest key, in letters.
const LONGEST: usize = 512;

/// A key of a control plane. It is shown nowhere.
#[derive(Clone, Debug)]
pub struct Key(SecretString);

impl Key {
    /// The key itself.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl FromStr for Key {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let fits = (1..=LONGEST).contains(&text.len());
        if !fits || !text.bytes().all(|letter| letter.is_ascii_graphic()) {
            return Err(Error::NotAKey);
        }
        Ok(Self(text.into()))
    }
}

/// The keys of one person, by the address that each is for.
#[derive(Clone, Debug)]
pub struct Keys {
    file: PathBuf,
}

impl Keys {
    /// Those that this file keeps. It need not be there.
    pub fn at(file: PathBuf) -> Self {
        Self { file }
    }

    /// The key for an address.
    pub fn of(&self, address: &Address) -> Result<Key> {
        let kept = self.read()?.remove(&address.to_string());
        kept.ok_or_else(|| Error::NoKey(address.clone()))?.parse()
    }

    /// The address that is meant where none is said: the only one that a key is kept for.
    pub fn only(&self) -> Result<Address> {
        let mut known: Vec<Address> =
            self.read()?.keys().filter_map(|address| address.parse().ok()).collect();
        match (known.pop(), known.is_empty()) {
            (Some(only), true) => Ok(only),
            (last, _) => Err(Error::NoAddress(known.into_iter().chain(last).collect())),
        }
    }

    /// Keeps a key in place of the one before.
    pub fn keep(&self, address: &Address, key: &Key) -> Result<()> {
        let mut kept = self.read()?;
        kept.insert(address.to_string(), key.expose().to_owned());
        self.write(&kept)
    }

    /// Forgets a key. False: none was kept.
    pub fn forget(&self, address: &Address) -> Result<bool> {
        let mut kept = self.read()?;
        let was_kept = kept.remove(&address.to_string()).is_some();
        if was_kept {
            self.write(&kept)?;
        }
        Ok(was_kept)
    }

    fn read(&self) -> Result<BTreeMap<String, String>> {
        let failed = |source| Error::File { doing: "read", path: self.file.clone(), source };
        let about = match std::fs::metadata(&self.file) {
            Ok(about) => about,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(failed(error)),
        };
        if about.mode() & 0o077 != 0 {
            return Err(Error::OpenKeys(self.file.clone()));
        }
        let text = std::fs::read_to_string(&self.file).map_err(failed)?;
        serde_json::from_str(&text).map_err(|error| failed(error.into()))
    }

    /// The old file or the new one, never half of one; from its first moment nobody else's to read.
    fn write(&self, kept: &BTreeMap<String, String>) -> Result<()> {
        let failed = |source| Error::File { doing: "write", path: self.file.clone(), source };
        let folder = self.file.parent().unwrap_or(Path::new("."));
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let text = serde_json::to_string_pretty(kept).map_err(|error| failed(error.into()))?;
        // One that is made so can be read by its owner alone.
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(&self.file).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn keys_are_kept_by_address_for_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("home/keys.json");
        let keys = Keys::at(file.clone());
        let [one, other] = ["https://one.example", "https://other.example"]
            .map(|text| text.parse::<Address>().unwrap());
        assert!(matches!(keys.of(&one), Err(Error::NoKey(_))));
        assert!(matches!(keys.only(), Err(Error::NoAddress(known)) if known.is_empty()));
        assert!(!keys.forget(&one).unwrap() && !file.exists(), "looking made nothing");

        keys.keep(&one, &"first".parse().unwrap()).unwrap();
        keys.keep(&one, &" second\n".parse().unwrap()).unwrap();
        assert_eq!(
            (keys.of(&one).unwrap().expose(), keys.only().unwrap()),
            ("second", one.clone())
        );
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));

        keys.keep(&other, &"third".parse().unwrap()).unwrap();
        assert!(matches!(keys.only(), Err(Error::NoAddress(known)) if known.len() == 2));
        assert!(keys.forget(&one).unwrap());
        assert_eq!(keys.only().unwrap(), other);

        // Somebody opened it: it is told, not used.
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(keys.of(&other), Err(Error::OpenKeys(_))));
    }

    #[test]
    fn a_key_shows_nowhere_and_is_one_word() {
        let key: Key = "soulfra_canary".parse().unwrap();
        assert!(!format!("{key:?}").contains("canary"));
        for bad in ["", " \n", "two words", "ümlaut", &"x".repeat(513), "a\u{7}"] {
            assert!(matches!(bad.parse::<Key>(), Err(Error::NotAKey)), "{bad:?}");
        }
    }
}
