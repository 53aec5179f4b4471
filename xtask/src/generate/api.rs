//! What the control plane's API is, printed by its own example.

use anyhow::Result;

use crate::process::{self, Deadline};
use crate::project::Project;
use crate::suites::OF_CLUSTERS;

pub(crate) fn generate(project: &Project, deadline: Deadline) -> Result<()> {
    let selection = [&OF_CLUSTERS[..], &["--example", "openapi"]].concat();
    let program = project.build(&selection, "openapi", deadline)?;
    process::run(&mut project.command(program), deadline)
}
