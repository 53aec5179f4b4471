//! The network of a cluster: a namespace of its own, tied to the machine by one pair of virtual
//! interfaces, so that the API server can be reached from here and nothing inside gets out.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::name::Name;
use crate::process;

/// The interface inside.
const INSIDE: &str = "eth0";

/// A cluster's network, which there may or may not be.
pub(crate) struct Network {
    namespace: String,
}

/// The addresses of one cluster: eight of 198.18.0.0/16, which is set aside for tests (RFC 2544).
#[derive(Clone, Copy)]
struct Slot(u8);

impl Slot {
    /// The machine's end.
    fn host(self) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, self.0, 1)
    }

    /// The node's end.
    fn node(self) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, self.0, 2)
    }

    /// Nobody's. kubelet and API server look for a default route, and by this one nothing leaves.
    fn nobody(self) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, self.0, 6)
    }

    /// The machine's interface; its name decides between clusters that start at the same time.
    fn interface(self) -> String {
        format!("soulfra{}", self.0)
    }
}

impl Network {
    pub(crate) fn of(name: &Name) -> Self {
        Self { namespace: name.on_machine() }
    }

    /// Where the namespace is, for `nsenter --net=`.
    pub(crate) fn path(&self) -> PathBuf {
        Path::new("/var/run/netns").join(&self.namespace)
    }

    pub(crate) fn exists(&self) -> bool {
        self.path().exists()
    }

    /// Makes it, and gives the address of the node.
    pub(crate) fn create(&self) -> Result<Ipv4Addr> {
        ip(&["netns", "add", &self.namespace])?;
        let slot = self.take_slot()?;
        let with_length = |address: Ipv4Addr| format!("{address}/29");
        let (host, interface) = (with_length(slot.host()), slot.interface());
        ip(&["address", "add", &host, "dev", &interface])?;
        ip(&["link", "set", &interface, "up"])?;
        let (node, nobody) = (with_length(slot.node()), slot.nobody().to_string());
        for arguments in [
            &["link", "set", "lo", "up"][..],
            &["address", "add", &node, "dev", INSIDE],
            &["link", "set", INSIDE, "up"],
            &["route", "add", "default", "via", &nobody],
        ] {
            check(self.enter(Path::new("ip")).args(arguments))?;
        }
        Ok(slot.node())
    }

    fn take_slot(&self) -> Result<Slot> {
        for slot in (0..=u8::MAX).map(Slot) {
            let name = slot.interface();
            let peer = ["type", "veth", "peer", "name", INSIDE, "netns", &self.namespace];
            let made = ip(&[&["link", "add", &name][..], &peer].concat());
            match made {
                Ok(()) => return Ok(slot),
                Err(_) if Path::new("/sys/class/net").join(&name).exists() => {}
                Err(error) => return Err(error),
            }
        }
        bail!("256 clusters run on this machine: end some with `cargo xtask cluster down`");
    }

    /// A program that runs inside. Not by `ip netns exec`: that mounts another `/sys`, without
    /// the control groups that kubelet needs.
    pub(crate) fn enter(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path().display())).arg("--").arg(program);
        command
    }

    /// The same, outliving the terminal that it was started from.
    pub(crate) fn enter_for_long(&self, program: &Path) -> Command {
        let mut command = Command::new("setsid");
        command.arg("nsenter").arg(format!("--net={}", self.path().display()));
        command.arg("--").arg(program);
        command
    }

    /// The ids of all processes inside; of those in pods only what shares the node's network.
    pub(crate) fn processes(&self) -> Result<Vec<u32>> {
        if !self.exists() {
            return Ok(Vec::new());
        }
        let output = Command::new("ip").args(["netns", "pids", &self.namespace]).output();
        let output = output.context("run ip")?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().filter_map(|line| line.trim().parse().ok()).collect())
    }

    /// Removes it, if it is there.
    pub(crate) fn remove(&self) -> Result<()> {
        if !self.exists() {
            return Ok(());
        }
        // The pair would go with the namespace, only later: its address is free for others now.
        // Where the start had not come so far there is none.
        let _ = check(self.enter(Path::new("ip")).args(["link", "delete", INSIDE]));
        ip(&["netns", "delete", &self.namespace])
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    check(Command::new("ip").args(arguments))
}

fn check(command: &mut Command) -> Result<()> {
    let shown = process::shown(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("run {shown}"))?;
    if !output.status.success() {
        bail!("{shown} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_share_no_address_and_no_interface() {
        let (one, other) = (Slot(0), Slot(255));
        assert_eq!(one.node(), Ipv4Addr::new(198, 18, 0, 2));
        assert_eq!(other.host(), Ipv4Addr::new(198, 18, 255, 1));
        assert_eq!(other.interface(), "soulfra255");
        assert!(other.interface().len() < 16, "longer names are refused by the kernel");
    }

    #[test]
    fn a_program_enters_the_network_and_nothing_else() {
        let network = Network::of(&"dev".parse().unwrap());
        let shown = process::shown(&network.enter(Path::new("ip")));
        assert_eq!(shown, "nsenter --net=/var/run/netns/soulfra-dev -- ip");
    }
}
