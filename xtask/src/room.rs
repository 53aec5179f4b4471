//! Room on the disk: what the compiler remembers of former builds is never removed by cargo, and grew by
//! 40 GB in a day of many builds.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result};

/// So much of it is kept, in bytes: what was built last, of each profile.
const KEPT: u64 = 12 << 30;

/// Removes what was not built for the longest time from a build folder that nobody builds in just now.
pub(crate) fn make(build: &Path) -> Result<()> {
    for profile in ["release", "debug"] {
        keep(&build.join(profile).join("incremental"), KEPT)?;
    }
    Ok(())
}

/// Of the folders in this one, keeps those changed last, up to so many bytes.
fn keep(folder: &Path, most: u64) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    let mut crates = Vec::new();
    for entry in entries {
        let entry = entry?;
        let changed = entry.metadata()?.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        crates.push((changed, entry.path()));
    }
    crates.sort_by(|one, other| other.cmp(one));
    let mut kept = 0;
    for (_, path) in crates {
        kept += size(&path)?;
        if kept > most {
            fs::remove_dir_all(&path).with_context(|| format!("remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// All the bytes in a folder.
fn size(folder: &Path) -> Result<u64> {
    let mut all = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        all += if about.is_dir() { size(&entry.path())? } else { about.len() };
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_built_last_is_kept_up_to_a_size() {
        let folder = tempfile::tempdir().unwrap();
        for (age, name) in ["newest", "newer", "old", "oldest"].into_iter().enumerate() {
            let session = folder.path().join(name).join("session");
            fs::create_dir_all(&session).unwrap();
            fs::write(session.join("graph"), [0; 100]).unwrap();
            let age = Duration::from_secs(u64::try_from(age).unwrap() * 60);
            let of_crate = File::open(folder.path().join(name)).unwrap();
            of_crate.set_modified(SystemTime::now() - age).unwrap();
        }
        keep(folder.path(), 250).unwrap();
        let mut left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["newer", "newest"]);
        keep(&folder.path().join("nothing"), 1).unwrap();
    }
}
