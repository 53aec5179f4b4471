//! The host's log: what happens goes to a file, because the terminal is for people. A long one is
//! put aside, over the one put aside before.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tracing_subscriber::EnvFilter;

use crate::failure::{Failure, Result};
use crate::home::Home;
use crate::host::unexpected;

/// The longest log, in bytes; the older one is as long at most.
const LONGEST: u64 = 8 * 1024 * 1024;

/// From now on everything that is traced goes to the home's log.
pub fn begin(home: &Home) -> Result<()> {
    let path = home.log();
    let log = Log::open(path.clone(), home.older_log(), LONGEST)
        .map_err(|error| Failure::file("open", &path, &error))?;
    let filter = EnvFilter::try_from_env("SOULFRA_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,mistralrs=warn,mistralrs_core=warn,sqlx=warn"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::sync::Mutex::new(log))
        .with_ansi(false)
        .finish();
    tracing::subscriber::set_global_default(subscriber)
        .map_err(|error| unexpected(&format!("start the log: {error}")))
}

struct Log {
    path: PathBuf,
    older: PathBuf,
    longest: u64,
    file: File,
}

impl Log {
    fn open(path: PathBuf, older: PathBuf, longest: u64) -> io::Result<Self> {
        let file = append(&path)?;
        Ok(Self { path, older, longest, file })
    }

    /// Puts a long log aside. Every command that starts or joins a host writes to it, so another
    /// one may have done that already.
    fn make_room(&mut self) -> io::Result<()> {
        let ours = self.file.metadata()?;
        if ours.len() < self.longest {
            return Ok(());
        }
        let there = std::fs::metadata(&self.path);
        if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
            std::fs::rename(&self.path, &self.older)?;
        }
        self.file = append(&self.path)?;
        Ok(())
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Better a long log than none.
        _ = self.make_room();
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_is_put_aside_once_whoever_writes() {
        let folder = tempfile::tempdir().unwrap();
        let [path, older] = ["host.log", "host.log.old"].map(|name| folder.path().join(name));
        let open = || Log::open(path.clone(), older.clone(), 20).unwrap();
        let (mut host, mut other) = (open(), open());
        let read = || [&path, &older].map(|path| std::fs::read_to_string(path).unwrap_or_default());
        host.write_all(b"one, ten bytes more\n").unwrap();
        assert_eq!(read(), ["one, ten bytes more\n", ""]);
        other.write_all(b"two\n").unwrap();
        host.write_all(b"three\n").unwrap();
        assert_eq!(read(), ["two\nthree\n", "one, ten bytes more\n"]);
        other.write_all(b"four, and much more\n").unwrap();
        host.write_all(b"five\n").unwrap();
        assert_eq!(read(), ["five\n", "two\nthree\nfour, and much more\n"]);
    }
}
