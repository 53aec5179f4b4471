//! Tests that need a real Kubernetes, against an API server of this run's own: the files
//! `tests/on_kubernetes*` of every crate.

use anyhow::Result;

use crate::cluster::Own;
use crate::postgres::Postgres;
use crate::process::Deadline;
use crate::project::Project;
use crate::suites::crates::cargo_test;
use crate::suites::{Outcome, TOGETHER};

pub(crate) fn run(project: &Project) -> Result<Outcome> {
    // The first time of all, its programs are built.
    let cluster = Own::start(project)?;
    let deadline = Deadline::in_minutes(45);
    let postgres = Postgres::start(project, deadline)?;
    let kubeconfig = cluster.kubeconfig().display().to_string();
    // Soaks need a cluster too, and have no place here.
    let files = ["--test", "on_kubernetes*", "--", "--ignored", "--skip", "soak_"];
    let environment =
        [("DATABASE_URL", postgres.url("postgres")), ("SOULFRA_TEST_KUBECONFIG", kubeconfig)];
    // Selected as the suite `crates` does, so that nothing is compiled again.
    let all = [&TOGETHER[..], &files].concat();
    let all = cargo_test(project, &all, &environment, deadline)?;
    let alone = [&["--package", "operator"][..], &files].concat();
    Ok(all.and(cargo_test(project, &alone, &environment, deadline)?))
}
