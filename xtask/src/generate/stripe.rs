//! Which parameters Stripe takes, cut out of its description by an example of the simulator.

use anyhow::Result;

use crate::go::STRIPE_MOCK;
use crate::process::{self, Deadline};
use crate::project::Project;
use crate::suites::{OF_STRIPE, STRIPE_DESCRIPTION};

pub(crate) fn generate(project: &Project, deadline: Deadline) -> Result<()> {
    let description = STRIPE_MOCK.file(project, STRIPE_DESCRIPTION, deadline)?;
    let selection = [&OF_STRIPE[..], &["--example", "parameters"]].concat();
    let program = project.build(&selection, "parameters", deadline)?;
    process::run(project.command(program).arg(description), deadline)
}
