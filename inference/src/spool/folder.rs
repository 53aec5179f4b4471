//! The folder: its lock, its segments, and how far delivery has come.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::disk::sync_folder_of;

const LOCK: &str = "lock";
const DELIVERED: &str = "delivered";
const SEGMENT: &str = "usage-";

/// What a start found in the folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Bytes that were not delivered yet.
    pub waiting_bytes: u64,
    /// Bytes cut off, of a record that was half written and never acknowledged.
    pub cut_bytes: u64,
}

/// A place in the records of a folder: everything before it was delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    pub(super) segment: u64,
    pub(super) offset: u64,
}

/// What is in the folder.
#[derive(Debug, Default)]
pub(super) struct Present {
    /// The bytes of each segment.
    pub(super) lengths: BTreeMap<u64, u64>,
    pub(super) delivered: Position,
}

pub(super) fn segment(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{SEGMENT}{number:020}"))
}

/// Makes the folder ours alone and locks it; `None` if another process has.
pub(super) fn lock(folder: &Path) -> io::Result<Option<File>> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // One that was there before may be open to others.
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    sync_folder_of(folder)?;
    let file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .mode(0o600)
        .open(folder.join(LOCK))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Reads what is there, cuts off what was half written, and removes what was delivered: what the
/// folder remembers of that, unless whoever took it in knows.
pub(super) fn look(folder: &Path, known: Option<Position>) -> io::Result<(Present, Found)> {
    let delivered = known.map_or_else(|| read_position(&folder.join(DELIVERED)), Ok)?;
    let (mut present, mut found) = (Present { delivered, ..Present::default() }, Found::default());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_prefix(SEGMENT)?.parse().ok());
        let Some(number) = number else { continue };
        found.cut_bytes += cut_torn_tail(&path)?;
        let length = path.metadata()?.len();
        let done = if number == delivered.segment { delivered.offset } else { 0 };
        if number < delivered.segment || length <= done {
            fs::remove_file(&path)?;
            continue;
        }
        found.waiting_bytes += length - done;
        present.lengths.insert(number, length);
    }
    if found.cut_bytes > 0 {
        let bytes = found.cut_bytes;
        tracing::warn!(bytes, "cut off usage records that were half written and not acknowledged");
    }
    Ok((present, found))
}

/// How far delivery came. Without the file, or with a damaged one, everything that is still there
/// is delivered again.
fn read_position(path: &Path) -> io::Result<Position> {
    match fs::read(path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            tracing::error!(%error, "how far usage was delivered cannot be read; all comes again");
            Position::default()
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Position::default()),
        Err(error) => Err(error),
    }
}

pub(super) fn write_position(folder: &Path, position: Position) -> io::Result<()> {
    replace(&folder.join(DELIVERED), &serde_json::to_vec(&position)?)
}

/// Replaces a file for us alone: whatever happens, there is the old one or the new.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    // One that a crash left here is written over.
    let mut file =
        OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&new, path)?;
    sync_folder_of(path)
}

/// Whatever follows the last line's end was being written when the process or the machine died.
fn cut_torn_tail(path: &Path) -> io::Result<u64> {
    let bytes = fs::read(path)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    if whole == bytes.len() {
        return Ok(0);
    }
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(u64::try_from(whole).unwrap_or(u64::MAX))?;
    file.sync_data()?;
    Ok(u64::try_from(bytes.len() - whole).unwrap_or(u64::MAX))
}
