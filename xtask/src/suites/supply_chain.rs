//! cargo-deny over everything we depend on; `deny.toml` has the rules.

use anyhow::Result;

use crate::process::{self, Deadline};
use crate::project::Project;
use crate::suites::{Counts, Outcome};
use crate::{say, tools};

const ADVISORIES: &str = "https://github.com/RustSec/advisory-db";

pub(crate) fn run(project: &Project) -> Result<Outcome> {
    let deadline = Deadline::in_minutes(25);
    let program = tools::cargo_deny(project, deadline)?;
    let mut checks = vec!["licenses", "bans", "sources"];
    let mut counts = Counts::default();
    let mut note = String::new();
    if reachable(project) {
        checks.push("advisories");
    } else {
        counts.skipped = 1;
        note = format!("advisories, for {ADVISORIES} cannot be reached");
    }
    for check in checks {
        // Its findings are on stderr; one line a finding is enough for a log.
        let mut deny = project.command(&program);
        deny.args(["--workspace", "--locked", "check", "--hide-inclusion-graph", check]);
        match process::run(&mut deny, deadline) {
            Ok(()) => counts.passed += 1,
            Err(error) => {
                say::error(&error);
                counts.failed += 1;
            }
        }
    }
    Ok(Outcome { counts, note })
}

fn reachable(project: &Project) -> bool {
    let mut look = project.command("git");
    look.args(["-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=10", "ls-remote"]);
    look.args(["--exit-code", ADVISORIES, "HEAD"]).env("GIT_TERMINAL_PROMPT", "0");
    process::run(&mut look, Deadline::in_minutes(1)).is_ok()
}
