//! The CRD and the JSON schema, printed by the blueprint crate's own example.

use anyhow::Result;

use crate::process::{self, Deadline};
use crate::project::Project;

pub(crate) fn generate(project: &Project, deadline: Deadline) -> Result<()> {
    if !project.root.join("blueprint/examples/generate.rs").exists() {
        return Ok(());
    }
    let program = project.build(&["--workspace", "--example", "generate"], "generate", deadline)?;
    process::run(&mut project.command(program), deadline)
}
