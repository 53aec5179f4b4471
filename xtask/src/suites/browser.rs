//! The real command through a real browser: `tests/browser`.

use anyhow::Result;

use crate::npm;
use crate::process::Deadline;
use crate::project::Project;
use crate::suites::{Outcome, walks};

pub(crate) fn run(project: &Project) -> Result<Outcome> {
    let deadline = Deadline::in_minutes(30);
    walks::prepare(project, deadline)?;
    let program = project.build(&[], "create-ai-platform", deadline)?;
    let tarballs = project.root.join("target/npm");
    npm::pack(project, &program, &tarballs, deadline)?;
    let environment = [("SOULFRA_PROGRAM", &*program), ("SOULFRA_NPM", &*tarballs)];
    walks::run(project, "tests/browser", &environment, deadline)
}
