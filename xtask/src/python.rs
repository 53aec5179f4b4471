//! Packages for Python, each list in a virtual environment of its own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::{self, Deadline};
use crate::project::Project;
use crate::tools;

/// A Python that has what the list names, made once for each version of `package` and user. The
/// list has to name that package, and each with its version: what they need is not looked up.
pub(crate) fn with(
    project: &Project,
    package: &str,
    list: &Path,
    deadline: Deadline,
) -> Result<PathBuf> {
    if !tools::on_path("python3") {
        bail!("python3 is missing; install Python 3.10 or newer: https://www.python.org");
    }
    let wanted = fs::read_to_string(list).with_context(|| format!("read {}", list.display()))?;
    let is = format!("{package}==");
    let version = wanted.lines().find_map(|line| line.strip_prefix(&is));
    let version = version.with_context(|| format!("{} names no {package}", list.display()))?;
    let home = project.cache.join(format!("tools/{package}-python-{version}"));
    let (python, installed) = (home.join("bin/python3"), home.join("installed.txt"));
    if python.exists() && fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(python);
    }
    let mut make = project.command("python3");
    process::run(make.args(["-m", "venv", "--clear"]).arg(&home), deadline)
        .context("make a virtual environment (Debian has it in the package python3-venv)")?;
    let mut pip = project.command(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--requirement"]).arg(list);
    process::run(&mut pip, deadline).with_context(|| format!("install {package}"))?;
    // Last: a run that was ended before begins again.
    fs::write(installed, wanted)?;
    Ok(python)
}
