//! Programs built from source by Go.
//!
//! Kubernetes cannot be had by `go install`, since its `go.mod` replaces its own libraries. A
//! tiny module that requires it and replaces them as it does can build its commands; the others
//! are built the same way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::{self, Deadline};
use crate::project::Project;
use crate::{system, tools};

/// A Go module that programs are built from.
pub(crate) struct Module {
    name: &'static str,
    path: &'static str,
    version: &'static str,
}

pub(crate) const KUBERNETES: Module =
    Module { name: "kubernetes", path: "k8s.io/kubernetes", version: "1.35.4" };
pub(crate) const ETCD: Module =
    Module { name: "etcd", path: "go.etcd.io/etcd/server/v3", version: "3.6.12" };
pub(crate) const COREDNS: Module =
    Module { name: "coredns", path: "github.com/coredns/coredns", version: "1.12.4" };
/// An authority for tests, and the DNS it asks.
pub(crate) const PEBBLE: Module =
    Module { name: "pebble", path: "github.com/letsencrypt/pebble/v2", version: "2.10.1" };
/// What gateways that are not ours understand, as files.
pub(crate) const GATEWAY_API: Module =
    Module { name: "gateway-api", path: "sigs.k8s.io/gateway-api", version: "1.5.1" };
/// Stripe's own mock, and its description of its API.
pub(crate) const STRIPE_MOCK: Module =
    Module { name: "stripe-mock", path: "github.com/stripe/stripe-mock", version: "0.203.0" };
pub(crate) const KWOK: Module = Module { name: "kwok", path: "sigs.k8s.io/kwok", version: "0.8.0" };

impl Module {
    /// Where its programs are kept, among other tools.
    pub(crate) fn folder(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }

    /// Builds those of its programs that are missing.
    pub(crate) fn make(
        &self,
        project: &Project,
        programs: &[&str],
        deadline: Deadline,
    ) -> Result<()> {
        let folder = project.cache.join("tools").join(self.folder());
        let is_missing = |name: &&&str| !folder.join(name).exists();
        if !programs.iter().any(|name| is_missing(&name)) {
            return Ok(());
        }
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        // Another run may be building the same: then there is nothing left to do afterwards.
        let what = "another build of the same programs";
        let _lock = system::lock(&folder.join("lock"), what, deadline)?;
        let source = folder.join("module");
        if programs.iter().any(|name| is_missing(&name)) {
            self.write(project, &source, deadline)?;
        }
        for name in programs.iter().filter(is_missing) {
            let package = self.package(name);
            build(project, &source, &package, &self.flags(), &folder.join(name), deadline)?;
        }
        Ok(())
    }

    /// Where one of its programs is, once it was built.
    pub(crate) fn program(&self, project: &Project, name: &str) -> PathBuf {
        project.cache.join("tools").join(self.folder()).join(name)
    }

    /// What one of its programs is built from.
    pub(crate) fn package(&self, program: &str) -> String {
        match self.name {
            "kubernetes" | "kwok" | "pebble" => format!("{}/cmd/{program}", self.path),
            _ => self.path.to_owned(),
        }
    }

    /// For the linker. Kubernetes is told its version, which clients ask for.
    pub(crate) fn flags(&self) -> String {
        let mut flags = "-s -w".to_owned();
        if self.name == KUBERNETES.name {
            let mut numbers = self.version.split('.');
            let (major, minor) = (numbers.next(), numbers.next());
            for (key, value) in [
                ("gitVersion", format!("v{}", self.version)),
                ("gitMajor", major.unwrap_or_default().to_owned()),
                ("gitMinor", minor.unwrap_or_default().to_owned()),
                ("gitTreeState", "clean".to_owned()),
            ] {
                flags.extend([" -X k8s.io/component-base/version.", key, "=", &value]);
            }
        }
        flags
    }

    /// Writes the module that requires this one.
    pub(crate) fn write(&self, project: &Project, folder: &Path, deadline: Deadline) -> Result<()> {
        need_go()?;
        fs::create_dir_all(folder)?;
        let staged =
            if self.name == KUBERNETES.name { self.staged(project, deadline)? } else { Vec::new() };
        fs::write(folder.join("go.mod"), self.manifest(&staged)).context("write go.mod")
    }

    fn manifest(&self, staged: &[String]) -> String {
        let Self { name, path, version } = self;
        let mut text =
            format!("module soulfra.test/{name}\n\ngo 1.25.0\n\nrequire {path} v{version}\n");
        // The libraries are released as 0.MINOR.PATCH with Kubernetes 1.MINOR.PATCH.
        let library = version.replacen("1.", "0.", 1);
        for path in staged {
            text.extend(["\nreplace ", path, " => ", path, " v", &library, "\n"]);
        }
        text
    }

    /// The libraries that are developed inside Kubernetes, as its own `go.mod` names them.
    fn staged(&self, project: &Project, deadline: Deadline) -> Result<Vec<String>> {
        let told = self.download(project, deadline)?;
        let manifest = told["GoMod"].as_str().context("go told no go.mod of Kubernetes")?;
        let mut edit = go(project, &project.cache);
        let staged = staged_in(&json(edit.args(["mod", "edit", "-json", manifest]), deadline)?);
        if staged.is_empty() {
            bail!("{manifest} names no library without a version: its form has changed");
        }
        Ok(staged)
    }

    /// The texts of these of its files, one after the other, as one file of YAML.
    pub(crate) fn yaml(
        &self,
        project: &Project,
        files: &[&str],
        deadline: Deadline,
    ) -> Result<String> {
        let mut text = String::new();
        for file in files {
            let file = self.file(project, file, deadline)?;
            text +=
                &fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
            text += "\n---\n";
        }
        Ok(text)
    }

    /// Where one of its files is.
    pub(crate) fn file(
        &self,
        project: &Project,
        file: &str,
        deadline: Deadline,
    ) -> Result<PathBuf> {
        let told = self.download(project, deadline)?;
        let folder = told["Dir"].as_str().context("go told no folder of the module")?;
        Ok(Path::new(folder).join(file))
    }

    /// Where Go has it, in Go's words.
    fn download(&self, project: &Project, deadline: Deadline) -> Result<Value> {
        // Outside of any module: inside of one that lacks the replacements nothing can be asked.
        let wanted = format!("{}@v{}", self.path, self.version);
        let mut download = go(project, &project.cache);
        json(download.args(["mod", "download", "-json", &wanted]), deadline)
    }
}

/// What is required at a version that does not exist.
fn staged_in(manifest: &Value) -> Vec<String> {
    let required = manifest["Require"].as_array().map(Vec::as_slice).unwrap_or_default();
    required
        .iter()
        .filter(|required| required["Version"] == "v0.0.0")
        .filter_map(|required| required["Path"].as_str().map(str::to_owned))
        .collect()
}

/// Builds one static program; it is at its place only when it is whole.
pub(crate) fn build(
    project: &Project,
    source: &Path,
    package: &str,
    flags: &str,
    program: &Path,
    deadline: Deadline,
) -> Result<()> {
    need_go()?;
    let part = program.with_extension(std::process::id().to_string());
    let mut go = go(project, source);
    go.args(["build", "-trimpath", &format!("-ldflags={flags}"), "-o"]).arg(&part).arg(package);
    process::run(&mut go, deadline).with_context(|| format!("build {package}"))?;
    fs::rename(&part, program)?;
    Ok(())
}

fn go(project: &Project, folder: &Path) -> Command {
    let mut go = project.command("go");
    go.current_dir(folder);
    // Sums are looked up in Go's own database, so `go.sum` may be made here.
    go.env("CGO_ENABLED", "0").env("GOFLAGS", "-mod=mod").env("GOWORK", "off");
    go
}

fn json(command: &mut Command, deadline: Deadline) -> Result<Value> {
    let mut text = String::new();
    let status = process::watch(command, deadline, |line| {
        text += line;
        text.push('\n');
    })?;
    if !status.success() {
        bail!("{} failed: {status}", process::shown(command));
    }
    serde_json::from_str(&text).with_context(|| process::shown(command))
}

fn need_go() -> Result<()> {
    if tools::on_path("go") {
        return Ok(());
    }
    bail!("go is missing; install Go 1.25 or newer from https://go.dev/dl (Debian's is too old)")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_module_of_kubernetes_replaces_its_libraries_as_released_with_it() {
        let told = json!({ "Require": [
            { "Path": "k8s.io/api", "Version": "v0.0.0" },
            { "Path": "github.com/spf13/cobra", "Version": "v1.9.1" },
        ]});
        let text = KUBERNETES.manifest(&staged_in(&told));
        assert!(text.contains("require k8s.io/kubernetes v1.35.4\n"), "{text}");
        assert!(text.contains("replace k8s.io/api => k8s.io/api v0.35.4\n"), "{text}");
        assert!(!text.contains("cobra"), "{text}");
    }

    #[test]
    fn kubernetes_is_told_its_version() {
        let flags = KUBERNETES.flags();
        for flag in ["gitVersion=v1.35.4", "gitMajor=1", "gitMinor=35"] {
            assert!(flags.contains(flag), "{flags}");
        }
    }

    #[test]
    fn programs_are_found_where_their_modules_have_them() {
        assert_eq!(KUBERNETES.package("kubelet"), "k8s.io/kubernetes/cmd/kubelet");
        assert_eq!(KWOK.package("kwok"), "sigs.k8s.io/kwok/cmd/kwok");
        assert_eq!(PEBBLE.package("pebble"), "github.com/letsencrypt/pebble/v2/cmd/pebble");
        assert_eq!(ETCD.package("etcd"), "go.etcd.io/etcd/server/v3");
    }
}
