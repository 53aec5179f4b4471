//! What the suites need beyond Rust, Go, Node and Python: Debian packages, downloads, tools.
//!
//! Each is looked for first; what is missing is installed, or the error says how to get it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process::{self, Deadline};
use crate::project::Project;

const CARGO_DENY: &str = "0.20.2";
const CARGO_MUTANTS: &str = "27.1.0";

/// Makes sure that a program of a Debian package is there.
pub(crate) fn debian(
    project: &Project,
    program: &str,
    package: &str,
    deadline: Deadline,
) -> Result<()> {
    install(project, || on_path(program), program, package, deadline)
}

/// What llama.cpp is compiled with, beside Rust: `CMake`, a C++ compiler, and the library of clang.
pub(crate) fn llamacpp(project: &Project, deadline: Deadline) -> Result<()> {
    debian(project, "cmake", "cmake", deadline)?;
    debian(project, "c++", "g++", deadline)?;
    install(project, has_libclang, "libclang", "libclang-dev", deadline)
}

/// Where Debian and Fedora have it, and where its users say that it is.
fn has_libclang() -> bool {
    let script = "ls ${LIBCLANG_PATH:-/usr/lib/llvm-*/lib}/libclang*.so* /usr/lib64/libclang.so* \
                  /usr/lib/*-linux-gnu/libclang*.so* 2>/dev/null | grep -qv cpp";
    Command::new("sh").args(["-c", script]).status().is_ok_and(|status| status.success())
}

fn install(
    project: &Project,
    is_there: impl Fn() -> bool,
    name: &str,
    package: &str,
    deadline: Deadline,
) -> Result<()> {
    if is_there() {
        return Ok(());
    }
    let missing = || format!("{name} is missing; install it: apt-get install {package}");
    if !on_path("apt-get") {
        bail!(missing());
    }
    let apt = |arguments: &[&str]| {
        let mut apt = project.command("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
        process::run(&mut apt, deadline)
    };
    apt(&["update", "-q"]).with_context(missing)?;
    apt(&["install", "-q", "-y", "--no-install-recommends", package]).with_context(missing)?;
    if is_there() { Ok(()) } else { bail!(missing()) }
}

/// Fetches a file once; the SHA-256 decides whether what is there, or came, is the right one.
pub(crate) fn download(
    project: &Project,
    url: &str,
    sha256: &str,
    deadline: Deadline,
) -> Result<PathBuf> {
    let name = url.rsplit('/').next().context("a download without a name")?;
    let folder = project.cache.join("downloads");
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let file = folder.join(name);
    if file.exists() && has_sum(&file, sha256)? {
        return Ok(file);
    }
    debian(project, "curl", "curl", deadline)?;
    // Under its own name until it is whole, for another run may be fetching it too.
    let part = folder.join(format!("{name}.{}", std::process::id()));
    let mut curl = project.command("curl");
    curl.args(["-fsSL", "--retry", "3", "--connect-timeout", "20", "-o"]).arg(&part).arg(url);
    process::run(&mut curl, deadline).with_context(|| format!("download {url}"))?;
    if !has_sum(&part, sha256)? {
        fs::remove_file(&part)?;
        bail!("{url} does not have the expected SHA-256 {sha256}");
    }
    fs::rename(&part, &file)?;
    Ok(file)
}

/// cargo-deny, built once per version and user.
pub(crate) fn cargo_deny(project: &Project, deadline: Deadline) -> Result<PathBuf> {
    cargo_tool(project, "cargo-deny", CARGO_DENY, deadline)
}

/// cargo-mutants, the same.
pub(crate) fn cargo_mutants(project: &Project, deadline: Deadline) -> Result<PathBuf> {
    cargo_tool(project, "cargo-mutants", CARGO_MUTANTS, deadline)
}

fn cargo_tool(project: &Project, name: &str, version: &str, deadline: Deadline) -> Result<PathBuf> {
    let home = project.cache.join(format!("tools/{name}-{version}"));
    let program = home.join("bin").join(name);
    if program.exists() {
        return Ok(program);
    }
    fs::create_dir_all(&home)?;
    // From its own folder: the flags and the build folder of this workspace are not for it.
    let build = home.join("build");
    let mut install = project.cargo(["install", "--quiet", "--locked", name, "--version"]);
    install.arg(version).arg("--root").arg(&home).arg("--target-dir").arg(&build);
    let done = process::run(install.current_dir(&home), deadline);
    done.with_context(|| format!("build {name}"))?;
    fs::remove_dir_all(&build)?;
    Ok(program)
}

/// Whether the shell would find the program.
pub(crate) fn on_path(program: &str) -> bool {
    Command::new("sh")
        .args(["-c", "command -v \"$0\"", program])
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn has_sum(file: &Path, sha256: &str) -> Result<bool> {
    let output = Command::new("sha256sum").arg(file).output().context("run sha256sum")?;
    Ok(String::from_utf8_lossy(&output.stdout).starts_with(sha256))
}
