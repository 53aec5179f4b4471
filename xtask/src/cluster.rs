//! `cargo xtask cluster`: a real Kubernetes for tests, each in a network namespace of its own.
//!
//! etcd and API server always; a real node, or kwok's pretended ones, where asked for. All of a
//! cluster is inside its namespace and its folder, so that several run side by side, and nothing
//! is left when it ends.

mod access;
mod api;
mod binaries;
mod certificates;
mod control_plane;
mod end;
mod groups;
mod images;
mod layout;
mod name;
mod network;
mod node;
mod node_settings;
mod own;
mod record;
mod start;
mod told;

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use self::binaries::Binaries;
pub(crate) use self::binaries::Parts;
use self::layout::Layout;
use self::name::Name;
use self::network::Network;
pub(crate) use self::own::Own;
use self::record::Record;
use crate::process::Deadline;
use crate::project::Project;
use crate::{say, system, tools};

/// What can be done with clusters.
#[derive(Subcommand)]
pub(crate) enum Cluster {
    /// Starts one, or says how to reach it if it is up already.
    Up {
        /// Which one; several may run side by side.
        #[arg(long, default_value = "dev")]
        name: Name,
        #[command(flatten)]
        parts: Parts,
        /// How to reach it, as one line of JSON and nothing else on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Ends one and removes everything it had; also one that was started by half, or never.
    Down {
        /// Which one.
        #[arg(long, default_value = "dev")]
        name: Name,
    },
    /// Runs a program inside its network, with KUBECONFIG set: services and pods answer there.
    Exec {
        /// Which one.
        #[arg(long, default_value = "dev")]
        name: Name,
        /// The program and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
    /// Makes an image of one static program and gives it to its node.
    Image {
        /// Which cluster.
        #[arg(long, default_value = "dev")]
        name: Name,
        /// The image's name, such as `registry.test/hello:1`.
        image: String,
        /// The file of the program.
        program: PathBuf,
    },
    /// Builds what clusters are made of and starts none: fills the cache.
    Tools {
        #[command(flatten)]
        parts: Parts,
    },
}

impl Cluster {
    /// Whether standard output is for a program, so that talk has no place there.
    pub(crate) fn is_for_a_program(&self) -> bool {
        matches!(self, Self::Up { json: true, .. } | Self::Exec { .. })
    }
}

/// Does it. True when it succeeded.
pub(crate) fn run(project: &Project, cluster: Cluster) -> Result<bool> {
    match cluster {
        Cluster::Up { name, parts, json } => {
            let record = up(project, &name, parts)?;
            let layout = place(project, &name, &record);
            if json {
                say::data(&told::as_json(&layout, &record));
            } else {
                for line in told::lines(&layout) {
                    say::line(&line);
                }
            }
            Ok(true)
        }
        Cluster::Down { name } => down(project, &name).map(|()| true),
        Cluster::Exec { name, command } => exec(project, &name, &command),
        Cluster::Image { name, image, program } => {
            give(project, &name, &image, &program).map(|()| true)
        }
        Cluster::Tools { parts } => make(project, parts).map(|_| true),
    }
}

fn up(project: &Project, name: &Name, parts: Parts) -> Result<Record> {
    need_root()?;
    // Before anything is built, and again when nobody else can start it.
    if let Some(record) = found_as(project, name, parts)? {
        return Ok(record);
    }
    let (binaries, pause) = make(project, parts)?;
    let folder = folder(project, name);
    let _lock = lock(project, name)?;
    if let Some(record) = found_as(project, name, parts)? {
        return Ok(record);
    }
    if Network::of(name).exists() && !folder.exists() {
        bail!(
            "there is a cluster {} that this cache knows nothing of; if nobody needs it: {}",
            name.as_str(),
            told::down_command(name)
        );
    }
    end::processes(name).context("end what is left of an earlier start")?;
    end::folder(&folder)?;
    // Whoever can read it is the cluster's administrator.
    DirBuilder::new().mode(0o700).create(&folder).context("make the cluster's folder")?;
    let begun = Instant::now();
    let record = start::start(name, &folder, parts, &binaries, pause.as_deref());
    if record.is_err() {
        end::processes(name)?;
        say::line(&format!("all logs: {}", folder.join("logs").display()));
    }
    let record = record.with_context(|| format!("start cluster {}", name.as_str()))?;
    say::line(&format!("{} is up after {:.1} s", name.as_str(), begun.elapsed().as_secs_f64()));
    Ok(record)
}

fn down(project: &Project, name: &Name) -> Result<()> {
    need_root()?;
    let _lock = lock(project, name)?;
    end::processes(name)?;
    end::folder(&folder(project, name))?;
    say::line(&format!("{} is down", name.as_str()));
    Ok(())
}

fn exec(project: &Project, name: &Name, command: &[OsString]) -> Result<bool> {
    need_root()?;
    let record = need(project, name)?;
    let (program, arguments) = command.split_first().context("no program was named")?;
    let mut inside = Network::of(name).enter(Path::new(program));
    inside.args(arguments);
    inside.env("KUBECONFIG", place(project, name, &record).path(access::KUBECONFIG));
    Ok(inside.status().context("run nsenter")?.success())
}

fn give(project: &Project, name: &Name, image: &str, program: &Path) -> Result<()> {
    need_root()?;
    let record = need(project, name)?;
    if !record.parts.node {
        bail!("{} has no node: start it with --node", name.as_str());
    }
    let _lock = lock(project, name)?;
    let layout = place(project, name, &record);
    let program = program.canonicalize().with_context(|| format!("find {}", program.display()))?;
    images::give(&layout.containerd(), &layout.folder, image, &program)
}

/// Builds and installs all that it takes; the second is the program of the pause image.
fn make(project: &Project, parts: Parts) -> Result<(Binaries, Option<PathBuf>)> {
    let deadline = Deadline::in_minutes(60);
    for (program, package) in
        [("ip", "iproute2"), ("nsenter", "util-linux"), ("openssl", "openssl"), ("curl", "curl")]
    {
        tools::debian(project, program, package, deadline)?;
    }
    let binaries = Binaries::make(project, parts, deadline)?;
    if !parts.node {
        return Ok((binaries, None));
    }
    for (program, package) in [
        ("containerd", "containerd"),
        ("runc", "runc"),
        ("/usr/lib/cni/bridge", "containernetworking-plugins"),
        ("nft", "nftables"),
        ("conntrack", "conntrack"),
    ] {
        tools::debian(project, program, package, deadline)?;
    }
    Ok((binaries, Some(images::pause(project, deadline)?)))
}

/// The cluster, if it is up and whole.
fn found(project: &Project, name: &Name) -> Option<Record> {
    let record = Record::read(&folder(project, name)).filter(|record| record.is_up)?;
    let inside = Network::of(name).processes().ok()?;
    let runs = record.processes.iter().all(|(_, id)| inside.contains(id));
    (runs && api::is_ready(&place(project, name, &record))).then_some(record)
}

/// The same, with these parts; an error where it has others.
fn found_as(project: &Project, name: &Name, parts: Parts) -> Result<Option<Record>> {
    let record = found(project, name);
    if record.as_ref().is_some_and(|record| record.parts != parts) {
        bail!(
            "{} is up with other parts; end it first: {}",
            name.as_str(),
            told::down_command(name)
        );
    }
    Ok(record)
}

fn need(project: &Project, name: &Name) -> Result<Record> {
    let name_text = name.as_str();
    found(project, name).with_context(|| {
        format!("{name_text} is not up: cargo xtask cluster up --name {name_text}")
    })
}

fn place(project: &Project, name: &Name, record: &Record) -> Layout {
    Layout { name: name.clone(), folder: folder(project, name), address: record.address }
}

fn folder(project: &Project, name: &Name) -> PathBuf {
    record::clusters(project).join(name.as_str())
}

/// Nobody else starts or ends this cluster meanwhile.
fn lock(project: &Project, name: &Name) -> Result<fs::File> {
    let clusters = record::clusters(project);
    fs::create_dir_all(&clusters).with_context(|| format!("create {}", clusters.display()))?;
    let what = format!("another command for {}", name.as_str());
    system::lock(&lock_file(&clusters, name), &what, Deadline::in_minutes(10))
}

fn lock_file(clusters: &Path, name: &Name) -> PathBuf {
    clusters.join(format!("{}.lock", name.as_str()))
}

fn need_root() -> Result<()> {
    if system::is_root()? {
        return Ok(());
    }
    bail!("network namespaces are made by root only: run this as root")
}
