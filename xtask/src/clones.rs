//! Several clones, one build folder.
//!
//! Cargo names what it builds of our crates by their place in the workspace, so clones overwrite
//! each other's, and it tells what is fresh by the times of files alone: an older clone would be
//! given what a newer one built. So the clone that builds notes itself in the folder and holds the
//! note for as long as it runs; another one waits, and makes its own roots new first.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};

use crate::process::Deadline;
use crate::{room, say};

/// Longer than any run of a whole test takes.
const PATIENCE_MINUTES: u64 = 120;

/// The build folder is this clone's until this is dropped. Several runs of one clone share it.
#[derive(Debug)]
pub(crate) struct Claim {
    _note: File,
}

/// Waits until no other clone than `clone` uses `build`, and makes cargo build `roots` anew if
/// another one did last.
pub(crate) fn claim(build: &Path, clone: &Path, roots: &[PathBuf]) -> Result<Claim> {
    fs::create_dir_all(build)?;
    let path = build.join("clone");
    let deadline = Deadline::in_minutes(PATIENCE_MINUTES);
    let mut has_told = false;
    loop {
        if let Some(claim) = try_claim(&path, clone, roots)? {
            return Ok(claim);
        }
        let other = fs::read_to_string(&path).unwrap_or_default();
        if other == clone.to_string_lossy() {
            // Just noted: what is left is to share it.
            continue;
        }
        if !has_told {
            say::line(&format!("waiting for {other}, which builds in the same folder"));
            has_told = true;
        }
        if deadline.passed() {
            bail!("another clone has been using {} for {PATIENCE_MINUTES} min", build.display());
        }
        thread::sleep(Duration::from_millis(500));
    }
}

fn try_claim(path: &Path, clone: &Path, roots: &[PathBuf]) -> Result<Option<Claim>> {
    let mut options = File::options();
    let open = options.read(true).write(true).create(true).truncate(false).open(path);
    let mut note = open.with_context(|| format!("open {}", path.display()))?;
    let clone = clone.to_string_lossy();
    if !got(note.try_lock_shared())? {
        return Ok(None);
    }
    if is_noted(&mut note, &clone)? {
        return Ok(Some(Claim { _note: note }));
    }
    note.unlock()?;
    if !got(note.try_lock())? {
        return Ok(None);
    }
    // Nobody builds there now.
    if let Some(build) = path.parent() {
        room::make(build)?;
    }
    make_new(roots)?;
    note.set_len(0)?;
    note.rewind()?;
    note.write_all(clone.as_bytes())?;
    // From alone to shared; whoever slips in between is seen by the next look.
    note.unlock()?;
    Ok(None)
}

fn got(locked: Result<(), TryLockError>) -> Result<bool> {
    match locked {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error).context("lock the note"),
    }
}

fn is_noted(note: &mut File, clone: &str) -> Result<bool> {
    let mut last = String::new();
    note.rewind()?;
    note.read_to_string(&mut last)?;
    Ok(last == clone)
}

fn make_new(roots: &[PathBuf]) -> Result<()> {
    let now = SystemTime::now();
    for root in roots {
        let touched = File::options().append(true).open(root).and_then(|f| f.set_modified(now));
        touched.with_context(|| format!("make {} new", root.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_builds_anew_what_another_one_built() {
        let folder = tempfile::tempdir().unwrap();
        let (build, root) = (folder.path().join("build"), folder.path().join("lib.rs"));
        fs::write(&root, "").unwrap();
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(9);
        let is_made_new_for = |clone: &str| {
            File::options().append(true).open(&root).unwrap().set_modified(old).unwrap();
            claim(&build, Path::new(clone), std::slice::from_ref(&root)).unwrap();
            root.metadata().unwrap().modified().unwrap() > old
        };
        assert!(is_made_new_for("/one"), "whoever built there before there were notes");
        assert!(!is_made_new_for("/one"));
        assert!(is_made_new_for("/other"));
        assert!(is_made_new_for("/one"));
    }

    #[test]
    fn while_one_clone_runs_another_waits() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (Path::new("/one"), Path::new("/other"));
        let first = claim(folder.path(), one, &[]).unwrap();
        let second = claim(folder.path(), one, &[]).unwrap();
        let path = folder.path().join("clone");
        assert!(try_claim(&path, other, &[]).unwrap().is_none());
        drop(first);
        assert!(try_claim(&path, other, &[]).unwrap().is_none());
        assert_eq!(fs::read_to_string(&path).unwrap(), "/one");
        drop(second);
        claim(folder.path(), other, &[]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "/other");
    }
}
