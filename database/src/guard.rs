//! The guardian: a tiny process between us and Postgres, so that Postgres never outlives us.
//!
//! ```text
//! our process --stdin pipe--> guardian (watch) --parent death signal--> postgres (exec)
//! ```
//! The guardian is this same program, started again with a hidden subcommand. The pipe ends when
//! our process ends, also by SIGKILL; the guardian then asks Postgres to stop, firmly in the end.
//! If the guardian itself is killed, the kernel asks in its place (on Linux). Both have already
//! dropped to the unprivileged user: whoever started them did that.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getppid, kill_process, waitid};

/// The hidden first argument on which a program must hand the rest to [`run`].
pub const SUBCOMMAND: &str = "__postgres-guard";

/// Watch a program until it or our standard input ends.
pub(crate) const WATCH: &str = "watch";
/// Become a program that dies with its parent.
const EXEC: &str = "exec";

/// How Postgres is asked to stop, and for how long each time: fast shutdown, which rolls back
/// and writes a checkpoint; immediate shutdown; the end.
const ASK: [(Signal, Duration); 3] = [
    (Signal::INT, Duration::from_secs(5)),
    (Signal::QUIT, Duration::from_secs(6)),
    (Signal::KILL, Duration::from_secs(2)),
];

/// The guardian's whole life. `args` are those after [`SUBCOMMAND`]. To be called from the main
/// thread, before anything else is started: the kernel ties the death signal to that thread.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut args = args.into_iter();
    let role = args.next().unwrap_or_default();
    let done = match role.to_str() {
        Some(WATCH) => watch(args),
        Some(EXEC) => exec(args),
        _ => Err(io::Error::other("internal subcommand: it is not for people")),
    };
    done.unwrap_or_else(|error| {
        tell(&format!("guardian: {error}"));
        ExitCode::FAILURE
    })
}

/// This program, to be started once more; also when its file was replaced or sits in a folder
/// that the unprivileged user cannot enter.
pub(crate) fn own_program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

#[derive(Debug, PartialEq, Eq)]
enum Event {
    Orphaned,
    Exited,
}

fn watch(program: impl Iterator<Item = OsString>) -> io::Result<ExitCode> {
    let mut child = Command::new(own_program()?)
        .arg(SUBCOMMAND)
        .arg(EXEC)
        .arg(std::process::id().to_string())
        .args(program)
        .stdin(Stdio::null())
        .spawn()?;
    let pid = Pid::from_child(&child);
    let events = await_end(pid);
    if events.recv() == Ok(Event::Orphaned) {
        stop(pid, &events);
    }
    let status = child.wait()?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// The first of: our standard input ended, the process exited. The process is left unreaped, so
/// that its number stays its own while it is signalled.
fn await_end(pid: Pid) -> Receiver<Event> {
    let (orphaned, events) = mpsc::channel();
    let exited = orphaned.clone();
    thread::spawn(move || {
        let mut ignored = [0; 64];
        while !matches!(io::stdin().read(&mut ignored), Ok(0) | Err(_)) {}
        let _ = orphaned.send(Event::Orphaned);
    });
    thread::spawn(move || {
        while matches!(wait_unreaped(pid), Err(rustix::io::Errno::INTR)) {}
        let _ = exited.send(Event::Exited);
    });
    events
}

fn wait_unreaped(pid: Pid) -> rustix::io::Result<()> {
    waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).map(|_| ())
}

fn stop(pid: Pid, events: &Receiver<Event>) {
    for (signal, patience) in ASK {
        let _ = kill_process(pid, signal);
        if events.recv_timeout(patience) == Ok(Event::Exited) {
            return;
        }
    }
}

/// Returns only when the program could not be started.
fn exec(mut args: impl Iterator<Item = OsString>) -> io::Result<ExitCode> {
    let parent = args.next().unwrap_or_default();
    let program = args.next().unwrap_or_default();
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::INT))?;
    // It may have died before the kernel was told.
    let now = getppid().map(|pid| pid.as_raw_nonzero().to_string()).unwrap_or_default();
    if parent.to_str() != Some(&now) {
        return Err(io::Error::other("the guardian is gone"));
    }
    let error = Command::new(&program).args(args).env_clear().env("LC_ALL", "C").exec();
    Err(io::Error::new(error.kind(), format!("{}: {error}", program.display())))
}

#[expect(clippy::print_stderr, reason = "standard error is the server's log file here")]
fn tell(line: &str) {
    eprintln!("{line}");
}
