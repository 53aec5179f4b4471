//! Questions to the API server while a cluster starts, asked by `curl` from this machine: when it
//! answers, whoever is handed the kubeconfig can reach it too.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::certificates::AUTHORITY;
use super::layout::{KWOK_PORT, Layout};

/// A file, for arguments can be read by everybody on the machine.
const HEADER: &str = "authorization.header";

/// Quiet, and an error where the answer is one.
const FLAGS: [&str; 6] = ["--silent", "--fail", "--noproxy", "*", "--max-time", "5"];

/// Notes with which token to come.
pub(crate) fn prepare(layout: &Layout, token: &str) -> Result<()> {
    let header = format!("Authorization: Bearer {token}\n");
    fs::write(layout.path(HEADER), header).context("write the header")
}

/// Whether the API server serves.
pub(crate) fn is_ready(layout: &Layout) -> bool {
    ask(layout, "/readyz").is_some()
}

/// Whether pods can be made: without its account, which controllers make, none is admitted.
pub(crate) fn has_default_account(layout: &Layout) -> bool {
    ask(layout, "/api/v1/namespaces/default/serviceaccounts/default").is_some()
}

/// Whether kwok works.
pub(crate) fn kwok_works(layout: &Layout) -> bool {
    let healthy = format!("http://{}:{KWOK_PORT}/healthz", layout.address);
    Command::new("curl").args(FLAGS).arg(healthy).output().is_ok_and(|told| told.status.success())
}

/// Whether the node takes pods.
pub(crate) fn node_is_ready(layout: &Layout, node: &str) -> bool {
    ask(layout, &format!("/api/v1/nodes/{node}"))
        .and_then(|text| serde_json::from_str(&text).ok())
        .is_some_and(|node| says_ready(&node))
}

fn says_ready(node: &Value) -> bool {
    let conditions = node["status"]["conditions"].as_array();
    conditions.is_some_and(|conditions| {
        conditions.iter().any(|one| one["type"] == "Ready" && one["status"] == "True")
    })
}

/// The text of an answer that is no refusal.
fn ask(layout: &Layout, path: &str) -> Option<String> {
    let output = Command::new("curl")
        .args(FLAGS)
        .arg("--cacert")
        .arg(layout.path(AUTHORITY))
        .arg("--header")
        .arg(format!("@{}", layout.text(HEADER)))
        .arg(format!("{}{path}", layout.server()))
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_is_ready_when_it_says_so() {
        let node = |status| {
            json!({ "status": { "conditions": [
                { "type": "MemoryPressure", "status": "True" },
                { "type": "Ready", "status": status },
            ]}})
        };
        assert!(says_ready(&node("True")));
        assert!(!says_ready(&node("Unknown")));
        assert!(!says_ready(&json!({})));
    }
}
