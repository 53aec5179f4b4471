//! What model servers tell a control plane: how many answers it takes in a second.

use anyhow::Result;

use super::machine;
use super::told::{self, Goal, Target};
use crate::postgres::Postgres;
use crate::process::{self, Deadline};
use crate::project::Project;
use crate::suites::OF_CLUSTERS;

const COMMAND: &str = "cargo xtask bench usage";

/// Measures, and prints a table.
pub(super) fn run(project: &Project) -> Result<()> {
    let deadline = Deadline::in_minutes(40);
    let bench = || {
        let mut bench = project.cargo(["bench", "--locked"]);
        bench.args(OF_CLUSTERS).args(["--bench", "usage"]);
        bench
    };
    process::run(bench().arg("--no-run"), deadline)?;
    let postgres = Postgres::start(project, deadline)?;
    let load = machine::wait_until_quiet();
    let mut measure = bench();
    measure.env("DATABASE_URL", postgres.url("postgres"));
    let rows = told::measured(&mut measure, &TARGETS, deadline)?;
    told::print(&rows, load, COMMAND)
}

/// What some measures are to be, in the unit they are printed in.
const TARGETS: [Target; 2] = [
    ("usage events, one tenant", Goal::AtLeast, 10_000.0),
    ("usage events, 1000 tenants", Goal::AtLeast, 10_000.0),
];
