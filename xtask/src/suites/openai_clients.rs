//! OpenAI's own clients for Python and JavaScript, unmodified: `tests/openai-clients`, against the
//! model server with a pretend model, which `inference/tests/openai_clients.rs` starts, and with
//! a real one, in each engine, which `model-server/tests/openai_clients.rs` does.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::process::{self, Deadline};
use crate::project::Project;
use crate::suites::{Counts, Outcome, TOGETHER};
use crate::{python, say, tools};

pub(crate) fn run(project: &Project) -> Result<Outcome> {
    let deadline = Deadline::in_minutes(40);
    let folder = project.root.join("tests/openai-clients");
    let python = python::with(project, "openai", &folder.join("requirements.txt"), deadline)?;
    install_for_javascript(project, &folder, deadline)?;

    let pretend = Selection("the pretend model", &["--package", "inference"]);
    let pretend = pretend.run(project, &python, deadline)?;
    // As the other suites select it, so that nothing below is compiled again.
    let by_default = Selection("a real model", &TOGETHER).run(project, &python, deadline)?;
    let faster = [&TOGETHER[..], &["--features", "create-ai-platform/llamacpp"]].concat();
    let faster = Selection("a real model in llama.cpp", &faster).run(project, &python, deadline)?;
    Ok(pretend.and(by_default).and(faster))
}

/// Whom the clients ask, and the packages with the test that starts it.
struct Selection<'a>(&'static str, &'a [&'static str]);

impl Selection<'_> {
    fn run(&self, project: &Project, python: &Path, deadline: Deadline) -> Result<Outcome> {
        let Self(whom, selection) = self;
        let mut test = project.cargo(["test", "--release", "--locked"]);
        test.args(*selection).args(["--test", "openai_clients", "--"]);
        test.args(["--ignored", "--nocapture", "--test-threads=1"]);
        test.env("SOULFRA_OPENAI_PYTHON", python);
        let mut counts = Counts::default();
        let status = process::watch(&mut test, deadline, |line| {
            counts.read_node(line);
            say::line(line);
        })?;
        if counts.passed + counts.failed == 0 {
            bail!("the clients ran no test with {whom} ({status})");
        }
        if !status.success() && counts.failed == 0 {
            counts.failed = 1;
        }
        let Counts { passed, skipped, .. } = counts;
        let mut note = format!("{passed} with {whom}");
        if skipped > 0 {
            write!(note, " ({skipped} need the pretend one)")?;
        }
        Ok(Outcome { counts, note })
    }
}

fn install_for_javascript(project: &Project, folder: &Path, deadline: Deadline) -> Result<()> {
    if !tools::on_path("npm") {
        bail!("node and npm are missing; install Node 20 or newer: https://nodejs.org");
    }
    let mut npm = project.command("npm");
    npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(folder);
    process::run(&mut npm, deadline).context("install OpenAI's client for JavaScript")
}
