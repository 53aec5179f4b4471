//! clippy and rustdoc over everything, with warnings denied.
//!
//! In the release profile and over the whole workspace: build scripts, macros and the checked
//! dependencies are then shared between the two, with `generate`, and with the tests.

use anyhow::Result;

use crate::process::{self, Deadline};
use crate::project::Project;
use crate::suites::{CHECKED_TOGETHER, OF_CLUSTERS, OF_STRIPE, Outcome, simple};

pub(crate) fn clippy(project: &Project) -> Result<Outcome> {
    let arguments = ["clippy", "--release", "--all-targets", "--locked", "--keep-going"];
    let rest = ["--", "-D", "warnings"];
    // With all that can be compiled in; the tests compile what people have by default.
    let llamacpp = ["--features", "create-ai-platform/llamacpp"];
    let all = [&CHECKED_TOGETHER[..], &llamacpp].concat();
    let all = simple(project, &[&arguments[..], &all, &rest].concat(), 30)?;
    let of_clusters = [&arguments[..], &OF_CLUSTERS, &rest].concat();
    let of_clusters = simple(project, &of_clusters, 15)?;
    let of_stripe = [&arguments[..], &OF_STRIPE, &rest].concat();
    Ok(all.and(of_clusters).and(simple(project, &of_stripe, 10)?))
}

pub(crate) fn rustdoc(project: &Project) -> Result<Outcome> {
    let mut doc = project.cargo(["doc", "--release", "--workspace", "--no-deps", "--locked"]);
    // Our docs are read in the code: links to private items are welcome, and checked.
    doc.args(["--keep-going", "--document-private-items"]);
    doc.env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links");
    process::run(&mut doc, Deadline::in_minutes(20))?;
    Ok(Outcome::passed())
}
