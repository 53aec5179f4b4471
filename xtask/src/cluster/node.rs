//! The one real node: how containerd, kubelet, kube-proxy and `CoreDNS` are started.
//!
//! The node's folders are its own too. containerd runs in a mount namespace in which places that
//! every node uses (`/var/lib/kubelet` and its like) are folders of the cluster, and kubelet joins
//! it. So nodes run side by side, and all their mounts are gone when their last process is.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::access::kubeconfig;
use super::control_plane::flags;
use super::groups;
use super::layout::{Layout, NODE, PODS};
use super::network::Network;
use super::node_settings as settings;

/// Places of a node that are the same on every machine, and hold what is the cluster's here.
const OWN: [&str; 5] =
    ["/var/lib/kubelet", "/var/lib/cni", "/var/log/pods", "/var/log/containers", "/run/containerd"];

/// Writes what the programs read, and makes the folders.
pub(crate) fn prepare(layout: &Layout) -> Result<()> {
    groups::create(&layout.name)?;
    for place in OWN {
        fs::create_dir_all(place).with_context(|| format!("create {place}"))?;
        fs::create_dir_all(own(layout, place))?;
    }
    fs::create_dir_all(layout.path("cni"))?;
    for (file, text) in [
        ("containerd.toml", settings::containerd(layout)),
        ("cni/cluster.conflist", format!("{:#}\n", settings::pod_network())),
        ("kubelet.json", format!("{:#}\n", settings::kubelet(layout))),
        ("Corefile", settings::corefile(layout)),
        ("resolv.conf", format!("nameserver {}\n", layout.address)),
    ] {
        fs::write(layout.path(file), text).with_context(|| format!("write {file}"))?;
    }
    Ok(())
}

/// containerd, in a mount namespace that begins with it.
pub(crate) fn containerd(layout: &Layout, network: &Network) -> Command {
    let mounts = OWN.map(|place| format!("mount --bind '{}' {place} && ", own(layout, place)));
    let file = layout.text("containerd.toml");
    let script = format!("{}exec containerd --config '{file}'", mounts.concat());
    let mut command = network.enter_for_long(Path::new("unshare"));
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
    command
}

/// kubelet, which shares the mounts of containerd.
pub(crate) fn kubelet(
    layout: &Layout,
    network: &Network,
    program: &Path,
    containerd: u32,
) -> Command {
    let mut command = network.enter_for_long(Path::new("nsenter"));
    command.arg(format!("--mount=/proc/{containerd}/ns/mnt")).arg("--").arg(program);
    command.args(flags([
        ("config", layout.text("kubelet.json")),
        ("kubeconfig", layout.text(&kubeconfig("kubelet"))),
        ("hostname-override", NODE.into()),
        ("node-ip", layout.address.to_string()),
    ]));
    command
}

pub(crate) fn proxy(layout: &Layout) -> Vec<String> {
    flags([
        ("kubeconfig", layout.text(&kubeconfig("kube-proxy"))),
        ("hostname-override", NODE.into()),
        ("cluster-cidr", PODS.into()),
        ("proxy-mode", "nftables".into()),
        ("healthz-bind-address", "127.0.0.1:10256".into()),
        ("metrics-bind-address", "127.0.0.1:10249".into()),
        // The settings of the whole machine are not ours to change.
        ("conntrack-max-per-core", "0".into()),
        ("conntrack-min", "0".into()),
        ("conntrack-tcp-timeout-established", "0".into()),
        ("conntrack-tcp-timeout-close-wait", "0".into()),
    ])
}

pub(crate) fn coredns(layout: &Layout) -> Vec<String> {
    vec!["-conf".into(), layout.text("Corefile")]
}

/// Where the cluster has what others have at `place`.
fn own(layout: &Layout, place: &str) -> String {
    layout.text(&format!("node{place}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::layout;

    #[test]
    fn the_node_finds_its_own_folders_where_every_node_looks() {
        let layout = layout::example();
        let shown = crate::process::shown(&containerd(&layout, &Network::of(&layout.name)));
        assert!(shown.starts_with("setsid nsenter --net=/var/run/netns/soulfra-dev -- unshare"));
        let bind = "mount --bind '/clusters/dev/node/var/lib/kubelet' /var/lib/kubelet && ";
        assert!(shown.contains(bind), "{shown}");
        assert!(shown.ends_with("exec containerd --config '/clusters/dev/containerd.toml'"));
    }
}
