//! What is known of a cluster between one command and the next: a file in its folder.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::binaries::Parts;
use crate::project::Project;

const FILE: &str = "cluster.json";

/// A cluster that was started, at least in part.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) parts: Parts,
    pub(crate) address: Ipv4Addr,
    /// The administrator's.
    pub(crate) token: String,
    pub(crate) processes: Vec<(String, u32)>,
    /// Whether its start came to its end.
    pub(crate) is_up: bool,
}

/// The folder of all clusters of this user.
pub(crate) fn clusters(project: &Project) -> PathBuf {
    project.cache.join("clusters")
}

impl Record {
    /// None where there is none, or none that can be understood: then what is there is cleared.
    pub(crate) fn read(folder: &Path) -> Option<Self> {
        let text = fs::read_to_string(folder.join(FILE)).ok()?;
        Self::from_json(&serde_json::from_str(&text).ok()?)
    }

    /// Whole or not at all: a command may be killed at any time.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let part = folder.join("cluster.json.part");
        fs::write(&part, self.to_json().to_string()).context("write cluster.json")?;
        fs::rename(part, folder.join(FILE)).context("write cluster.json")
    }

    fn to_json(&self) -> Value {
        let Self { parts: Parts { node, kwok }, address, token, processes, is_up } = self;
        let processes: Vec<_> =
            processes.iter().map(|(name, pid)| json!({ "name": name, "pid": pid })).collect();
        json!({
            "node": node,
            "kwok": kwok,
            "address": address,
            "token": token,
            "processes": processes,
            "isUp": is_up,
        })
    }

    fn from_json(value: &Value) -> Option<Self> {
        let process = |value: &Value| {
            let pid = u32::try_from(value["pid"].as_u64()?).ok()?;
            Some((value["name"].as_str()?.to_owned(), pid))
        };
        Some(Self {
            parts: Parts { node: value["node"].as_bool()?, kwok: value["kwok"].as_bool()? },
            address: value["address"].as_str()?.parse().ok()?,
            token: value["token"].as_str()?.to_owned(),
            processes: value["processes"].as_array()?.iter().map(process).collect::<Option<_>>()?,
            is_up: value["isUp"].as_bool()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Record::read(folder.path()), None);
        let record = Record {
            parts: Parts { node: true, kwok: false },
            address: Ipv4Addr::new(198, 18, 7, 2),
            token: "secret".into(),
            processes: vec![("etcd".into(), 41), ("kube-apiserver".into(), 42)],
            is_up: true,
        };
        record.write(folder.path()).unwrap();
        assert_eq!(Record::read(folder.path()), Some(record));
        fs::write(folder.path().join(FILE), "{").unwrap();
        assert_eq!(Record::read(folder.path()), None);
    }
}
