//! Tests that need a certificate authority, with one of this run's own: Pebble.

use anyhow::Result;

use crate::go::PEBBLE;
use crate::postgres::Postgres;
use crate::process::Deadline;
use crate::project::Project;
use crate::suites::crates::cargo_test;
use crate::suites::{Outcome, TOGETHER};
use crate::tools;

/// The authority, and the DNS it asks.
const PROGRAMS: [&str; 2] = ["pebble", "pebble-challtestsrv"];

/// A name server whose zones can be changed.
const NAME_SERVER: &str = "knotd";

pub(crate) fn run(project: &Project) -> Result<Outcome> {
    let deadline = Deadline::in_minutes(20);
    PEBBLE.make(project, &PROGRAMS, deadline)?;
    tools::debian(project, NAME_SERVER, "knot", deadline)?;
    let postgres = Postgres::start(project, deadline)?;
    let [pebble, names] = PROGRAMS.map(|name| PEBBLE.program(project, name).display().to_string());
    let environment = [
        ("DATABASE_URL", postgres.url("postgres")),
        ("SOULFRA_TEST_PEBBLE", pebble),
        ("SOULFRA_TEST_CHALLTESTSRV", names),
        ("SOULFRA_TEST_KNOTD", NAME_SERVER.to_owned()),
    ];
    let tests = ["--test", "with_pebble*", "--", "--ignored", "--skip", "soak_"];
    cargo_test(project, &[&TOGETHER[..], &tests].concat(), &environment, deadline)
}
