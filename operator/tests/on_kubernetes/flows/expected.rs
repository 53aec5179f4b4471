//! Who may reach whom, stated once more and in another way than the policies are: as a table of
//! who is who, from the design.

use std::fmt;
use std::net::Ipv4Addr;

use serde_json::{Value, json};

/// What everybody tries: those that are used, and those that are often open.
pub(super) const PORTS: [u16; 12] =
    [22, 53, 80, 443, 5432, 6443, 8000, 8080, 8443, 9000, 9001, 10250];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Protocol {
    Tcp,
    Udp,
}

/// A part of a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Runtime,
    Inference,
    Database,
}

/// Somebody with an address.
#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) address: Ipv4Addr,
    /// The Kubernetes namespace; none: no pod.
    pub(super) namespace: Option<String>,
    pub(super) labels: Value,
    /// Whose it is, and which part.
    pub(super) tenant: Option<(&'static str, Part)>,
    /// What it is in the design; nothing: a stranger.
    role: &'static str,
}

impl Host {
    pub(super) fn pod(namespace: &str, labels: Value, address: &str) -> Self {
        let host = Self::outside(address);
        Self { namespace: Some(namespace.to_owned()), labels, ..host }
    }

    pub(super) fn outside(address: &str) -> Self {
        let address = address.parse().unwrap();
        Self { address, namespace: None, labels: json!({}), tenant: None, role: "" }
    }

    pub(super) fn of(self, tenant: &'static str, part: Part) -> Self {
        Self { tenant: Some((tenant, part)), ..self }
    }

    pub(super) fn called(self, role: &'static str) -> Self {
        Self { role, ..self }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.tenant, self.role) {
            (Some((tenant, part)), _) => write!(f, "{part:?} of {tenant} {}", self.address),
            (None, "") => write!(f, "a stranger {}", self.address),
            (None, role) => write!(f, "{role} {}", self.address),
        }
    }
}

/// Whether the design lets this through.
pub(super) fn may(from: &Host, to: &Host, protocol: Protocol, port: u16) -> bool {
    use Part::{Database, Inference, Runtime};
    let tcp = protocol == Protocol::Tcp;
    match (from.tenant, to.tenant) {
        // Who is of no platform is not ours to keep apart.
        (None, None) => true,
        // Within one platform: it asks its models and its data, and instances of a database each
        // other. Between platforms: nothing.
        (Some((tenant, from)), Some((other, to))) => {
            tenant == other
                && tcp
                && match (from, to) {
                    (Runtime, Inference) => port == 9000,
                    (Runtime, Database) => port == 5432,
                    (Database, Database) => port == 5432 || port == 8000,
                    _ => false,
                }
        }
        (Some((tenant, of)), None) => match (of, to.role) {
            (_, "dns") => port == 53,
            (Runtime, "shared database") => tcp && port == 5432 && !has_own_data(tenant),
            (Runtime, "shared models") => tcp && port == 9000 && !has_own_models(tenant),
            (Runtime, "control plane") => tcp && port == 8443,
            // People's files; and those of models, from whoever is not inside.
            (Runtime, "files") | (Inference, "internet" | "files") => tcp && port == 443,
            (Database, "api server") => tcp && port == 6443,
            _ => false,
        },
        (None, Some((_, of))) => {
            tcp && match (of, from.role) {
                (Runtime, "edge" | "gateway" | "control plane") => port == 8080,
                (Database, "operator") => port == 5432,
                (Database, "cnpg") => port == 5432 || port == 8000,
                _ => false,
            }
        }
    }
}

fn has_own_data(tenant: &str) -> bool {
    matches!(tenant, "data" | "all")
}

fn has_own_models(tenant: &str) -> bool {
    matches!(tenant, "models" | "all")
}
