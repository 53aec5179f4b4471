//! The engine on a GPU: built for it and measured where there is one, left out elsewhere.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use super::figures;

use super::machine;
use super::told::row;
use crate::process::{self, Deadline};
use crate::project::Project;
use crate::say;

const COMMAND: &str = "cargo xtask gpu";

/// Builds the model server for GPUs and measures its engine on this machine's.
pub(super) fn run(project: &Project) -> Result<()> {
    let listed = told(Command::new("nvidia-smi").arg("-L"));
    let Some(device) = listed.as_deref().and_then(first_device) else {
        say::line("not run: no device");
        return Ok(());
    };
    say::line(device);
    if told(Command::new("nvcc").arg("--version")).is_none() {
        bail!("there is a GPU, but no nvcc to build for it; install NVIDIA's CUDA toolkit");
    }
    let deadline = Deadline::in_minutes(120);
    let build = ["build", "--release", "--locked", "--package", "model-server"];
    process::run(project.cargo(build).args(["--features", "cuda"]), deadline)?;
    let mut bench = project.cargo(["bench", "--locked", "--package", "engine-mistralrs"]);
    bench.args(["--features", "cuda", "--bench", "gpu"]);
    let mut rows = Vec::new();
    let status = process::watch(&mut bench, deadline, |line| {
        rows.extend(row(line, &[]));
        say::line(line);
    })?;
    if !status.success() || rows.is_empty() {
        bail!("nothing was measured on {device} ({status})");
    }
    say::line("");
    say::line(device);
    for line in figures::table(&rows, &machine::today()?, COMMAND) {
        say::line(&line);
    }
    Ok(())
}

/// What a program says; `None` if it is not there or fails.
fn told(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The first of the devices that `nvidia-smi -L` lists, without the number that is its alone.
fn first_device(listed: &str) -> Option<&str> {
    let line = listed.lines().find(|line| line.starts_with("GPU "))?;
    Some(line.split(" (UUID").next().unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_the_program_or_with_an_empty_list_has_no_device() {
        assert_eq!(told(&mut Command::new("a-program-that-nobody-has")), None);
        assert_eq!(told(&mut Command::new("false")), None);
        assert_eq!(first_device("No devices found.\n"), None);
    }

    #[test]
    fn a_device_is_named_without_its_own_number() {
        let listed = "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-0a)\nGPU 1: NVIDIA T4 (UUID: GPU-1b)";
        assert_eq!(first_device(listed), Some("GPU 0: NVIDIA H100 80GB HBM3"));
    }
}
