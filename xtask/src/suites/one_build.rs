//! Tests and people share one compiled mistral.rs, which takes ten minutes.
//!
//! Cargo unifies features over the crates it is asked for, so a feature that only a test or
//! another crate turns on would compile the engine, or what is below it, a second time.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::{self, Deadline};
use crate::project::Project;
use crate::say;
use crate::suites::{Outcome, TOGETHER};

/// The crates that are slow enough to matter, by the start of their names.
const SLOW: [&str; 2] = ["mistralrs", "candle"];

/// Sets of features that a package is built with, each as `one,two`: programs that run while
/// building have their own.
type Sets = BTreeSet<String>;

pub(crate) fn run(project: &Project) -> Result<Outcome> {
    let people = features(project, &["--edges", "normal,build"])?;
    let engine = engine_names(project)?;
    let mut different = BTreeSet::new();
    let tests = [&["--edges", "normal,build,dev"][..], &TOGETHER].concat();
    let tests = features(project, &tests)?;
    for name in &engine {
        different.extend(difference(name, people.get(name), tests.get(name)));
    }
    if !different.is_empty() {
        bail!(
            "mistral.rs would be compiled twice, for features below it differ; \
             turn them on or off for all in the root Cargo.toml: {}",
            different.into_iter().collect::<Vec<_>>().join("; ")
        );
    }
    nothing_is_built_again(project)
}

/// The proof: after the tests, cargo finds the engine built already.
fn nothing_is_built_again(project: &Project) -> Result<Outcome> {
    let deadline = Deadline::in_minutes(40);
    let arguments = [&["test", "--release", "--no-run"][..], &TOGETHER].concat();
    process::run(&mut project.cargo(arguments), deadline)?;
    let mut build = project.cargo(["build", "--release"]);
    build.arg("--message-format=json-render-diagnostics");
    let (mut fresh, mut again) = (0, BTreeSet::new());
    let status = process::watch(&mut build, deadline, |line| {
        let message: Value = serde_json::from_str(line).unwrap_or_default();
        let package = message["package_id"].as_str().unwrap_or_default();
        let name = package.rsplit(['/', '#']).next().unwrap_or_default();
        if message["reason"] == "compiler-artifact" && SLOW.iter().any(|s| name.starts_with(s)) {
            if message["fresh"] == true {
                fresh += 1;
            } else {
                again.insert(name.to_owned());
            }
        }
    })?;
    if !status.success() {
        bail!("cargo build --release failed");
    }
    if !again.is_empty() {
        bail!(
            "compiled again after the tests: {}",
            again.into_iter().collect::<Vec<_>>().join(", ")
        );
    }
    if fresh == 0 {
        bail!("cargo build --release holds no mistral.rs");
    }
    say::line(&format!("{fresh} parts of the engine were built once"));
    Ok(Outcome::passed())
}

/// Each package that is built with these arguments, as `name vX`, and its sets of features.
fn features(project: &Project, arguments: &[&str]) -> Result<BTreeMap<String, Sets>> {
    let mut features: BTreeMap<String, Sets> = BTreeMap::new();
    for line in tree(project, arguments)?.lines() {
        let mut parts = line.trim_end_matches(" (*)").split('\t');
        let (Some(package), Some(list)) = (parts.next(), parts.next()) else { continue };
        features.entry(package.to_owned()).or_default().insert(list.trim().to_owned());
    }
    Ok(features)
}

/// What tests turn on that people do not, or the other way round, in words. A set that tests have
/// beside those of people is for programs that run while building, and builds nothing else again.
fn difference(name: &str, people: Option<&Sets>, tests: Option<&Sets>) -> Option<String> {
    if people.is_none_or(|people| tests.is_some_and(|tests| people.is_subset(tests))) {
        return None;
    }
    let all = |sets: Option<&Sets>| -> Sets {
        sets.into_iter().flatten().flat_map(|set| set.split(',')).map(str::to_owned).collect()
    };
    let (people, tests) = (all(people), all(tests));
    let either: Vec<_> = people.symmetric_difference(&tests).map(String::as_str).collect();
    Some(format!("{name} ({})", either.join(", ")))
}

/// The packages that the engine's crate is made of, itself left out.
fn engine_names(project: &Project) -> Result<BTreeSet<String>> {
    let arguments = ["--package", "engine-mistralrs", "--edges", "normal,build"];
    let names = features(project, &arguments)?.into_keys();
    Ok(names.filter(|name| !name.starts_with("engine-mistralrs")).collect())
}

fn tree(project: &Project, arguments: &[&str]) -> Result<String> {
    let mut tree = project.cargo(["tree", "--locked", "--prefix", "none", "--format", "{p}\t{f}"]);
    let output = tree.args(arguments).output().context("run cargo tree")?;
    if !output.status.success() {
        bail!("cargo tree failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_of_tests_alone_is_named() {
        let sets = |list: &[&str]| -> Sets { list.iter().map(|&set| set.to_owned()).collect() };
        let (people, tests) = (sets(&["fs,net", "fs"]), sets(&["fs,net,test-util", "fs"]));
        assert_eq!(difference("tokio v1", Some(&people), Some(&people)), None);
        let told = difference("tokio v1", Some(&people), Some(&tests));
        assert_eq!(told.as_deref(), Some("tokio v1 (test-util)"));
        let beside = sets(&["fs,net", "fs", "sync"]);
        assert_eq!(difference("tokio v1", Some(&people), Some(&beside)), None);
    }
}
