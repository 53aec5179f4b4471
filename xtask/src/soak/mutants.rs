//! Planted by a program: cargo-mutants changes the code in one place, and looks whether a test notices.
//!
//! A change costs a build of its crate, so a run takes a sample: every so-manieth of all of them, the first by the
//! seed. What is built for it is kept apart from everything else, for it is not what the files say.

use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::postgres::Postgres;
use crate::process::{self, Deadline};
use crate::project::Project;
use crate::{say, tools};

/// The code by which money is counted.
const FILES: [&str; 7] = [
    "billing/src/amount.rs",
    "billing/src/split.rs",
    "billing/src/sale.rs",
    "billing/src/ledger/**",
    "billing/src/rating/**",
    "billing/src/ledger.rs",
    "billing/src/rating.rs",
];
/// The tests that are to notice.
const TESTS: [&str; 5] = ["--lib", "--test", "ledger", "--test", "rating"];
/// So many at most are tried in one run.
const MOST: usize = 150;
/// Of a hundred that can be built, so many are to be noticed.
const TARGET: usize = 90;
/// As short as the tests can be told to be: each of them is run for each change.
const ENVIRONMENT: [(&str, &str); 2] = [("SOULFRA_ROUNDS", "2000"), ("SOULFRA_OPERATIONS", "5000")];

/// What came of a sample.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    caught: usize,
    missed: usize,
    /// They did not end, which is noticed too.
    timeout: usize,
    /// They cannot be built.
    unviable: usize,
}

/// Tries a sample, and says what came of it; an error where too many are not noticed.
pub(super) fn go_on(
    project: &Project,
    seed: u64,
    minutes: u64,
    counted: &mut Vec<String>,
) -> Result<()> {
    let program = tools::cargo_mutants(project, Deadline::in_minutes(30))?;
    let deadline = Deadline::in_minutes(minutes);
    let folder = project.cache.join("mutants");
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let mutants = || {
        let mut mutants = project.command(&program);
        mutants.args(["mutants", "--no-config", "--package", "billing", "--colors", "never"]);
        mutants.args(FILES.iter().flat_map(|file| ["--file", *file]));
        // A run of this clone is never to be taken for one of what was changed.
        mutants.env("CARGO_BUILD_BUILD_DIR", folder.join("build"));
        mutants.env("CARGO_TARGET_DIR", folder.join("target"));
        mutants
    };
    let mut list = String::new();
    let listed = process::watch(mutants().args(["--list", "--json"]), deadline, |line| {
        list.push_str(line);
    })?;
    let all = serde_json::from_str::<Vec<Value>>(&list).context("read the list of mutants")?.len();
    if !listed.success() || all == 0 {
        bail!("cargo-mutants lists nothing in these files: {}", FILES.join(", "));
    }
    let shards = all.div_ceil(MOST);
    let shard = usize::try_from(seed % u64::try_from(shards)?)?;
    say::line(&format!("every {shards}th of {all}, from number {shard} on"));

    let postgres = Postgres::start(project, deadline)?;
    let mut tried = mutants();
    tried.args(["--shard", &format!("{shard}/{shards}"), "--sharding", "round-robin"]);
    tried.args(["--profile", "release", "--gitignore", "true", "--timeout", "240"]);
    tried.arg("--output").arg(&folder);
    tried.args(TESTS.iter().map(|word| format!("--cargo-arg={word}")));
    tried.env("DATABASE_URL", postgres.url("postgres")).envs(ENVIRONMENT);
    // Two sorts of failures: that something was not noticed is told by what it wrote.
    process::watch(&mut tried, deadline, say::line)?;

    let text = fs::read_to_string(folder.join("mutants.out/outcomes.json"));
    let found = found(&serde_json::from_str(&text.context("read what came of it")?)?)?;
    let Found { caught, missed, timeout, unviable } = &found;
    counted.push(format!(
        "{} of {all} mutants: {caught} caught, {timeout} without an end, {missed} missed, {unviable} cannot be built",
        caught + missed + timeout + unviable
    ));
    if found.is_enough() {
        return Ok(());
    }
    bail!("fewer than {TARGET} of 100 were noticed; those that were not are named above")
}

/// What is told in its report.
fn found(report: &Value) -> Result<Found> {
    let count = |name: &str| {
        let count = report[name].as_u64().with_context(|| format!("no {name} in the report"))?;
        usize::try_from(count).context("too many")
    };
    Ok(Found {
        caught: count("caught")?,
        missed: count("missed")?,
        timeout: count("timeout")?,
        unviable: count("unviable")?,
    })
}

impl Found {
    fn is_enough(&self) -> bool {
        let noticed = self.caught + self.timeout;
        noticed > 0 && noticed * 100 >= (noticed + self.missed) * TARGET
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found_of(caught: usize, missed: usize, timeout: usize) -> Found {
        Found { caught, missed, timeout, unviable: 7 }
    }

    #[test]
    fn nine_of_ten_that_can_be_built_are_enough() {
        assert!(found_of(9, 1, 0).is_enough() && found_of(8, 1, 1).is_enough());
        assert!(!found_of(89, 11, 0).is_enough());
        assert!(!found_of(0, 0, 0).is_enough(), "nothing was tried");
    }

    #[test]
    fn a_report_that_does_not_say_enough_is_none() {
        let report = json!({"caught": 3, "missed": 1, "timeout": 0, "unviable": 7, "success": 0});
        assert_eq!(found(&report).unwrap(), found_of(3, 1, 0));
        assert!(found(&json!({"caught": 3})).is_err());
    }
}
