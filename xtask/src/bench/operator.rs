//! The operator beside a real API server and a real Postgres, by the program that fills a fleet.

use anyhow::Result;

use super::machine;
use super::told::{self, Goal, Target};
use crate::cluster::{Own, Parts};
use crate::postgres::Postgres;
use crate::process::{self, Deadline};
use crate::project::Project;

const COMMAND: &str = "cargo xtask bench operator";

/// Measures, and prints a table.
pub(super) fn run(project: &Project) -> Result<()> {
    let deadline = Deadline::in_minutes(90);
    let bench =
        || project.cargo(["bench", "--locked", "--package", "operator", "--bench", "fleet"]);
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
const TARGETS: [Target; 9] = [
    ("second pass", Goal::AtMost, 250.0),
    ("its writes", Goal::AtMost, 0.0),
    ("its calls beside watches", Goal::AtMost, 0.0),
    ("writes of the next pass", Goal::AtMost, 120.0),
    ("at all to at 10", Goal::AtMost, 1.1),
    ("to bare", Goal::AtLeast, 0.7),
    ("restart: blueprints listed", Goal::AtMost, 5_000.0),
    ("resident after the first pass", Goal::AtMost, 256.0),
    ("that to alone, beyond the halves", Goal::AtMost, 1.05),
];
