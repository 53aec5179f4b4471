//! Tests that need a real Kubernetes, against an API server of this run's own: the files
//! `tests/on_kubernetes*` of every crate.

use std::fs;

use anyhow::{Context as _, Result};

use crate::cluster::{Own, Parts};
use crate::go::GATEWAY_API;
use crate::postgres::Postgres;
use crate::process::Deadline;
use crate::project::Project;
use crate::suites::crates::cargo_test;
use crate::suites::{Counts, OF_CLUSTERS, Outcome, TOGETHER};
use crate::tools;

/// Kinds of the Gateway API that platforms are made of where a gateway is not ours.
const GATEWAY_KINDS: [&str; 2] = [
    "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
    "config/crd/standard/gateway.networking.k8s.io_listenersets.yaml",
];

/// Tests whose names begin with this need somebody who makes pods, and nodes that are played.
const PLAYED: &str = "played_";

pub(crate) fn run(project: &Project) -> Result<Outcome> {
    let deadline = Deadline::in_minutes(45);
    // Network policies become rules of network namespaces.
    tools::debian(project, "nft", "nftables", deadline)?;
    let postgres = Postgres::start(project, deadline)?;
    // Soaks need a cluster too, and have no place here.
    let files = ["--test", "on_kubernetes*", "--", "--ignored", "--skip", "soak_"];
    let bare = [&files[..], &["--skip", PLAYED]].concat();
    // Selected as the suite `crates` does, so that nothing is compiled again.
    let all = [&TOGETHER[..], &bare].concat();
    let alone = [&OF_CLUSTERS[..], &bare].concat();
    let played = [&OF_CLUSTERS[..], &files, &[PLAYED]].concat();
    // The first time of all, its programs are built.
    let bare = on(project, &postgres, Parts::BARE, &[all, alone], deadline)?;
    Ok(bare.and(on(project, &postgres, Parts::PLAYED, &[played], deadline)?))
}

/// Runs these tests on a cluster with these parts, one selection after the other.
fn on(
    project: &Project,
    postgres: &Postgres,
    parts: Parts,
    selections: &[Vec<&str>],
    deadline: Deadline,
) -> Result<Outcome> {
    let kinds = project.root.join("target/gateway-kinds.yaml");
    let text = GATEWAY_API.yaml(project, &GATEWAY_KINDS, deadline)?;
    fs::write(&kinds, text).with_context(|| format!("write {}", kinds.display()))?;
    let cluster = Own::start(project, parts)?;
    let environment = [
        ("DATABASE_URL", postgres.url("postgres")),
        ("SOULFRA_TEST_KUBECONFIG", cluster.kubeconfig().display().to_string()),
        ("SOULFRA_TEST_KUBECTL", cluster.kubectl().display().to_string()),
        ("SOULFRA_TEST_GATEWAY_KINDS", kinds.display().to_string()),
    ];
    let mut outcome = Outcome { counts: Counts::default(), note: String::new() };
    for selection in selections {
        outcome = outcome.and(cargo_test(project, selection, &environment, deadline)?);
    }
    Ok(outcome)
}
