//! Certificates by the thousand, from a real authority that looks at a real edge.

use anyhow::Result;

use super::machine;
use super::told::{self, Goal, Target};
use crate::go::PEBBLE;
use crate::postgres::Postgres;
use crate::process::{self, Deadline};
use crate::project::Project;

const COMMAND: &str = "cargo xtask bench issuing";

/// The authority, and the DNS it asks.
const PROGRAMS: [&str; 2] = ["pebble", "pebble-challtestsrv"];

/// Measures, and prints a table.
pub(super) fn run(project: &Project) -> Result<()> {
    let deadline = Deadline::in_minutes(90);
    PEBBLE.make(project, &PROGRAMS, deadline)?;
    let bench = || project.cargo(["bench", "--locked", "--package", "edge", "--bench", "issuing"]);
    process::run(bench().arg("--no-run"), deadline)?;
    let postgres = Postgres::start(project, deadline)?;
    let load = machine::wait_until_quiet();
    let mut measure = bench();
    measure.env("DATABASE_URL", postgres.url("postgres"));
    let [pebble, names] = PROGRAMS.map(|name| PEBBLE.program(project, name));
    measure.env("SOULFRA_TEST_PEBBLE", pebble).env("SOULFRA_TEST_CHALLTESTSRV", names);
    let rows = told::measured(&mut measure, &TARGETS, deadline)?;
    told::print(&rows, load, COMMAND)
}

/// What some measures are to be, in the unit they are printed in.
const TARGETS: [Target; 4] = [
    ("certificates an hour, one authority", Goal::AtLeast, 20_000.0),
    ("with kills: names without a certificate in the end", Goal::AtMost, 0.0),
    ("with kills: certificates ordered twice", Goal::AtMost, 0.0),
    ("with kills: certificates whose key does not open or fit", Goal::AtMost, 0.0),
];
