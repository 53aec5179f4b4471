//! Several clones, one build folder.
//!
//! Cargo names what it builds of our crates by their place in the workspace, so clones overwrite
//! each other's, and it tells what is fresh by the times of files alone: an older clone would be
//! given what a newer one built. So the clone that builds notes itself in the folder, and another
//! one makes its own roots new first.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};

/// Makes cargo build `roots` anew if another clone than `clone` built in `build` last.
pub(crate) fn take_over(build: &Path, clone: &Path, roots: &[PathBuf]) -> Result<()> {
    let note = build.join("clone");
    let clone = clone.to_string_lossy();
    if fs::read_to_string(&note).is_ok_and(|last| last == clone) {
        return Ok(());
    }
    let now = SystemTime::now();
    for root in roots {
        let touched = File::options().append(true).open(root).and_then(|f| f.set_modified(now));
        touched.with_context(|| format!("make {} new", root.display()))?;
    }
    fs::create_dir_all(build)?;
    fs::write(&note, clone.as_bytes()).with_context(|| format!("write {}", note.display()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clone_builds_anew_what_another_one_built() {
        let folder = tempfile::tempdir().unwrap();
        let (build, root) = (folder.path().join("build"), folder.path().join("lib.rs"));
        fs::write(&root, "").unwrap();
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(9);
        let is_made_new_for = |clone: &str| {
            File::options().append(true).open(&root).unwrap().set_modified(old).unwrap();
            take_over(&build, Path::new(clone), std::slice::from_ref(&root)).unwrap();
            root.metadata().unwrap().modified().unwrap() > old
        };
        assert!(is_made_new_for("/one"), "whoever built there before there were notes");
        assert!(!is_made_new_for("/one"));
        assert!(is_made_new_for("/other"));
        assert!(is_made_new_for("/one"));
    }
}
