//! Rules about the whole workspace that no compiler holds.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod arrows;
mod texts;

use std::path::Path;
use std::process::Command;

/// The standard output of a program that must succeed, run at the root of the workspace.
fn output_of(program: &str, arguments: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let output = Command::new(program).args(arguments).current_dir(root).output().unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {talk}");
    String::from_utf8(output.stdout).unwrap()
}
