//! The start of a cluster, step by step; each process is noted before the next one begins.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::binaries::{Binaries, Parts};
use super::layout::{Layout, NODE};
use super::name::Name;
use super::network::Network;
use super::record::Record;
use super::{access, api, certificates, control_plane, images, node};

/// How long each step may take: all together take seconds.
const PATIENCE: Duration = Duration::from_mins(1);
/// So much of a log is shown when its program fails.
const LOG_LINES: usize = 20;
/// A proxy of the machine's has nothing to do with what stays on it.
const PROXIES: [&str; 6] =
    ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];

/// Starts a cluster in an empty folder, and comes back when it can be used. After an error some of
/// it may run.
pub(crate) fn start(
    name: &Name,
    folder: &Path,
    parts: Parts,
    binaries: &Binaries,
    pause: Option<&Path>,
) -> Result<Record> {
    let network = Network::of(name);
    let address = network.create().context("make the cluster's network")?;
    let layout = Layout { name: name.clone(), folder: folder.to_owned(), address };
    fs::create_dir(layout.path("logs"))?;
    certificates::make(&layout)?;
    let token = access::make(&layout)?;
    api::prepare(&layout, &token)?;
    let record = Record { parts, address, token, processes: Vec::new(), is_up: false };
    let mut starting = Starting { layout, network, record, children: Vec::new() };

    starting.control_plane(binaries)?;
    if parts.have_controllers() {
        starting.controllers(binaries)?;
    }
    if let Some(pause) = pause {
        starting.node(binaries, pause)?;
    }
    if parts.kwok {
        starting.kwok(binaries)?;
    }
    starting.record.is_up = true;
    starting.record.write(&starting.layout.folder)?;
    Ok(starting.record)
}

/// A cluster on its way.
struct Starting {
    layout: Layout,
    network: Network,
    record: Record,
    children: Vec<(String, Child)>,
}

impl Starting {
    fn control_plane(&mut self, binaries: &Binaries) -> Result<()> {
        let arguments = control_plane::etcd(&self.layout);
        self.launch("etcd", &binaries.etcd(), &arguments)?;
        let arguments = control_plane::api_server(&self.layout);
        self.launch("kube-apiserver", &binaries.kubernetes("kube-apiserver"), &arguments)?;
        self.wait("the API server serves", api::is_ready)
    }

    fn controllers(&mut self, binaries: &Binaries) -> Result<()> {
        for (program, arguments) in [
            ("kube-controller-manager", control_plane::controller_manager(&self.layout)),
            ("kube-scheduler", control_plane::scheduler(&self.layout)),
        ] {
            self.launch(program, &binaries.kubernetes(program), &arguments)?;
        }
        self.wait("the controllers work", api::has_default_account)
    }

    fn node(&mut self, binaries: &Binaries, pause: &Path) -> Result<()> {
        node::prepare(&self.layout)?;
        let containerd = node::containerd(&self.layout, &self.network);
        let containerd = self.spawn("containerd", containerd)?;
        self.wait("containerd listens", |layout| Path::new(&layout.containerd()).exists())?;
        images::give(&self.layout.containerd(), &self.layout.folder, images::PAUSE, pause)?;

        let arguments = node::coredns(&self.layout);
        self.launch("coredns", &binaries.coredns(), &arguments)?;
        let arguments = node::proxy(&self.layout);
        self.launch("kube-proxy", &binaries.kubernetes("kube-proxy"), &arguments)?;
        let kubelet = binaries.kubernetes("kubelet");
        let kubelet = node::kubelet(&self.layout, &self.network, &kubelet, containerd);
        self.spawn("kubelet", kubelet)?;
        self.wait("the node is ready", |layout| api::node_is_ready(layout, NODE))
    }

    fn kwok(&mut self, binaries: &Binaries) -> Result<()> {
        let arguments = control_plane::kwok(&self.layout, &binaries.kwok_plays());
        self.launch("kwok", &binaries.kwok(), &arguments)?;
        self.wait("kwok plays", api::kwok_works)
    }

    fn launch(&mut self, name: &str, program: &Path, arguments: &[String]) -> Result<()> {
        let mut command = self.network.enter_for_long(program);
        command.args(arguments);
        self.spawn(name, command).map(drop)
    }

    /// Starts a program that outlives this one, and notes its id.
    fn spawn(&mut self, name: &str, mut command: Command) -> Result<u32> {
        let log = File::create(self.log(name))?;
        command.current_dir(&self.layout.folder).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        for proxy in PROXIES {
            command.env_remove(proxy);
        }
        let child = command.spawn().with_context(|| format!("start {name}"))?;
        let id = child.id();
        self.children.push((name.to_owned(), child));
        self.record.processes.push((name.to_owned(), id));
        self.record.write(&self.layout.folder)?;
        Ok(id)
    }

    /// Waits until something is so, as long as everything that was started runs.
    fn wait(&mut self, what: &str, is_so: impl Fn(&Layout) -> bool) -> Result<()> {
        let patience = Instant::now() + PATIENCE;
        while !is_so(&self.layout) {
            let mut ended = None;
            for (name, child) in &mut self.children {
                if let Some(status) = child.try_wait()? {
                    ended = Some((name.clone(), status));
                }
            }
            if let Some((name, status)) = ended {
                bail!("{name} ended ({status}); its last words:\n{}", self.last_words(&name));
            }
            if Instant::now() > patience {
                let (name, _) = self.children.last().context("nothing was started")?;
                let seconds = PATIENCE.as_secs();
                let words = self.last_words(name);
                bail!("{seconds} s, and not yet so: {what}; last words of {name}:\n{words}");
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn log(&self, name: &str) -> PathBuf {
        self.layout.path(format!("logs/{name}.log"))
    }

    fn last_words(&self, name: &str) -> String {
        last_lines(&fs::read_to_string(self.log(name)).unwrap_or_default())
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_is_shown() {
        assert_eq!(last_lines(""), "");
        assert_eq!(last_lines("one\ntwo\n"), "one\ntwo");
        let long: Vec<_> = (0..100).map(|line| line.to_string()).collect();
        assert!(last_lines(&long.join("\n")).starts_with("80\n81\n"));
    }
}
