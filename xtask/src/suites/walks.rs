//! Tests on Node's own test runner that drive a real browser.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::process::{self, Deadline};
use crate::project::Project;
use crate::suites::{Counts, Outcome};
use crate::{say, tools};

/// Where the packages are that all of them use.
const PACKAGES: &str = "tests/browser";

/// Installs the browser and what drives it.
pub(super) fn prepare(project: &Project, deadline: Deadline) -> Result<()> {
    if !tools::on_path("npm") {
        bail!("node and npm are missing; install Node 20 or newer: https://nodejs.org");
    }
    tools::debian(project, "chromium", "chromium", deadline)?;
    let folder = project.root.join(PACKAGES);
    process::run(
        project.command("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder),
        deadline,
    )
    .context("install the browser tests' packages")
}

/// Runs those of a folder, one file after the other; what they leave as evidence is kept.
pub(super) fn run(
    project: &Project,
    folder: &str,
    environment: &[(&str, &Path)],
    deadline: Deadline,
) -> Result<Outcome> {
    let mut node = project.command("node");
    node.args(["--test", "--test-concurrency=1", "--test-reporter=spec"]);
    node.current_dir(project.root.join(folder)).envs(environment.iter().copied());
    node.env("SOULFRA_EVIDENCE", project.root.join("target/browser"));
    // Colours would hide the counts.
    node.env("NO_COLOR", "1").env_remove("FORCE_COLOR");
    let mut counts = Counts::default();
    let status = process::watch(&mut node, deadline, |line| {
        counts.read_node(line);
        say::line(line);
    })?;
    if counts.passed + counts.failed == 0 {
        bail!("node ran no test in {folder} ({status})");
    }
    if !status.success() && counts.failed == 0 {
        counts.failed = 1;
    }
    Ok(Outcome { counts, note: String::new() })
}
