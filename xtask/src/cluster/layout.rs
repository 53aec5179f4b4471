//! Where a cluster's things are: paths and addresses, before anything is made.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::name::Name;

/// The name of the one real node.
pub(crate) const NODE: &str = "node";
/// Addresses of services, the same in every cluster: none of them leaves its namespace.
pub(crate) const SERVICES: &str = "10.96.0.0/16";
/// The first of them, which Kubernetes gives to the API server.
pub(crate) const FIRST_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);
/// Addresses of real pods.
pub(crate) const PODS: &str = "10.244.0.0/16";
/// The port of the API server.
pub(crate) const PORT: u16 = 6443;
/// The port on which kwok says that it works.
pub(crate) const KWOK_PORT: u16 = 10247;

/// A cluster's folder and address.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) name: Name,
    /// Certificates, configurations, logs and data.
    pub(crate) folder: PathBuf,
    /// Of the node and the API server; reachable from this machine and nowhere else.
    pub(crate) address: Ipv4Addr,
}

impl Layout {
    /// A file in the cluster's folder.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.join(name)
    }

    /// The same, as arguments and configurations want it.
    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Where the API server answers.
    pub(crate) fn server(&self) -> String {
        format!("https://{}:{PORT}", self.address)
    }

    /// containerd's socket.
    pub(crate) fn containerd(&self) -> String {
        self.text("containerd.sock")
    }
}

/// A layout for tests of what is rendered from it.
#[cfg(test)]
pub(crate) fn example() -> Layout {
    Layout {
        name: "dev".parse().unwrap(),
        folder: "/clusters/dev".into(),
        address: Ipv4Addr::new(198, 18, 7, 2),
    }
}
