//! OpenAI's own clients for Python and JavaScript, unmodified: `tests/openai-clients`, against the
//! model server with a pretend model, which `inference/tests/openai_clients.rs` starts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::{self, Deadline};
use crate::project::Project;
use crate::suites::{Counts, Outcome};
use crate::{say, tools};

pub(crate) fn run(project: &Project) -> Result<Outcome> {
    let deadline = Deadline::in_minutes(20);
    let folder = project.root.join("tests/openai-clients");
    let python = install_for_python(project, &folder.join("requirements.txt"), deadline)?;
    install_for_javascript(project, &folder, deadline)?;

    let mut test = project.cargo(["test", "--release", "--locked", "--package", "inference"]);
    test.args(["--test", "openai_clients", "--", "--ignored", "--nocapture", "--test-threads=1"]);
    test.env("SOULFRA_OPENAI_PYTHON", python);
    let mut counts = Counts::default();
    let status = process::watch(&mut test, deadline, |line| {
        counts.read_node(line);
        say::line(line);
    })?;
    if counts.passed + counts.failed == 0 {
        bail!("the clients ran no test ({status})");
    }
    if !status.success() && counts.failed == 0 {
        counts.failed = 1;
    }
    Ok(Outcome { counts, note: String::new() })
}

/// A Python that has what the list names, made once for each list and user.
fn install_for_python(project: &Project, list: &Path, deadline: Deadline) -> Result<PathBuf> {
    if !tools::on_path("python3") {
        bail!("python3 is missing; install Python 3.10 or newer: https://www.python.org");
    }
    let wanted = fs::read_to_string(list).with_context(|| format!("read {}", list.display()))?;
    let version = wanted.lines().find_map(|line| line.strip_prefix("openai=="));
    let version = version.with_context(|| format!("{} names no openai", list.display()))?;
    let home = project.cache.join(format!("tools/openai-python-{version}"));
    let (python, installed) = (home.join("bin/python3"), home.join("installed.txt"));
    if python.exists() && fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(python);
    }
    let mut make = project.command("python3");
    process::run(make.args(["-m", "venv", "--clear"]).arg(&home), deadline)
        .context("make a virtual environment (Debian has it in the package python3-venv)")?;
    let mut pip = project.command(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--requirement"]).arg(list);
    process::run(&mut pip, deadline).context("install OpenAI's client for Python")?;
    // Last: a run that was ended before begins again.
    fs::write(installed, wanted)?;
    Ok(python)
}

fn install_for_javascript(project: &Project, folder: &Path, deadline: Deadline) -> Result<()> {
    if !tools::on_path("npm") {
        bail!("node and npm are missing; install Node 20 or newer: https://nodejs.org");
    }
    let mut npm = project.command("npm");
    npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(folder);
    process::run(&mut npm, deadline).context("install OpenAI's client for JavaScript")
}
