//! The real command through a real browser: `tests/browser`, on Node's own test runner.

use anyhow::{Context, Result, bail};

use crate::process::{self, Deadline};
use crate::project::Project;
use crate::suites::{Counts, Outcome};
use crate::{npm, say, tools};

pub(crate) fn run(project: &Project) -> Result<Outcome> {
    let deadline = Deadline::in_minutes(30);
    if !tools::on_path("npm") {
        bail!("node and npm are missing; install Node 20 or newer: https://nodejs.org");
    }
    tools::debian(project, "chromium", "chromium", deadline)?;
    let program = project.build(&[], "create-ai-platform", deadline)?;
    let folder = project.root.join("tests/browser");
    process::run(
        project.command("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder),
        deadline,
    )
    .context("install the browser tests' packages")?;
    let tarballs = project.root.join("target/npm");
    npm::pack(project, &program, &tarballs, deadline)?;

    let mut node = project.command("node");
    node.args(["--test", "--test-concurrency=1", "--test-reporter=spec"]).current_dir(&folder);
    node.env("SOULFRA_PROGRAM", program)
        .env("SOULFRA_NPM", tarballs)
        .env("SOULFRA_EVIDENCE", project.root.join("target/browser"));
    // Colours would hide the counts.
    node.env("NO_COLOR", "1").env_remove("FORCE_COLOR");
    let mut counts = Counts::default();
    let status = process::watch(&mut node, deadline, |line| {
        counts.read_node(line);
        say::line(line);
    })?;
    if counts.passed + counts.failed == 0 {
        bail!("node ran no browser test ({status})");
    }
    if !status.success() && counts.failed == 0 {
        counts.failed = 1;
    }
    Ok(Outcome { counts, note: String::new() })
}
