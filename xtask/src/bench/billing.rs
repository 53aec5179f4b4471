//! What rails tell: stored, read and held against the ledger, on a Postgres that waits for its disk.

use anyhow::Result;

use super::machine;
use super::told::{self, Goal, Target};
use crate::postgres::Postgres;
use crate::process::{self, Deadline};
use crate::project::Project;

const COMMAND: &str = "cargo xtask bench billing";

/// Measures, and prints a table.
pub(super) fn run(project: &Project) -> Result<()> {
    let deadline = Deadline::in_minutes(60);
    let bench = || project.cargo(["bench", "--locked", "--package", "billing", "--bench", "money"]);
    process::run(bench().arg("--no-run"), deadline)?;
    let postgres = Postgres::start_durable(project, deadline)?;
    let load = machine::wait_until_quiet();
    let mut measure = bench();
    measure.env("DATABASE_URL", postgres.url("postgres"));
    let rows = told::measured(&mut measure, &TARGETS, deadline)?;
    told::print(&rows, load, COMMAND)
}

/// What some measures are to be, in the unit they are printed in.
const TARGETS: [Target; 5] = [
    ("webhooks stored a second", Goal::AtLeast, 2_000.0),
    ("events that were stored twice, or not", Goal::AtMost, 0.0),
    ("the same, effects missing, doubled or of another amount", Goal::AtMost, 0.0),
    ("a payout of 1,000,000 rows held against the ledger", Goal::AtMost, 60.0),
    ("the same, of 300 wrong rows not named, or others named", Goal::AtMost, 0.0),
];
