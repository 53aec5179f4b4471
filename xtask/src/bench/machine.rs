//! The machine that is measured on: what it is, whether it is busy with something else.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::say;

/// Processes that run or want to, on average over the last minute.
const QUIET: f64 = 1.5;
const PATIENCE: Duration = Duration::from_mins(5);

/// Waits some minutes until nothing else keeps the machine busy; says so if something still does.
/// Gives the load then.
pub(super) fn wait_until_quiet() -> f64 {
    let patience = Instant::now() + PATIENCE;
    loop {
        let load = load();
        if load < QUIET {
            return load;
        }
        if Instant::now() > patience {
            say::line(&format!("the machine is busy, the load is {load}; measured nevertheless"));
            return load;
        }
        say::line(&format!("the load is {load}, waiting until it is below {QUIET}"));
        thread::sleep(Duration::from_secs(15));
    }
}

/// The processor, its cores, the memory, and the load before anything was measured.
pub(super) fn description(load: f64) -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let (processor, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = field(&processor, "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let kib = field(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse().ok());
    let gib = kib.unwrap_or(0_u64) / (1024 * 1024);
    format!("{model}, {} cores, {gib} GiB, load {load} before", cores())
}

/// How many cores programs may use.
pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// `2026-01-31`, in UTC.
pub(super) fn today() -> Result<String> {
    let output = Command::new("date").args(["-u", "+%F"]).output().context("run date")?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0)
}
