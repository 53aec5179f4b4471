//! Where things are kept: one home for a person's databases and keys, one cache for what can be
//! fetched again. One host process owns the home; a lock says which.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};

use crate::cli::Places;
use crate::failure::{Failure, Kind, Result};

/// The longest path a Unix socket may have, with room for the file's own name.
const LONGEST_SOCKET_FOLDER: usize = 80;

const LOCK: &str = "host.lock";

/// The places of one person.
#[derive(Debug, Clone)]
pub struct Home {
    /// Databases, keys and logs.
    pub data: PathBuf,
    /// Models and programs that can be fetched again.
    pub cache: PathBuf,
    /// Sockets; short enough for the kernel.
    pub run: PathBuf,
}

/// Held as long as this process is the host.
#[derive(Debug)]
pub struct HostLock {
    _file: File,
}

impl Home {
    /// Finds the places: as told, else where this system keeps such things.
    pub fn find(places: &Places) -> Self {
        let data = places.home.clone().unwrap_or_else(database::embedded::default_data_home);
        let cache = places.cache.clone().unwrap_or_else(database::embedded::default_cache_home);
        let data = std::path::absolute(&data).unwrap_or(data);
        let run = if data.as_os_str().len() <= LONGEST_SOCKET_FOLDER {
            data.join("run")
        } else {
            let digest = Sha256::digest(data.as_os_str().as_encoded_bytes());
            std::env::temp_dir().join(format!("soulfra-{}", hex::encode(&digest[..8])))
        };
        Self { data, cache, run }
    }

    /// Makes the folders, readable by nobody else.
    pub fn prepare(&self) -> Result<()> {
        for folder in [&self.data, &self.cache, &self.run] {
            private_folder(folder)?;
        }
        if self.platforms().exists() {
            protect(&self.platforms(), 0o700)?;
        }
        // Postgres runs as another user when we are root, and must be able to walk in.
        if rustix::process::geteuid().is_root() {
            for folder in [&self.data, &self.cache] {
                protect(folder, 0o711)?;
            }
        }
        if self.run.starts_with(&self.data) {
            return protect(&self.run, 0o700);
        }
        ours_alone(&self.run)
    }

    /// Becomes the host process. `None`: another one is.
    pub fn lock(&self) -> Result<Option<HostLock>> {
        use std::os::unix::fs::OpenOptionsExt;
        let path = self.data.join(LOCK);
        let file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| Failure::file("open", &path, &error))?;
        // Whoever can open it can hold it, and keep us out.
        protect(&path, 0o600)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(HostLock { _file: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(Failure::file("lock", &path, &error.into())),
        }
    }

    /// Whether a host process is there, even one that takes no requests yet. Makes nothing.
    pub fn is_held(&self) -> Result<bool> {
        Ok(self.data.join(LOCK).exists() && self.lock()?.is_none())
    }

    /// Removes what is ours here, and the folder itself where nothing else is in it: somebody may
    /// have named one that holds more than platforms.
    pub fn remove(&self) -> Result<()> {
        let lock = self.data.join(LOCK);
        let (platforms, postgres) = (self.platforms(), self.postgres());
        let (key, authority, model) = (self.root_key(), self.authority(), self.chosen_model());
        let (usage, log, older_log) = (self.usage(), self.log(), self.older_log());
        let (blueprints, made) = (self.blueprints(), self.folders());
        let folders = [&self.run, &platforms, &blueprints, &made, &postgres, &authority, &usage];
        let files = [&key, &model, &log, &older_log, &lock];
        for path in folders.into_iter().chain(files) {
            let removed = if path.is_dir() {
                std::fs::remove_dir_all(path)
            } else {
                std::fs::remove_file(path)
            };
            if let Err(error) = removed
                && error.kind() != std::io::ErrorKind::NotFound
            {
                return Err(Failure::file("remove", path, &error));
            }
        }
        match std::fs::remove_dir(&self.data) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => Ok(()),
            Err(error) => Err(Failure::file("remove", &self.data, &error)),
        }
    }

    /// The socket on which the host process takes requests. Refused where somebody else could
    /// have put one in its place.
    pub fn socket(&self) -> Result<PathBuf> {
        if !self.run.starts_with(&self.data) {
            ours_alone(&self.run)?;
        }
        Ok(self.run.join("host.sock"))
    }

    /// What is remembered of each platform between runs.
    pub fn platforms(&self) -> PathBuf {
        self.data.join("platforms")
    }

    /// What the console knows of blueprints beside their files.
    pub fn blueprints(&self) -> PathBuf {
        self.data.join("blueprints")
    }

    /// The folders of platforms that were made in the console.
    pub fn folders(&self) -> PathBuf {
        self.data.join("folders")
    }

    /// The embedded Postgres' home.
    pub fn postgres(&self) -> PathBuf {
        self.data.join("postgres")
    }

    /// What seals the secrets that platforms store.
    pub fn root_key(&self) -> PathBuf {
        self.data.join("root.key")
    }

    /// The keys of control planes. They outlive the last platform of this machine.
    pub fn control_planes(&self) -> PathBuf {
        self.data.join("control-planes.json")
    }

    /// Which model the person chose last.
    pub fn chosen_model(&self) -> PathBuf {
        self.data.join("model")
    }

    /// Model files.
    pub fn models(&self) -> PathBuf {
        self.cache.join("models")
    }

    /// What was used of the models, and what may be.
    pub fn usage(&self) -> PathBuf {
        self.data.join("usage")
    }

    /// The certificate authority for this machine.
    pub fn authority(&self) -> PathBuf {
        self.data.join("authority")
    }

    /// The host's log.
    pub fn log(&self) -> PathBuf {
        self.data.join("host.log")
    }

    /// The log before that one.
    pub fn older_log(&self) -> PathBuf {
        self.data.join("host.log.old")
    }
}

/// Makes a folder that nobody else can read, unless it is there.
pub fn private_folder(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| Failure::file("make", folder, &error))
}

/// Says who may do what with a file or folder.
pub fn protect(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .map_err(|error| Failure::file("protect", path, &error))
}

/// Refuses a folder in a place where anybody may make one, unless it is ours and closed. One that
/// is not there yet is fine.
fn ours_alone(folder: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let found = match std::fs::symlink_metadata(folder) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::file("look at", folder, &error)),
    };
    let why = if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
        "is not a folder of yours"
    } else if found.mode() & 0o077 != 0 {
        "is open to others"
    } else {
        return Ok(());
    };
    Err(Failure::new(
        Kind::Files,
        format!(
            "{} {why}, and somebody else could take requests in it in place of the host process",
            folder.display()
        ),
        "Remove it, or choose a shorter --home: the socket lies inside that where it fits.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(data: &Path) -> Home {
        Home::find(&Places { home: Some(data.to_owned()), cache: Some(data.join("cache")) })
    }

    #[test]
    fn only_one_host_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(folder.path());
        home.prepare().unwrap();
        let first = home.lock().unwrap();
        assert!(first.is_some());
        assert!(home.lock().unwrap().is_none());
        drop(first);
        assert!(home.lock().unwrap().is_some());
    }

    #[test]
    fn nobody_else_can_hold_the_lock_or_see_what_platforms_there_are() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let home = home(folder.path());
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        home.prepare().unwrap();
        home.lock().unwrap();
        let lock = folder.path().join(LOCK);
        assert_eq!(mode(&lock), 0o600);
        // As an older program left them.
        protect(&lock, 0o644).unwrap();
        std::fs::create_dir(home.platforms()).unwrap();
        protect(&home.platforms(), 0o755).unwrap();
        home.prepare().unwrap();
        home.lock().unwrap();
        assert_eq!((mode(&lock), mode(&home.platforms())), (0o600, 0o700));
    }

    #[test]
    fn a_long_home_still_gets_a_short_socket() {
        let deep = PathBuf::from("/tmp").join("x".repeat(120));
        assert!(home(&deep).socket().unwrap().as_os_str().len() < 100);
    }

    #[test]
    fn a_socket_folder_that_others_can_use_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let home = home(&folder.path().join("x".repeat(120)));
        assert!(!home.run.starts_with(folder.path()));
        let refused = |why: &str| {
            for told in [home.prepare().unwrap_err(), home.socket().unwrap_err()] {
                assert!(told.what.contains(why), "{told}");
                assert!(told.hint.contains("--home"), "{}", told.hint);
            }
        };
        // Somebody knew the name and was there before us.
        std::os::unix::fs::symlink(folder.path(), &home.run).unwrap();
        refused("is not a folder of yours");
        std::fs::remove_file(&home.run).unwrap();
        std::fs::create_dir(&home.run).unwrap();
        std::fs::set_permissions(&home.run, PermissionsExt::from_mode(0o777)).unwrap();
        refused("is open to others");
        std::fs::remove_dir(&home.run).unwrap();
        home.prepare().unwrap();
        home.prepare().unwrap();
        assert_eq!(home.run.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::remove_dir(home.socket().unwrap().parent().unwrap()).unwrap();
    }
}
