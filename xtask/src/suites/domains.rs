//! Tests that need a certificate authority, with one of this run's own: Pebble.

use anyhow::Result;

use crate::go::PEBBLE;
use crate::postgres::Postgres;
use crate::process::Deadline;
use crate::project::Project;
use crate::suites::crates::cargo_test;
use crate::suites::{OF_CLUSTERS, Outcome, TOGETHER};
use crate::tools;

/// The authority, and the DNS it asks.
const PROGRAMS: [&str; 2] = ["pebble", "pebble-challtestsrv"];

/// A name server whose zones can be changed, and strangers to an edge: each with its package.
const PACKAGES: [(&str, &str); 5] = [
    ("knotd", "knot"),
    ("curl", "curl"),
    ("testssl", "testssl.sh"),
    ("chromium", "chromium"),
    ("certutil", "libnss3-tools"),
];

pub(crate) fn run(project: &Project) -> Result<Outcome> {
    let deadline = Deadline::in_minutes(20);
    PEBBLE.make(project, &PROGRAMS, deadline)?;
    for (program, package) in PACKAGES {
        tools::debian(project, program, package, deadline)?;
    }
    let postgres = Postgres::start(project, deadline)?;
    let [pebble, names] = PROGRAMS.map(|name| PEBBLE.program(project, name).display().to_string());
    let environment = [
        ("DATABASE_URL", postgres.url("postgres")),
        ("SOULFRA_TEST_PEBBLE", pebble),
        ("SOULFRA_TEST_CHALLTESTSRV", names),
        ("SOULFRA_TEST_KNOTD", "knotd".to_owned()),
        ("SOULFRA_TEST_CURL", "curl".to_owned()),
        ("SOULFRA_TEST_TESTSSL", "testssl".to_owned()),
        ("SOULFRA_TEST_CHROMIUM", "chromium".to_owned()),
        ("SOULFRA_TEST_CERTUTIL", "certutil".to_owned()),
    ];
    let tests = ["--test", "with_pebble*", "--", "--ignored", "--skip", "soak_"];
    let certificates =
        cargo_test(project, &[&TOGETHER[..], &tests].concat(), &environment, deadline)?;
    let edge = cargo_test(project, &[&OF_CLUSTERS[..], &tests].concat(), &environment, deadline)?;
    Ok(certificates.and(edge))
}
