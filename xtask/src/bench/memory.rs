//! How much memory processes hold, as the kernel tells it.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process;

/// How often is looked.
const EVERY: Duration = Duration::from_millis(250);

/// The most that was resident of a process, in bytes, since it began.
pub(super) fn peak(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    field(&status, "VmHWM:").context("no VmHWM")
}

/// Looks again and again at what is held below a process.
pub(super) struct Watch {
    over: Arc<AtomicBool>,
    looking: JoinHandle<u64>,
}

impl Watch {
    /// Begins to look at everything below `pid`, itself left out.
    pub(super) fn begin(pid: u32) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let looking = thread::spawn({
            let over = Arc::clone(&over);
            move || {
                let mut most = held_below(pid);
                while !over.load(Ordering::Relaxed) {
                    thread::sleep(EVERY);
                    most = most.max(held_below(pid));
                }
                most
            }
        });
        Self { over, looking }
    }

    /// The most that was seen, in bytes.
    pub(super) fn end(self) -> Result<u64> {
        self.over.store(true, Ordering::Relaxed);
        match self.looking.join() {
            Ok(0) => bail!("nothing ran below the platform"),
            Ok(most) => Ok(most),
            Err(_) => bail!("the look at memory panicked"),
        }
    }
}

/// Shared memory is counted once: each process has its proportional share of it.
fn held_below(pid: u32) -> u64 {
    let rollup = |pid| fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok();
    let below = process::descendants(pid).into_iter();
    below.filter_map(|pid| field(&rollup(pid)?, "Pss:")).sum()
}

/// A line `NAME   123 kB`, in bytes.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_read_in_bytes() {
        let text = "Rss:      300 kB\nPss:       12 kB\nPss_Anon:   1 kB\n";
        assert_eq!(field(text, "Pss:"), Some(12 * 1024));
        assert_eq!(field(text, "Swap:"), None);
    }
}
