//! This clone: where it is, what it is made of, and how its programs are called.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::clones::{self, Claim};
use crate::process::{self, Deadline};

/// What `cargo run` sets for the program it runs. Handed on, these would make build scripts
/// that watch them (ring's does) run again each time a build moves between a shell and here.
const SET_BY_CARGO_RUN: [&str; 17] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_PKG_AUTHORS",
    "CARGO_PKG_DESCRIPTION",
    "CARGO_PKG_HOMEPAGE",
    "CARGO_PKG_LICENSE",
    "CARGO_PKG_LICENSE_FILE",
    "CARGO_PKG_NAME",
    "CARGO_PKG_README",
    "CARGO_PKG_REPOSITORY",
    "CARGO_PKG_RUST_VERSION",
    "CARGO_PKG_VERSION",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
    // Set by `.cargo/config.toml`; each command says itself what it wants, cargo fills the rest.
    "SQLX_OFFLINE",
];

/// This clone and the per-user cache beside it.
pub(crate) struct Project {
    /// The folder of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Downloads and tools, keyed by version; shared by every clone.
    pub(crate) cache: PathBuf,
    /// Nobody else's code is built meanwhile.
    _claim: Claim,
}

/// A crate of the workspace, as `cargo metadata` tells it.
pub(crate) struct Member {
    /// The crate's folder.
    pub(crate) folder: PathBuf,
    /// The root file of every library and program in it.
    pub(crate) roots: Vec<PathBuf>,
    /// Every direct dependency, of any kind, ours and others'.
    pub(crate) dependencies: Vec<String>,
    name: String,
}

impl Project {
    /// The clone that holds `manifest`, this crate's folder, ready to build. `cache_home` stands
    /// for `~/.cache`.
    pub(crate) fn find(manifest: Option<PathBuf>, cache_home: Option<PathBuf>) -> Result<Self> {
        let manifest = manifest.context("run this as `cargo xtask`")?;
        let root = manifest.parent().context("xtask is not in a workspace")?.to_owned();
        let cache_home = match cache_home {
            Some(folder) => folder,
            None => std::env::home_dir().context("no home directory")?.join(".cache"),
        };
        let metadata = metadata(&root)?;
        let build = metadata["build_directory"].as_str().context("cargo told no build folder")?;
        let targets = packages(&metadata)?.iter().filter_map(|p| p["targets"].as_array()).flatten();
        let roots: Vec<_> =
            targets.filter_map(|target| target["src_path"].as_str()).map(PathBuf::from).collect();
        let claim = clones::claim(Path::new(build), &root, &roots)?;
        Ok(Self { root, cache: cache_home.join("soulfra"), _claim: claim })
    }

    /// A program that starts at the root, without standard input.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        command(&self.root, program.as_ref())
    }

    /// `cargo ARGUMENTS`, at the root.
    pub(crate) fn cargo<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.command("cargo");
        command.args(arguments);
        command
    }

    /// `cargo build --release SELECTION`, and where the named program landed. Always with a
    /// selection whose features agree with the workspace's, so that nothing is built twice.
    pub(crate) fn build(
        &self,
        selection: &[&str],
        name: &str,
        deadline: Deadline,
    ) -> Result<PathBuf> {
        let mut cargo = self.cargo(["build", "--release"]);
        cargo.args(selection).arg("--message-format=json-render-diagnostics");
        let mut program = None;
        let status = process::watch(&mut cargo, deadline, |line| {
            let message: Value = serde_json::from_str(line).unwrap_or_default();
            if message["target"]["name"] == name
                && let Some(path) = message["executable"].as_str()
            {
                program = Some(PathBuf::from(path));
            }
        })?;
        if !status.success() {
            bail!("{} failed", process::shown(&cargo));
        }
        program.with_context(|| format!("cargo built no program named {name}"))
    }

    /// Our crates, each after those it depends on.
    pub(crate) fn members(&self) -> Result<Vec<Member>> {
        in_order(packages(&metadata(&self.root)?)?.iter().map(member).collect::<Result<_>>()?)
    }
}

fn command(root: &Path, program: &OsStr) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root).stdin(Stdio::null());
    for name in SET_BY_CARGO_RUN {
        command.env_remove(name);
    }
    command
}

fn metadata(root: &Path) -> Result<Value> {
    let output = command(root, OsStr::new("cargo"))
        .args(["metadata", "--format-version=1", "--no-deps", "--locked"])
        .stderr(Stdio::inherit())
        .output()
        .context("run cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", output.status);
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn packages(metadata: &Value) -> Result<&Vec<Value>> {
    metadata["packages"].as_array().context("metadata without packages")
}

fn member(package: &Value) -> Result<Member> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let manifest = text(&package["manifest_path"]).context("package without a manifest")?;
    let targets = package["targets"].as_array().context("package without targets")?;
    let is_root = |target: &&Value| {
        target["kind"].as_array().is_some_and(|k| k.iter().any(|k| k == "lib" || k == "bin"))
    };
    let dependencies = package["dependencies"].as_array().context("no dependencies listed")?;
    Ok(Member {
        name: text(&package["name"]).context("package without a name")?,
        folder: PathBuf::from(manifest).parent().context("manifest without a folder")?.to_owned(),
        roots: targets
            .iter()
            .filter(is_root)
            .filter_map(|target| text(&target["src_path"]))
            .map(PathBuf::from)
            .collect(),
        dependencies: dependencies.iter().filter_map(|d| text(&d["name"])).collect(),
    })
}

/// Dependencies first; equals by name.
fn in_order(mut waiting: Vec<Member>) -> Result<Vec<Member>> {
    waiting.sort_by(|a, b| a.name.cmp(&b.name));
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let free = |m: &Member| !waiting.iter().any(|w| m.dependencies.contains(&w.name));
        let next = waiting.iter().position(free).context("our crates depend on each other")?;
        ordered.push(waiting.remove(next));
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, dependencies: &[&str]) -> Member {
        Member {
            name: name.into(),
            folder: PathBuf::new(),
            roots: Vec::new(),
            dependencies: dependencies.iter().map(|&d| d.into()).collect(),
        }
    }

    #[test]
    fn crates_come_after_what_they_depend_on() {
        let crates = vec![
            member("accounts", &["work", "sqlx"]),
            member("tenant", &["accounts"]),
            member("work", &["sqlx"]),
        ];
        let names: Vec<_> = in_order(crates).unwrap().into_iter().map(|m| m.name).collect();
        assert_eq!(names, ["work", "accounts", "tenant"]);
    }
}
