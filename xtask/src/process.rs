//! Programs run with a time limit: shown before they start, streamed while they run, and ended
//! with everything they started when their time is up.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::say;

/// When work must be over.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn in_minutes(minutes: u64) -> Self {
        Self(Instant::now() + Duration::from_secs(60 * minutes))
    }

    pub(crate) fn passed(self) -> bool {
        Instant::now() >= self.0
    }
}

/// Runs the program to its end and fails if it does.
pub(crate) fn run(command: &mut Command, deadline: Deadline) -> Result<()> {
    let status = watch(command, deadline, say::line)?;
    if !status.success() {
        bail!("{} failed: {status}", shown(command));
    }
    Ok(())
}

/// Runs the program to its end, handing over each line of its standard output as it comes.
pub(crate) fn watch(
    command: &mut Command,
    deadline: Deadline,
    mut each_line: impl FnMut(&str),
) -> Result<ExitStatus> {
    say::line(&format!("$ {}", shown(command)));
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {}", shown(command)))?;
    let lines = lines_of(&mut child);
    let mut open = true;
    loop {
        if open {
            match lines.recv_timeout(Duration::from_millis(200)) {
                Ok(line) => each_line(&line),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => open = false,
            }
        } else {
            thread::sleep(Duration::from_millis(20));
        }
        if let Some(status) = child.try_wait()? {
            // A second of grace: something it started may hold the pipe open for ever.
            let grace = Instant::now() + Duration::from_secs(1);
            while let Ok(line) = lines.recv_timeout(grace.saturating_duration_since(Instant::now()))
            {
                each_line(&line);
            }
            return Ok(status);
        }
        if deadline.passed() {
            end(&mut child);
            bail!("{} took too long and was ended", shown(command));
        }
    }
}

/// Asks a process, by its id, to stop. `signal` as in `kill -SIGNAL`.
pub(crate) fn signal(pid: u32, signal: &str) {
    // The shell's own `kill`: the program of that name is not on every machine. A process
    // that is already gone is what was wanted.
    let _ = Command::new("sh")
        .args(["-c", "kill -\"$0\" \"$1\" 2>/dev/null", signal, &pid.to_string()])
        .status();
}

/// The command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn lines_of(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = channel();
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
            }
        });
    }
    receiver
}

/// Ends the program and what it started: cargo's compilers and test programs outlive it else.
fn end(child: &mut Child) {
    let descendants = descendants(child.id());
    signal(child.id(), "TERM");
    for &pid in &descendants {
        signal(pid, "TERM");
    }
    thread::sleep(Duration::from_secs(3));
    for &pid in &descendants {
        signal(pid, "KILL");
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Every process below this one, read from `/proc`; none where there is no `/proc`.
pub(crate) fn descendants(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // `pid (name) state parent ...`; the name may hold spaces and brackets.
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut next = vec![root];
    while let Some(pid) = next.pop() {
        let below = children.remove(&pid).unwrap_or_default();
        found.extend(&below);
        next.extend(below);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_the_exit_code_come_back() {
        let mut seen = Vec::new();
        let status = watch(
            Command::new("sh").args(["-c", "echo one; echo two; exit 3"]),
            Deadline::in_minutes(1),
            |l| {
                seen.push(l.to_owned());
            },
        );
        assert_eq!(status.unwrap().code(), Some(3));
        assert_eq!(seen, ["one", "two"]);
    }

    #[test]
    fn a_program_past_its_time_is_ended_with_its_children() {
        let mut child = String::new();
        let result = watch(
            Command::new("sh").args(["-c", "sleep 300 & echo $!; wait"]),
            Deadline::in_minutes(0),
            |l| {
                child = l.to_owned();
            },
        );
        assert!(result.unwrap_err().to_string().contains("took too long"));
        let state = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        assert!(!state.contains("(sleep) S"), "still running: {state}");
    }
}
