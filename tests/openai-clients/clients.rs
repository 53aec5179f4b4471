//! `suite.py` and `suite.mjs`, as programs: part of the tests that start a server for them.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// What OpenAI's client for Python does, in this `python3`.
pub(crate) fn python(python: Option<OsString>) -> Command {
    let python = python.unwrap_or_else(|| {
        panic!("SOULFRA_OPENAI_PYTHON says which python3 has the package openai")
    });
    let mut suite = Command::new(python);
    suite.arg(folder().join("suite.py"));
    suite
}

/// What OpenAI's client for JavaScript does.
pub(crate) fn javascript() -> Command {
    let there = folder().join("node_modules/openai/package.json").exists();
    assert!(there, "run npm ci in {}", folder().display());
    let mut suite = Command::new("node");
    suite.args(["--test-reporter=spec"]).arg(folder().join("suite.mjs"));
    suite
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("tests/openai-clients")
}

/// Runs a suite, which is told `variables` and nothing else about where the server is. It prints
/// how many of its tests passed.
pub(crate) async fn passes<V: AsRef<OsStr>>(mut suite: Command, variables: &[(&str, V)]) {
    // Read by the clients before anything else, if they are set.
    for name in ["OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_API_KEY"] {
        suite.env_remove(name);
    }
    suite
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .env("NO_PROXY", "127.0.0.1")
        // Colours would hide the counts.
        .env("NO_COLOR", "1")
        .env_remove("FORCE_COLOR")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let ended = tokio::time::timeout(Duration::from_mins(5), suite.status()).await;
    let Ok(status) = ended else { panic!("the suite took more than 5 minutes") };
    let status = status.unwrap();
    assert!(status.success(), "{status}; what failed is above");
}
