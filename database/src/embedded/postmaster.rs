//! A Postgres that an earlier life of ours left running in the same data folder.

use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::time::{Instant, sleep};

/// Its guardian asks it to stop at once; by then it has done so or never will.
const ASK: [(Signal, Duration); 2] =
    [(Signal::INT, Duration::from_secs(10)), (Signal::QUIT, Duration::from_secs(7))];

/// Returns when no Postgres works on `data` any more, or the process that still does.
pub(super) async fn clear(data: &Path) -> Result<(), u32> {
    for (signal, patience) in ASK {
        let Some(pid) = running(data) else { return Ok(()) };
        tracing::info!(pid = pid.as_raw_nonzero(), "an earlier Postgres still runs: it is stopped");
        let _ = kill_process(pid, signal);
        let asked = Instant::now();
        while asked.elapsed() < patience {
            if running(data).is_none() {
                return Ok(());
            }
            sleep(Duration::from_millis(25)).await;
        }
    }
    running(data).map_or(Ok(()), |pid| Err(pid.as_raw_nonzero().get().unsigned_abs()))
}

/// The postmaster named in `postmaster.pid`, if it lives and is that of this folder.
fn running(data: &Path) -> Option<Pid> {
    let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid = Pid::from_raw(text.lines().next()?.trim().parse().ok()?)?;
    match test_kill_process(pid) {
        Ok(()) | Err(Errno::PERM) => {}
        Err(_) => return None,
    }
    works_in(pid, data).then_some(pid)
}

/// Postgres' working folder is its data folder; another process may have got its number.
fn works_in(pid: Pid, data: &Path) -> bool {
    if cfg!(not(target_os = "linux")) {
        return true;
    }
    match std::fs::read_link(format!("/proc/{}/cwd", pid.as_raw_nonzero())) {
        Ok(folder) => folder == data,
        Err(e) => e.kind() == std::io::ErrorKind::PermissionDenied,
    }
}
