//! Is a file what its entry says? Hashed once; a stamp beside it remembers that it was.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

use super::layout::beside;

/// SHA-256 of a file, in lower-case hex. Reads all of it.
pub(super) fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// Whether the file is there with this size and hash. Trusts a stamp for the same size, hash and
/// time of change; hashes and stamps otherwise.
pub(super) fn is_intact(path: &Path, size: u64, expected: &str) -> io::Result<bool> {
    if !path.metadata().is_ok_and(|meta| meta.is_file() && meta.len() == size) {
        return Ok(false);
    }
    let wanted = stamp(path, expected)?;
    if std::fs::read_to_string(stamp_path(path)).is_ok_and(|found| found == wanted) {
        return Ok(true);
    }
    if sha256(path)? != expected {
        return Ok(false);
    }
    // Where nothing can be written the file is hashed each time.
    let _ = std::fs::write(stamp_path(path), wanted);
    Ok(true)
}

fn stamp(path: &Path, expected: &str) -> io::Result<String> {
    let meta = path.metadata()?;
    let changed = meta.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    Ok(format!("sha256 {expected}\nbytes {}\nchanged {changed}\n", meta.len()))
}

pub(super) fn stamp_path(path: &Path) -> PathBuf {
    beside(path, "checked")
}
