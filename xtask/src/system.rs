//! What the operating system tells and gives.

use std::fs::{self, File, TryLockError};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::Deadline;
use crate::say;

/// Whether this program may do everything.
pub(crate) fn is_root() -> Result<bool> {
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}

/// 128 random bits, as 32 letters and digits.
pub(crate) fn random_word() -> Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

/// Waits until no other run holds this file, and holds it until what is returned is dropped.
/// `what` says what the others do meanwhile.
pub(crate) fn lock(file: &Path, what: &str, deadline: Deadline) -> Result<File> {
    let lock = File::create(file).with_context(|| format!("create {}", file.display()))?;
    let mut has_told = false;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::Error(error)) => return Err(error).context("lock"),
            Err(TryLockError::WouldBlock) if deadline.passed() => {
                bail!("{what} took too long; it holds {}", file.display());
            }
            Err(TryLockError::WouldBlock) => {}
        }
        if !has_told {
            say::line(&format!("waiting for {what}"));
            has_told = true;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_run_holds_no_other_gets() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lock");
        let held = lock(&file, "this test", Deadline::in_minutes(1)).unwrap();
        let refused = lock(&file, "this test", Deadline::in_minutes(0)).unwrap_err();
        assert!(refused.to_string().starts_with("this test took too long"), "{refused}");
        drop(held);
        lock(&file, "this test", Deadline::in_minutes(0)).unwrap();
    }
}
