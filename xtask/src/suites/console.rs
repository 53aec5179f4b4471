//! The control plane over a real Postgres and a real API server: its console through a real browser,
//! its API held against its own document by schemathesis: `tests/console`.

use std::path::Path;

use anyhow::Result;

use crate::cluster::{Own, Parts};
use crate::postgres::Postgres;
use crate::process::Deadline;
use crate::project::Project;
use crate::python;
use crate::suites::{OF_CLUSTERS, Outcome, walks};

pub(crate) fn run(project: &Project) -> Result<Outcome> {
    let deadline = Deadline::in_minutes(30);
    walks::prepare(project, deadline)?;
    let list = project.root.join("tests/console/requirements.txt");
    let python = python::with(project, "schemathesis", &list, deadline)?;
    // Selected as the suite `crates` does, so that nothing is compiled again.
    let program = project.build(&OF_CLUSTERS, "control-plane", deadline)?;
    let postgres = Postgres::start(project, deadline)?;
    // Each file of tests has its own: what one makes is not in the other's way.
    let console = postgres.create(project, "console", deadline)?;
    let contract = postgres.create(project, "contract", deadline)?;
    let cluster = Own::start(project, Parts::BARE)?;
    let kubeconfig = cluster.kubeconfig();
    let environment = [
        ("SOULFRA_CONTROL_PLANE", &*program),
        ("SOULFRA_TEST_DATABASE_OF_CONSOLE", Path::new(&console)),
        ("SOULFRA_TEST_DATABASE_OF_CONTRACT", Path::new(&contract)),
        ("KUBECONFIG", &*kubeconfig),
        ("SOULFRA_TEST_KUBECTL", cluster.kubectl()),
        ("SOULFRA_SCHEMATHESIS", &*python),
    ];
    walks::run(project, "tests/console", &environment, deadline)
}
