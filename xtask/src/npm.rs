//! `cargo xtask npm`: the packages behind `npx create-ai-platform`, as tarballs.
//!
//! One has the program of this platform, the other finds it: `create-ai-platform/npm` has its
//! text, and says how a release gets the packages of the other platforms.

use std::env::consts;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::process::{self, Deadline};
use crate::project::Project;
use crate::say;

const NAME: &str = "create-ai-platform";
/// Of every crate, hence of the program: they have the workspace's.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where the program runs, in npm's words.
#[derive(Debug, PartialEq, Eq)]
struct Platform {
    os: &'static str,
    cpu: &'static str,
    /// None where the system has only one.
    libc: Option<&'static str>,
}

const PLATFORMS: [Platform; 4] = [
    Platform { os: "linux", cpu: "x64", libc: Some("glibc") },
    Platform { os: "linux", cpu: "arm64", libc: Some("glibc") },
    Platform { os: "darwin", cpu: "arm64", libc: None },
    Platform { os: "darwin", cpu: "x64", libc: None },
];

/// Builds the program and packs it into `out`, or `target/npm`.
pub(crate) fn run(project: &Project, out: Option<PathBuf>) -> Result<()> {
    let deadline = Deadline::in_minutes(60);
    let program = project.build(&[], NAME, deadline)?;
    let out = out.unwrap_or_else(|| project.root.join("target/npm"));
    pack(project, &program, &out, deadline)
}

/// Packs the program's package and the one that finds it into the folder `out`.
pub(crate) fn pack(
    project: &Project,
    program: &Path,
    out: &Path,
    deadline: Deadline,
) -> Result<()> {
    let platform = Platform::here()?;
    let text = project.root.join("create-ai-platform/npm");
    let manifest = fs::read_to_string(text.join("package.json")).context("read package.json")?;
    let common: Map<String, Value> = serde_json::from_str(&manifest)?;

    // Whatever an earlier run left there is not to be packed.
    let stage = project.root.join("target/npm-stage");
    if stage.exists() {
        fs::remove_dir_all(&stage)?;
    }
    let wrapper = stage.join("wrapper");
    fs::create_dir_all(wrapper.join("bin"))?;
    for file in ["README.md", "bin/create-ai-platform.js"] {
        fs::copy(text.join(file), wrapper.join(file)).with_context(|| format!("copy {file}"))?;
    }
    write_manifest(&wrapper, &wrapper_manifest(common.clone()))?;

    let package = stage.join("platform");
    fs::create_dir_all(package.join("bin"))?;
    fs::copy(program, package.join("bin").join(NAME)).context("copy the program")?;
    write_manifest(&package, &platform.manifest(common))?;

    fs::create_dir_all(out)?;
    let out = out.canonicalize()?;
    for folder in [wrapper, package] {
        let mut npm = project.command("npm");
        npm.args(["pack", "--silent", "--pack-destination"]).arg(&out).current_dir(folder);
        process::run(&mut npm, deadline)?;
    }
    fs::remove_dir_all(&stage)?;
    say::line(&format!("packed into {}", out.display()));
    Ok(())
}

impl Platform {
    /// The one that this runs on, and that programs are built for.
    fn here() -> Result<&'static Self> {
        let os = if consts::OS == "macos" { "darwin" } else { consts::OS };
        let cpu = match consts::ARCH {
            "x86_64" => "x64",
            "aarch64" => "arm64",
            other => other,
        };
        let libc = cfg!(target_env = "gnu").then_some("glibc");
        let here = Self { os, cpu, libc };
        match PLATFORMS.iter().find(|platform| **platform == here) {
            Some(platform) => Ok(platform),
            None => bail!("there is no npm package for {here:?}"),
        }
    }

    /// What `npm/bin/create-ai-platform.js` looks for.
    fn package(&self) -> String {
        let libc = if self.libc.is_some() { "-gnu" } else { "" };
        format!("@soulfra/{NAME}-{}-{}{libc}", self.os, self.cpu)
    }

    fn manifest(&self, mut manifest: Map<String, Value>) -> Value {
        // No command of its own: there would be two of the same name.
        manifest.retain(|key, _| ["license", "repository"].contains(&key.as_str()));
        let package = self.package();
        let description = format!("The program of {NAME} for {} on {}.", self.os, self.cpu);
        manifest.insert("name".into(), package.into());
        manifest.insert("version".into(), VERSION.into());
        manifest.insert("description".into(), description.into());
        manifest.insert("files".into(), json!(["bin"]));
        // Yarn would keep it zipped.
        manifest.insert("preferUnplugged".into(), true.into());
        manifest.insert("os".into(), json!([self.os]));
        manifest.insert("cpu".into(), json!([self.cpu]));
        if let Some(libc) = self.libc {
            manifest.insert("libc".into(), json!([libc]));
        }
        manifest.into()
    }
}

fn wrapper_manifest(mut manifest: Map<String, Value>) -> Value {
    let packages: Map<_, _> =
        PLATFORMS.iter().map(|platform| (platform.package(), VERSION.into())).collect();
    manifest.insert("version".into(), VERSION.into());
    manifest.insert("optionalDependencies".into(), packages.into());
    manifest.into()
}

fn write_manifest(folder: &Path, manifest: &Value) -> Result<()> {
    fs::write(folder.join("package.json"), format!("{manifest:#}\n"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common() -> Map<String, Value> {
        serde_json::from_str(include_str!("../../create-ai-platform/npm/package.json")).unwrap()
    }

    #[test]
    fn every_platform_is_pinned_to_the_version_of_the_program() {
        let manifest = wrapper_manifest(common());
        assert_eq!(manifest["version"], VERSION);
        let expected = json!({
            "@soulfra/create-ai-platform-linux-x64-gnu": VERSION,
            "@soulfra/create-ai-platform-linux-arm64-gnu": VERSION,
            "@soulfra/create-ai-platform-darwin-arm64": VERSION,
            "@soulfra/create-ai-platform-darwin-x64": VERSION,
        });
        assert_eq!(manifest["optionalDependencies"], expected);
    }

    #[test]
    fn a_platform_says_where_it_may_be_installed() {
        let linux = PLATFORMS[0].manifest(common());
        assert_eq!(linux["os"], json!(["linux"]));
        assert_eq!(linux["cpu"], json!(["x64"]));
        assert_eq!(linux["libc"], json!(["glibc"]));
        let mac = PLATFORMS[2].manifest(common());
        assert_eq!(mac["os"], json!(["darwin"]));
        assert_eq!(mac.get("libc"), None);
        assert_eq!(mac.get("bin"), None);
    }

    #[test]
    fn the_readme_names_every_package() {
        let readme = include_str!("../../create-ai-platform/npm/README.md");
        for platform in &PLATFORMS {
            assert!(readme.contains(&format!("`{}`", platform.package())), "{platform:?}");
        }
    }
}
