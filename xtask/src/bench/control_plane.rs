//! The control plane beside a real API server and a real Postgres, with ten thousand platforms.

use anyhow::Result;

use super::machine;
use super::told::{self, Goal, Target};
use crate::cluster::{Own, Parts};
use crate::postgres::Postgres;
use crate::process::{self, Deadline};
use crate::project::Project;
use crate::suites::OF_CLUSTERS;

const COMMAND: &str = "cargo xtask bench control-plane";

/// Measures, and prints a table.
pub(super) fn run(project: &Project) -> Result<()> {
    let deadline = Deadline::in_minutes(60);
    let bench = || {
        let mut bench = project.cargo(["bench", "--locked"]);
        bench.args(OF_CLUSTERS).args(["--bench", "load"]);
        bench
    };
    process::run(bench().arg("--no-run"), deadline)?;
    let cluster = Own::start(project, Parts::BARE)?;
    let postgres = Postgres::start(project, deadline)?;
    let load = machine::wait_until_quiet();
    let mut measure = bench();
    measure.env("SOULFRA_TEST_KUBECONFIG", cluster.kubeconfig());
    measure.env("DATABASE_URL", postgres.url("postgres"));
    let rows = told::measured(&mut measure, &TARGETS, deadline)?;
    told::print(&rows, load, COMMAND)
}

/// What some measures are to be, in the unit they are printed in.
const TARGETS: [Target; 4] = [
    ("10 of all to a list of 10, p50", Goal::AtMost, 1.2),
    ("10 of all to a list of 10, p95", Goal::AtMost, 1.2),
    ("fleet page of the console, p95", Goal::AtMost, 300.0),
    ("all kinds, p95", Goal::AtMost, 50.0),
];
