//! The edge beside a real Postgres: with a hundred thousand names, held against nginx, and among
//! those who mean ill.

use anyhow::{Context as _, Result, bail};

use super::machine;
use super::told::{self, Goal, Target};
use crate::postgres::Postgres;
use crate::process::{self, Deadline};
use crate::project::Project;
use crate::tools;

/// Its programs that measure.
const BENCHES: [&str; 3] = ["names", "gateway", "abuse"];

const COMMAND: &str = "cargo xtask bench edge";

/// Measures, and prints a table.
pub(super) fn run(project: &Project) -> Result<()> {
    let deadline = Deadline::in_minutes(60);
    // Debian starts one as soon as it is installed, so that is left to whoever measures.
    for program in ["nginx", "taskset"] {
        if !tools::on_path(program) {
            bail!("{program} is not on the path: install it (Debian: nginx-light, util-linux)");
        }
    }
    let bench = |name| project.cargo(["bench", "--locked", "--package", "edge", "--bench", name]);
    for name in BENCHES {
        process::run(bench(name).arg("--no-run"), deadline)?;
    }
    let postgres = Postgres::start(project, deadline)?;
    let load = machine::wait_until_quiet();
    let mut rows = Vec::new();
    for name in BENCHES {
        let mut measure = bench(name);
        measure.env("DATABASE_URL", postgres.url("postgres"));
        rows.extend(told::measured(&mut measure, &TARGETS, deadline).context(name)?);
    }
    told::print(&rows, load, COMMAND)
}

/// What some measures are to be, in the unit they are printed in.
const TARGETS: [Target; 16] = [
    ("resident after all were served once", Goal::AtMost, 1_024.0),
    ("start with all on the disk, until one is served", Goal::AtMost, 5.0),
    ("cold name, connected and shaken hands, p99", Goal::AtMost, 5.0),
    ("issued to served, p99", Goal::AtMost, 100.0),
    ("1 KiB: edge to nginx", Goal::AtLeast, 0.8),
    ("64 KiB: edge to nginx", Goal::AtLeast, 0.8),
    ("1 KiB: p99, edge to nginx", Goal::AtMost, 1.5),
    ("64 KiB: p99, edge to nginx", Goal::AtMost, 1.5),
    ("10,000 slow connections: p99 of others, to alone", Goal::AtMost, 2.0),
    ("10,000 slow connections: memory more", Goal::AtMost, 190.0),
    ("streams reset at once: p99 of others, to alone", Goal::AtMost, 2.0),
    ("streams reset at once: memory more", Goal::AtMost, 190.0),
    ("empty frames: p99 of others, to alone", Goal::AtMost, 2.0),
    ("empty frames: memory more", Goal::AtMost, 190.0),
    ("pings: p99 of others, to alone", Goal::AtMost, 2.0),
    ("pings: memory more", Goal::AtMost, 190.0),
];
