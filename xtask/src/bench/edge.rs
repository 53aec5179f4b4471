//! The edge beside a real Postgres, by the program that gives it a hundred thousand names.

use anyhow::{Result, bail};

use super::told::{Goal, Target, row};
use super::{figures, machine};
use crate::postgres::Postgres;
use crate::process::{self, Deadline};
use crate::project::Project;
use crate::say;

const COMMAND: &str = "cargo xtask bench edge";

/// Measures, and prints a table.
pub(super) fn run(project: &Project) -> Result<()> {
    let deadline = Deadline::in_minutes(60);
    let bench = || project.cargo(["bench", "--locked", "--package", "edge", "--bench", "names"]);
    process::run(bench().arg("--no-run"), deadline)?;
    let postgres = Postgres::start(project, deadline)?;
    let load = machine::wait_until_quiet();
    let mut rows = Vec::new();
    let mut measure = bench();
    measure.env("DATABASE_URL", postgres.url("postgres"));
    let status = process::watch(&mut measure, deadline, |line| {
        rows.extend(row(line, &TARGETS));
        say::line(line);
    })?;
    if !status.success() || rows.is_empty() {
        bail!("nothing was measured, or it ended early ({status})");
    }
    say::line("");
    say::line(&machine::description(load));
    for line in figures::table(&rows, &machine::today()?, COMMAND) {
        say::line(&line);
    }
    Ok(())
}

/// What some measures are to be, in the unit they are printed in.
const TARGETS: [Target; 4] = [
    ("resident after all were served once", Goal::AtMost, 1_024.0),
    ("start with all on the disk, until one is served", Goal::AtMost, 5.0),
    ("cold name, connected and shaken hands, p99", Goal::AtMost, 5.0),
    ("issued to served, p99", Goal::AtMost, 100.0),
];
