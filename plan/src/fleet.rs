//! What there is to place platforms on, and which part of it a platform gets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The label by which a part of the fleet says in which region data stays in it, such as `eu`.
pub const RESIDENCY: &str = "soulfra.io/residency";

/// What there is to place platforms on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Fleet {
    /// Database servers that platforms share.
    pub servers: Vec<Server>,
    /// Model servers that platforms share.
    pub model_servers: Vec<ModelServer>,
    /// Stores for people's files.
    pub stores: Vec<Store>,
    /// Groups of nodes. Where there are none, pods run on any node.
    pub pools: Vec<Pool>,
}

/// A database server that platforms share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Server {
    /// Its name in the installation.
    pub name: String,
    /// Where it is.
    pub at: Peer,
    /// The port it listens on.
    pub port: u16,
    /// Databases on it.
    pub databases: u32,
    /// The most of them it takes.
    pub most: u32,
    /// Databases of platforms that are awake.
    pub awake: u32,
    /// Where it counts among.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// A model server that platforms share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelServer {
    /// Its name in the installation.
    pub name: String,
    /// What comes before `/chat/completions`.
    pub url: String,
    /// Where it is.
    pub at: Peer,
    /// The port it listens on.
    pub port: u16,
    /// Where it counts among.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// A store for people's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Store {
    /// Its name in the installation.
    pub name: String,
    /// Where it answers.
    pub url: String,
    /// Where it is.
    pub at: Peer,
    /// The port it listens on.
    pub port: u16,
    /// Where it counts among.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// A group of nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pool {
    /// Its name in the installation.
    pub name: String,
    /// The labels that its nodes have.
    pub nodes: BTreeMap<String, String>,
    /// The graphics processor in each of them, as their label `nvidia.com/gpu.product` has it.
    #[serde(default)]
    pub gpu: Option<String>,
    /// Where it counts among.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// Somebody to speak with, as network policies name them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Peer {
    /// Pods with these labels in a namespace of this name.
    Pods {
        /// The namespace.
        namespace: String,
        /// The labels; every pod of the namespace where there are none.
        #[serde(default)]
        labels: BTreeMap<String, String>,
    },
    /// Addresses outside the cluster, such as `10.0.8.0/24`.
    Network {
        /// The block of addresses.
        cidr: String,
    },
}

/// A part of the fleet that has labels.
pub(crate) trait Placed {
    /// Its name in the installation.
    fn name(&self) -> &str;
    /// Where it counts among.
    fn labels(&self) -> &BTreeMap<String, String>;
}

macro_rules! placed {
    ($($kind:ty),*) => {$(
        impl Placed for $kind {
            fn name(&self) -> &str {
                &self.name
            }

            fn labels(&self) -> &BTreeMap<String, String> {
                &self.labels
            }
        }
    )*};
}
placed!(Server, ModelServer, Store, Pool);

/// Those in which data stays where it must.
pub(crate) fn within<'a, T: Placed>(
    all: &'a [T],
    residency: Option<&str>,
) -> impl Iterator<Item = &'a T> {
    all.iter().filter(move |each| {
        residency.is_none_or(|region| each.labels().get(RESIDENCY).is_some_and(|in_| in_ == region))
    })
}

/// The first by name of those in which data stays where it must.
pub(crate) fn first_within<'a, T: Placed>(all: &'a [T], residency: Option<&str>) -> Option<&'a T> {
    within(all, residency).min_by_key(|each| each.name())
}

/// The server with room that has fewest platforms awake, then fewest databases.
pub(crate) fn least_loaded<'a>(all: &'a [Server], residency: Option<&str>) -> Option<&'a Server> {
    within(all, residency)
        .filter(|server| server.databases < server.most)
        .min_by_key(|server| (server.awake, server.databases, &server.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(name: &str, residency: &str, databases: u32, awake: u32) -> Server {
        Server {
            name: name.into(),
            at: Peer::Network { cidr: "10.0.0.0/24".into() },
            port: 5432,
            databases,
            most: 100,
            awake,
            labels: [(RESIDENCY.to_owned(), residency.to_owned())].into(),
        }
    }

    #[test]
    fn the_server_with_fewest_awake_takes_the_next() {
        let all = [
            server("c", "eu", 10, 3),
            server("b", "eu", 10, 3),
            server("full", "eu", 100, 0),
            server("far", "us", 1, 0),
        ];
        let chosen = |region| least_loaded(&all, region).map(|server| server.name.as_str());
        assert_eq!(chosen(Some("eu")), Some("b"));
        assert_eq!(chosen(None), Some("far"));
        assert_eq!(chosen(Some("moon")), None);
    }
}
