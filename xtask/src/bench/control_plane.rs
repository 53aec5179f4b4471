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
/// What is measured, in this order.
const BENCHES: [&str; 2] = ["load", "streams"];

/// Measures, and prints a table.
pub(super) fn run(project: &Project) -> Result<()> {
    let deadline = Deadline::in_minutes(60);
    let bench = |name| {
        let mut bench = project.cargo(["bench", "--locked"]);
        bench.args(OF_CLUSTERS).args(["--bench", name]);
        bench
    };
    for name in BENCHES {
        process::run(bench(name).arg("--no-run"), deadline)?;
    }
    let load = machine::wait_until_quiet();
    let mut rows = Vec::new();
    // Each of them begins with a cluster and a database of its own.
    for name in BENCHES {
        let cluster = Own::start(project, Parts::BARE)?;
        let postgres = Postgres::start(project, deadline)?;
        let mut measure = bench(name);
        measure.env("SOULFRA_TEST_KUBECONFIG", cluster.kubeconfig());
        measure.env("DATABASE_URL", postgres.url("postgres"));
        rows.extend(told::measured(&mut measure, &TARGETS, deadline)?);
    }
    told::print(&rows, load, COMMAND)
}

/// What some measures are to be, in the unit they are printed in.
const TARGETS: [Target; 6] = [
    ("10 of all to a list of 10, p50", Goal::AtMost, 1.2),
    ("10 of all to a list of 10, p95", Goal::AtMost, 1.2),
    ("fleet page of the console, p95", Goal::AtMost, 300.0),
    ("all kinds, p95", Goal::AtMost, 50.0),
    ("memory of an idle stream", Goal::AtMost, 32.0),
    ("a change until its last listener heard, longest", Goal::AtMost, 1_000.0),
];
