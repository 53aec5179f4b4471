//! Where the server keeps its files, and who may see them.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use etcetera::BaseStrategy as _;
use rustix::fs::{FlockOperation, flock};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::installation::Installation;
use super::owner::Owner;

/// Bytes a socket's path may have; macOS allows the least.
const LONGEST_SOCKET: usize = 103;
const SOCKET: &str = ".s.PGSQL.5432";
const LONGEST_LOG: u64 = 8 * 1024 * 1024;

/// The files of one server, ready to be used, and locked for us.
#[derive(Debug)]
pub(super) struct Home {
    pub(super) folder: PathBuf,
    pub(super) data: PathBuf,
    pub(super) sockets: PathBuf,
    pub(super) owner: Owner,
    _lock: File,
}

/// The server's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// A server runs here already.
    #[error("another process runs the database in {folder}: use that one, or stop it first")]
    InUse {
        /// The server's folder.
        folder: PathBuf,
    },
    /// We are root, Postgres is not, and it cannot get there.
    #[error("we run as root and Postgres as user {uid}, who cannot enter {barrier}: keep the data in {} and the cache in {}, or run as an ordinary user", default_data_home().display(), default_cache_home().display())]
    Barred {
        /// The folder that bars the way.
        barrier: PathBuf,
        /// Who was stopped.
        uid: u32,
    },
    /// Somebody else's folder is where ours should be.
    #[error("{folder} belongs to somebody else: remove it, or choose another data folder")]
    Foreign {
        /// The folder.
        folder: PathBuf,
    },
    /// The superuser's password is gone while the data is there.
    #[error(
        "{file} is missing, and without it nobody can log in to the data beside it: restore the file from a backup"
    )]
    NoPassword {
        /// Where it should be.
        file: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Where data is kept when nobody says otherwise: `/var/lib/soulfra` for root, whose own home
/// Postgres could not enter, else the user's data folder.
pub fn default_data_home() -> PathBuf {
    user_folder("/var/lib/soulfra", etcetera::base_strategy::Xdg::data_dir)
}

/// Where what can be fetched again is kept: `/var/cache/soulfra` for root, else the user's cache.
pub fn default_cache_home() -> PathBuf {
    user_folder("/var/cache/soulfra", etcetera::base_strategy::Xdg::cache_dir)
}

fn user_folder(root: &str, of: impl Fn(&etcetera::base_strategy::Xdg) -> PathBuf) -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return root.into();
    }
    etcetera::base_strategy::Xdg::new()
        .map_or_else(|_| root.into(), |dirs| of(&dirs).join("soulfra"))
}

impl Home {
    /// Makes and locks the folder, and checks that Postgres can use it and its programs.
    pub(super) fn open(folder: &Path, programs: &Installation) -> Result<Self, HomeError> {
        let io = |source| HomeError::Io { path: folder.to_owned(), source };
        create_passable(folder).map_err(io)?;
        let folder = folder.canonicalize().map_err(io)?;
        let data = folder.join("data");
        let owner = Owner::of(&data);
        // Passable for Postgres when that is not us, readable for nobody.
        let mode = if matches!(owner, Owner::Us) { 0o700 } else { 0o711 };
        set_mode(&folder, mode)?;
        let lock = lock(&folder)?;
        for needed in [folder.as_path(), programs.folder()] {
            if let Some(barrier) = owner.stopped_at(needed).map_err(io)? {
                return Err(HomeError::Barred { barrier, uid: owner.uid() });
            }
        }
        let sockets = socket_folder(&folder);
        private_folder(&sockets, owner)?;
        Ok(Self { folder, data, sockets, owner, _lock: lock })
    }

    /// The superuser's password; made before the first data, and kept as long as there is any.
    pub(super) fn password(&self) -> Result<SecretString, HomeError> {
        let file = self.folder.join("password");
        let io = |source| HomeError::Io { path: file.clone(), source };
        match std::fs::read_to_string(&file) {
            Ok(text) => return Ok(text.trim_end().into()),
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(io(e)),
            Err(_) if self.data.exists() => return Err(HomeError::NoPassword { file }),
            Err(_) => {}
        }
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes)
            .map_err(|_| io(io::Error::other("the system gave no random bytes")))?;
        let password = SecretString::from(URL_SAFE_NO_PAD.encode(bytes));
        let mut text = tempfile::NamedTempFile::new_in(&self.folder).map_err(io)?;
        writeln!(text, "{}", password.expose_secret()).map_err(io)?;
        text.as_file().sync_all().map_err(io)?;
        text.persist(&file).map_err(|e| io(e.error))?;
        self.sync()?;
        Ok(password)
    }

    /// Makes renames in the folder survive a power cut.
    pub(super) fn sync(&self) -> Result<(), HomeError> {
        File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|source| HomeError::Io { path: self.folder.clone(), source })
    }

    pub(super) fn log_file(&self) -> PathBuf {
        self.folder.join("postgres.log")
    }

    /// The log to append to; a long one is put aside first, over the one put aside before.
    pub(super) fn open_log(&self) -> io::Result<File> {
        let path = self.log_file();
        if path.metadata().is_ok_and(|log| log.len() > LONGEST_LOG) {
            std::fs::rename(&path, path.with_extension("log.old"))?;
        }
        let log = File::options().create(true).append(true).open(&path)?;
        log.set_permissions(Permissions::from_mode(0o600))?;
        Ok(log)
    }

    /// The last lines Postgres wrote, for an error message.
    pub(super) fn last_words(&self) -> String {
        let log = std::fs::read(self.log_file()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log[log.len().saturating_sub(4_096)..]).into_owned();
        let lines: Vec<_> = log.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(6)..].join("\n")
    }
}

/// Makes a folder and those above it. As root they let others pass whatever our umask says,
/// because Postgres will run as one of those; folders that were there stay as they are.
pub(super) fn create_passable(folder: &Path) -> io::Result<()> {
    let missing: Vec<_> = folder
        .ancestors()
        .take_while(|above| !above.as_os_str().is_empty() && !above.exists())
        .collect();
    std::fs::create_dir_all(folder)?;
    if rustix::process::geteuid().is_root() {
        for made in missing {
            make_public(made)?;
        }
    }
    Ok(())
}

/// Makes a tree enterable and readable for everybody; only its root may be closed.
pub(super) fn make_public(folder: &Path) -> io::Result<()> {
    std::fs::set_permissions(folder, Permissions::from_mode(0o755))
}

/// Writes everything in the file system of `path` to the disk, where one call can do that.
pub(super) fn sync_all(path: &Path) -> io::Result<()> {
    let folder = File::open(path)?;
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(&folder)?;
    folder.sync_all()
}

/// Tries for half a second: whoever held the lock may have gone while a child of theirs, between
/// fork and exec, still has the file open.
fn lock(folder: &Path) -> Result<File, HomeError> {
    const TRIES: u32 = 50;
    let path = folder.join("lock");
    let io = |source| HomeError::Io { path: path.clone(), source };
    // Whoever can open it can hold it, and keep us out.
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = file.map_err(io)?;
    file.set_permissions(Permissions::from_mode(0o600)).map_err(io)?;
    for _ in 0..TRIES {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(Duration::from_millis(10)),
            Err(e) => return Err(io(e.into())),
        }
    }
    Err(HomeError::InUse { folder: folder.to_owned() })
}

/// Inside the folder, or, where that path is too long for a socket, under `/tmp` by a name that
/// belongs to this folder.
fn socket_folder(folder: &Path) -> PathBuf {
    let inside = folder.join("run");
    if inside.join(SOCKET).as_os_str().len() <= LONGEST_SOCKET {
        return inside;
    }
    let name = hex::encode(Sha256::digest(folder.as_os_str().as_encoded_bytes()));
    Path::new("/tmp").join(format!("soulfra-{}", &name[..16]))
}

fn private_folder(folder: &Path, owner: Owner) -> Result<(), HomeError> {
    let io = |source| HomeError::Io { path: folder.to_owned(), source };
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(io(e)),
        _ => {}
    }
    let found = folder.symlink_metadata().map_err(io)?;
    let ours = [owner.uid(), rustix::process::geteuid().as_raw()].contains(&found.uid());
    if !found.is_dir() || !ours {
        return Err(HomeError::Foreign { folder: folder.to_owned() });
    }
    owner.owns(folder).map_err(io)?;
    set_mode(folder, 0o700)
}

fn set_mode(path: &Path, mode: u32) -> Result<(), HomeError> {
    std::fs::set_permissions(path, Permissions::from_mode(mode))
        .map_err(|source| HomeError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_moves_the_socket() {
        assert_eq!(socket_folder(Path::new("/var/lib/x")), Path::new("/var/lib/x/run"));
        let long = PathBuf::from(format!("/{}", "a".repeat(200)));
        assert!(socket_folder(&long).starts_with("/tmp"));
        assert_ne!(socket_folder(&long), socket_folder(&long.join("b")));
    }

    #[test]
    fn a_folder_is_used_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = lock(folder.path()).unwrap();
        assert!(matches!(lock(folder.path()), Err(HomeError::InUse { .. })));
        let going = std::thread::spawn(move || drop(first));
        lock(folder.path()).unwrap();
        going.join().unwrap();
    }

    #[test]
    fn nobody_else_can_hold_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lock");
        let mode = || file.metadata().unwrap().mode() & 0o777;
        drop(lock(folder.path()).unwrap());
        assert_eq!(mode(), 0o600);
        set_mode(&file, 0o644).unwrap();
        drop(lock(folder.path()).unwrap());
        assert_eq!(mode(), 0o600);
    }

    #[test]
    fn a_planted_socket_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("run");
        std::os::unix::fs::symlink("/tmp", &link).unwrap();
        assert!(matches!(private_folder(&link, Owner::Us), Err(HomeError::Foreign { .. })));
    }
}
