//! `cargo test` over our crates.

use anyhow::{Result, bail};

use crate::go::STRIPE_MOCK;
use crate::postgres::Postgres;
use crate::process::{self, Deadline};
use crate::project::Project;
use crate::say;
use crate::suites::{Counts, OF_CLUSTERS, OF_STRIPE, Outcome, TOGETHER};

/// Where Stripe's mock keeps the description of the API.
pub(crate) const STRIPE_DESCRIPTION: &str = "embedded/openapi/spec3.json";

/// This crate's own tests, the rules about all others among them.
pub(crate) fn xtask(project: &Project) -> Result<Outcome> {
    cargo_test(project, &["--package", "xtask"], &[], Deadline::in_minutes(10))
}

/// Every other crate's tests, doc tests included. Each test that wants a database gets its own.
pub(crate) fn all(project: &Project) -> Result<Outcome> {
    let deadline = Deadline::in_minutes(55);
    let postgres = Postgres::start(project, deadline)?;
    // OpenAI's clients and Kubernetes have suites of their own, which bring them.
    let skip = ["--", "--skip", "openai_for_"];
    let rest = [&TOGETHER[..], &skip].concat();
    let database = [("DATABASE_URL", postgres.url("postgres"))];
    let rest = cargo_test(project, &rest, &database, deadline)?;
    let alone = [&["--package", "inference"][..], &skip].concat();
    let alone = cargo_test(project, &alone, &[], deadline)?;
    let of_clusters = cargo_test(project, &OF_CLUSTERS, &database, deadline)?;
    let of_stripe = cargo_test(project, &OF_STRIPE, &stripe(project, deadline)?, deadline)?;
    Ok(rest.and(alone).and(of_clusters).and(of_stripe))
}

/// Where what our Stripe is held against is: Stripe's mock, and the description it carries.
fn stripe(project: &Project, deadline: Deadline) -> Result<[(&'static str, String); 2]> {
    STRIPE_MOCK.make(project, &["stripe-mock"], deadline)?;
    let mock = STRIPE_MOCK.program(project, "stripe-mock");
    let description = STRIPE_MOCK.file(project, STRIPE_DESCRIPTION, deadline)?;
    Ok([
        ("SOULFRA_TEST_STRIPE_MOCK", mock.display().to_string()),
        ("SOULFRA_TEST_STRIPE_OPENAPI", description.display().to_string()),
    ])
}

/// `cargo test SELECTION`, with this in its environment beside.
pub(super) fn cargo_test(
    project: &Project,
    selection: &[&str],
    environment: &[(&str, String)],
    deadline: Deadline,
) -> Result<Outcome> {
    let mut test = project.cargo(["test", "--release", "--locked", "--no-fail-fast"]);
    test.args(selection);
    test.envs(environment.iter().map(|(name, value)| (name, value)));
    let mut counts = Counts::default();
    let status = process::watch(&mut test, deadline, |line| {
        counts.read_rust(line);
        say::line(line);
    })?;
    let mut note = String::new();
    if !status.success() && counts.failed == 0 {
        counts.failed = 1;
        "some of it did not compile, or ended early".clone_into(&mut note);
    }
    if status.success() && counts.passed == 0 {
        bail!("cargo test passed without running a test");
    }
    if counts.skipped > 0 {
        "marked #[ignore]".clone_into(&mut note);
    }
    Ok(Outcome { counts, note })
}
