//! Looking after a store: what is in it, whether it is still what it was, and what can go. All of
//! it blocks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{DirEntry, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::catalogue::{Entry, Format, catalogue};
use super::checked::{sha256, stamp_path};
use super::embeddings::embedding_models;
use super::layout::{Named, Role, beside, named, place, quarantine};
use super::{Store, check};

#[cfg(test)]
mod tests;

/// What a process that died left behind is kept so long: it may not be dead.
const HALF_MADE: Duration = Duration::from_hours(24);

/// A file in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its SHA-256, as its name says.
    pub sha256: String,
    /// What it holds.
    pub format: Format,
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// When it was last asked for.
    pub used: SystemTime,
}

/// What [`Store::verify`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The file is what its name says.
    Sound,
    /// It is not, and was moved away; it is fetched anew when it is asked for.
    Quarantined {
        /// Where it is now.
        to: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Somebody fetches, checks or removes it just now.
    Busy,
}

/// Something that [`Store::collect`] removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Its name in the folder.
    pub name: String,
    /// What it took.
    pub bytes: u64,
}

impl Store {
    /// The model files in the store, by their names.
    pub fn stored(&self) -> io::Result<Vec<Stored>> {
        self.adopt_all();
        let mut all = Vec::new();
        for file in files(self.folder())? {
            let Some(Named::Model { sha256, format }) = name_of(&file) else { continue };
            let (path, about) = (file.path(), file.metadata()?);
            let used = beside(&path, "lock").metadata().unwrap_or(about.clone()).modified()?;
            all.push(Stored { sha256, format, path, bytes: about.len(), used });
        }
        all.sort_unstable_by(|one, other| one.sha256.cmp(&other.sha256));
        Ok(all)
    }

    /// Reads a whole file again and moves it away if it is not what its name says. Faster copies
    /// of it that are not sound are removed.
    pub fn verify(&self, file: &Stored) -> io::Result<Verdict> {
        let Some(_lock) = try_lock(&file.path)? else { return Ok(Verdict::Busy) };
        let found = sha256(&file.path)?;
        let sound = if found == file.sha256 {
            match file.format.holds_tensors().then(|| check(&file.path)) {
                Some(Err(error)) => Err(error.to_string()),
                _ => Ok(()),
            }
        } else {
            Err(format!("its SHA-256 is {found}"))
        };
        for copy in self.copies(&file.sha256)? {
            if check(&copy).is_err() {
                std::fs::remove_file(copy)?;
            }
        }
        let Err(why) = sound else { return Ok(Verdict::Sound) };
        let away = quarantine(self.folder());
        std::fs::create_dir_all(&away)?;
        let to = place(&away, &file.sha256, file.format);
        std::fs::rename(&file.path, &to)?;
        let _ = std::fs::remove_file(stamp_path(&file.path));
        Ok(Verdict::Quarantined { to, why })
    }

    /// Removes what was not asked for since `idle` before `now`, with all that belongs to it, but
    /// for the files in `keep`, by their SHA-256. What is half-made and what an older version
    /// named goes too; nothing of anybody else's.
    pub fn collect(
        &self,
        keep: &BTreeSet<String>,
        idle: Duration,
        now: SystemTime,
    ) -> io::Result<Vec<Removed>> {
        let files_then = self.stored()?;
        let mut removed = Vec::new();
        let mut families: BTreeMap<String, Vec<(PathBuf, Role)>> = BTreeMap::new();
        let here = |start: &str| files_then.iter().any(|file| file.sha256.starts_with(start));
        for file in files(self.folder())? {
            let path = file.path();
            let old = |than| is_older(&path, than, now);
            match name_of(&file) {
                Some(Named::Model { sha256, .. }) => {
                    families.entry(sha256).or_default();
                }
                Some(Named::Beside { sha256, role }) => {
                    families.entry(sha256).or_default().push((path, role));
                }
                Some(Named::Older { start }) => {
                    let kept = keep.iter().any(|sha256| sha256.starts_with(&start));
                    if here(&start) || (!kept && old(idle)) {
                        remove(&path, &mut removed)?;
                    }
                }
                Some(Named::Scratch) if old(HALF_MADE) => remove(&path, &mut removed)?,
                Some(Named::Scratch) | None => {}
            }
        }
        for file in files(&quarantine(self.folder()))? {
            if is_older(&file.path(), idle, now) {
                remove(&file.path(), &mut removed)?;
            }
        }
        for (sha256, beside) in families {
            let is_old = |path: &Path| is_older(path, HALF_MADE, now);
            let file = files_then.iter().find(|file| file.sha256 == sha256);
            let goes: Vec<_> = match file {
                Some(file) if !keep.contains(&sha256) && elapsed(file.used, now) >= idle => {
                    let Some(_lock) = try_lock(&file.path)? else { continue };
                    remove(&file.path, &mut removed)?;
                    beside
                }
                Some(_) => {
                    let parts =
                        |(path, role): &(PathBuf, Role)| *role == Role::Part && is_old(path);
                    beside.into_iter().filter(parts).collect()
                }
                // What is left of a file that is gone; what is young may be still coming.
                None if beside.iter().all(|(path, _)| is_old(path)) => beside,
                None => continue,
            };
            for (path, _) in goes {
                remove(&path, &mut removed)?;
            }
        }
        Ok(removed)
    }

    /// Gives everything that an older version fetched its new name. Where that fails it has the
    /// old one still.
    fn adopt_all(&self) {
        let files =
            embedding_models().into_iter().flat_map(|model| [model.numbers, model.tokenizer]);
        for entry in catalogue().into_iter().chain(files) {
            let Entry { sha256: Some(sha256), .. } = &entry else { continue };
            if let Err(error) = self.adopt(&entry, sha256) {
                tracing::warn!(%error, model = %entry.title, "its file keeps its old name");
            }
        }
    }

    fn copies(&self, of: &str) -> io::Result<Vec<PathBuf>> {
        let is_copy = |file: &DirEntry| {
            name_of(file) == Some(Named::Beside { sha256: of.to_owned(), role: Role::Copy })
        };
        Ok(files(self.folder())?.into_iter().filter(is_copy).map(|file| file.path()).collect())
    }
}

/// What is in a folder; nothing if there is none.
fn files(folder: &Path) -> io::Result<Vec<DirEntry>> {
    match std::fs::read_dir(folder) {
        Ok(files) => files.collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn name_of(file: &DirEntry) -> Option<Named> {
    named(file.file_name().to_str()?)
}

/// The file's lock, unless somebody has it.
fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let lock = File::options().append(true).create(true).open(beside(path, "lock"))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn is_older(path: &Path, than: Duration, now: SystemTime) -> bool {
    let changed = path.symlink_metadata().and_then(|about| about.modified());
    changed.is_ok_and(|changed| elapsed(changed, now) >= than)
}

/// Nothing, for what will have happened.
fn elapsed(then: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or_default()
}

fn remove(path: &Path, removed: &mut Vec<Removed>) -> io::Result<()> {
    let about = match path.symlink_metadata() {
        Ok(about) => about,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if about.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    removed.push(Removed { name, bytes: if about.is_dir() { 0 } else { about.len() } });
    Ok(())
}
