//! The root key: 32 random bytes in a file that only its owner may read.

use std::fmt;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretBox};

use crate::settings::told;

/// Everything that is sealed or derived hangs on this key: whoever loses it loses those.
pub struct RootKey {
    id: KeyId,
    bytes: SecretBox<[u8; 32]>,
}

/// Names a root key without telling it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub(super) [u8; 8]);

/// Why there is no root key.
#[derive(Debug, thiserror::Error)]
pub enum RootKeyError {
    /// The file cannot be read or written.
    #[error("the key in {path} cannot be read: {source}{also}", path = told(path), also = also(source))]
    Io {
        /// The key's file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others could read it, or it is not ours.
    #[error(
        "the key in {path} {why}: it may be known to others; run `chmod 600` on it, or restore it from a backup",
        path = told(path)
    )]
    Exposed {
        /// The key's file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Not 32 bytes in hexadecimal digits.
    #[error(
        "the key in {path} is none: 64 hexadecimal digits were expected, as `openssl rand -hex 32` gives them; one that was in use is restored from a backup",
        path = told(path)
    )]
    Damaged {
        /// The key's file.
        path: PathBuf,
    },
    /// No randomness to be had.
    #[error("the system gave no random bytes")]
    NoRandomness,
}

/// What to do about it, where the system's words do not say.
fn also(error: &io::Error) -> &'static str {
    // That of a Secret which Kubernetes has mounted is a link.
    if rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::LOOP) {
        ": a link is not followed, unless the settings say that the file is of a mounted Secret"
    } else if error.kind() == io::ErrorKind::InvalidData {
        ": 64 hexadecimal digits are expected"
    } else {
        ""
    }
}

impl RootKey {
    /// A key from elsewhere, such as a mounted Secret.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let bytes = SecretBox::new(Box::new(bytes));
        let name = mac(bytes.expose_secret(), "the key's name");
        let mut id = [0; 8];
        id.copy_from_slice(&name[..8]);
        Self { id: KeyId(id), bytes }
    }

    /// Reads the key, or makes one where there is no file. Of several that make it at once one
    /// wins and all return its key; a file is never replaced.
    pub fn read_or_create(path: &Path) -> Result<Self, RootKeyError> {
        match Self::read(path) {
            Err(RootKeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                create(path)?;
                Self::read(path)
            }
            read => read,
        }
    }

    /// Reads the key; refuses a file that others may read, that somebody else owns, or a link.
    pub fn read(path: &Path) -> Result<Self, RootKeyError> {
        let io = |source| RootKeyError::Io { path: path.to_owned(), source };
        let exposed = |why: String| RootKeyError::Exposed { path: path.to_owned(), why };
        let no_follow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0);
        let file = OpenOptions::new().read(true).custom_flags(no_follow).open(path).map_err(io)?;
        let about = file.metadata().map_err(io)?;
        if !about.is_file() {
            return Err(exposed("is no plain file".into()));
        }
        let mode = about.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(exposed(format!("has mode {mode:04o}")));
        }
        let owner = about.uid();
        if owner != rustix::process::geteuid().as_raw() && owner != 0 {
            return Err(exposed(format!("belongs to user {owner}")));
        }
        Self::from_file(file, path)
    }

    /// Reads the key from the file of a Secret that Kubernetes has mounted: such a file is a link,
    /// and the group may read it.
    pub fn read_mounted(path: &Path) -> Result<Self, RootKeyError> {
        let file = File::open(path);
        Self::from_file(
            file.map_err(|source| RootKeyError::Io { path: path.to_owned(), source })?,
            path,
        )
    }

    fn from_file(file: File, path: &Path) -> Result<Self, RootKeyError> {
        let mut text = Zeroizing::new(String::with_capacity(66));
        file.take(66)
            .read_to_string(&mut text)
            .map_err(|source| RootKeyError::Io { path: path.to_owned(), source })?;
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim_end(), &mut bytes[..])
            .map_err(|_| RootKeyError::Damaged { path: path.to_owned() })?;
        Ok(Self::from_bytes(*bytes))
    }

    /// The key's name, as it stands in each sealed value.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Another key of 32 bytes for one purpose. The same purpose gives the same key; none tells
    /// the root key or another one.
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        mac(self.bytes.expose_secret(), &format!("derived: {purpose}"))
    }
}

impl KeyId {
    /// As it stands in each sealed value.
    pub fn bytes(self) -> [u8; 8] {
        self.0
    }

    /// What [`KeyId::bytes`] told.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootKey({})", self.id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

fn mac(key: &[u8; 32], message: &str) -> Zeroizing<[u8; 32]> {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes());
    let mut bytes = Zeroizing::new([0; 32]);
    bytes.copy_from_slice(tag.as_ref());
    bytes
}

/// Writes a whole key beside the path and links it into place: a crash leaves no half key, and
/// a link never replaces a file that came in between.
fn create(path: &Path) -> Result<(), RootKeyError> {
    let io = |source| RootKeyError::Io { path: path.to_owned(), source };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut bytes = Zeroizing::new([0; 32]);
    aws_lc_rs::rand::fill(&mut bytes[..]).map_err(|_| RootKeyError::NoRandomness)?;
    let mut file = tempfile::Builder::new()
        .prefix(".root-key-")
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(folder)
        .map_err(io)?;
    let text = Zeroizing::new(hex::encode(&bytes[..]));
    writeln!(file, "{}", *text).map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    match std::fs::hard_link(file.path(), path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(io(e)),
        Ok(()) | Err(_) => {}
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chmod(path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_key_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.key");
        let made = RootKey::read_or_create(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(RootKey::read_or_create(&path).unwrap().id(), made.id());
        assert_eq!(folder.path().read_dir().unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn all_that_make_it_at_once_get_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.key");
        let ids: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| RootKey::read_or_create(&path).unwrap().id()))
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]));
    }

    #[test]
    fn a_key_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.key");
        RootKey::read_or_create(&path).unwrap();
        for mode in [0o640, 0o604, 0o644, 0o660] {
            chmod(&path, mode);
            let refused = RootKey::read_or_create(&path).unwrap_err();
            assert!(matches!(refused, RootKeyError::Exposed { .. }), "{mode:o}");
            assert!(refused.to_string().contains(&format!("{mode:04o}")));
        }
        chmod(&path, 0o400);
        RootKey::read(&path).unwrap();
    }

    #[test]
    fn a_link_and_a_damaged_key_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.key");
        RootKey::read_or_create(&path).unwrap();
        let link = folder.path().join("link.key");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(RootKey::read_or_create(&link).is_err());
        for text in ["", "abc", &"g".repeat(64), &"a".repeat(65), &"a".repeat(80)] {
            std::fs::write(&path, text).unwrap();
            let refused = RootKey::read_or_create(&path).unwrap_err();
            assert!(matches!(refused, RootKeyError::Damaged { .. }), "{text:?}");
        }
    }

    #[test]
    fn what_is_derived_is_stable_and_apart() {
        let key = RootKey::from_bytes([7; 32]);
        assert_eq!(key.derive("a"), RootKey::from_bytes([7; 32]).derive("a"));
        assert_ne!(key.derive("a"), key.derive("b"));
        assert_eq!(format!("{key:?}"), format!("RootKey({})", key.id()));
    }
}
