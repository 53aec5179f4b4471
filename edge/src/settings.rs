//! The one file that an edge is told everything by.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};
use sqlx::postgres::PgConnectOptions;
use work::sealed::{RootKey, RootKeyError};

/// What an edge is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// Where plain HTTP is met.
    #[serde(default = "eighty")]
    pub http: SocketAddr,
    /// Where HTTPS is met.
    #[serde(default = "four_four_three")]
    pub https: SocketAddr,
    /// The port of HTTPS as visitors know it, where something before the edge changes it.
    #[serde(default)]
    pub https_port_outside: Option<u16>,
    /// Where `/healthz` and `/readyz` are.
    #[serde(default = "health")]
    pub health: SocketAddr,
    /// The file that holds the URL of a role which may read the schema `certificates`.
    pub database: PathBuf,
    /// The file of the key that certificates are sealed with.
    pub key: PathBuf,
    /// The key is of a Secret that Kubernetes has mounted: its file is a link and the group may
    /// read it, which is refused of a file else.
    #[serde(default)]
    pub key_is_mounted: bool,
    /// The folder for what is kept on this machine.
    pub folder: PathBuf,
    /// Connections of visitors at once.
    #[serde(default = "twenty_thousand")]
    pub connections: usize,
    /// Where proxies of yours are that visitors come through, as networks or addresses: whom a
    /// request is from is what they say in `X-Forwarded-For`, and each may hold three quarters of the
    /// connections. They have to speak HTTPS with the edge, under the visitor's name.
    #[serde(default, deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// Certificates that are kept ready in memory; others are read from the disk.
    #[serde(default = "sixteen_thousand")]
    pub ready_certificates: u64,
    /// It wakes platforms that sleep, by the API server of the cluster that it runs in, and says
    /// which platforms are used. Where no edge does, no platform sleeps.
    #[serde(default)]
    pub wakes: bool,
}

/// An address alone is a network of one.
fn networks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    let said = Vec::<String>::deserialize(from)?;
    let network = |text: &String| {
        let one = text.parse::<IpAddr>().map(IpNet::from);
        one.or_else(|_| text.parse()).map_err(|_| {
            let why = "is no network such as 192.0.2.0/24, and no address";
            serde::de::Error::custom(format!("trustedProxies: {text:?} {why}"))
        })
    };
    said.iter().map(network).collect()
}

fn eighty() -> SocketAddr {
    SocketAddr::from((Ipv6Addr::UNSPECIFIED, 80))
}

fn four_four_three() -> SocketAddr {
    SocketAddr::from((Ipv6Addr::UNSPECIFIED, 443))
}

fn health() -> SocketAddr {
    SocketAddr::from((Ipv6Addr::UNSPECIFIED, 9_401))
}

fn twenty_thousand() -> usize {
    20_000
}

fn sixteen_thousand() -> u64 {
    16_000
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file cannot be read.
    #[error("cannot read {file}: {cause}", file = file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// What went wrong.
        cause: std::io::Error,
    },
    /// It says something that cannot be.
    #[error("{file} cannot be used: {why}", file = file.display())]
    Content {
        /// Which.
        file: PathBuf,
        /// What is wrong, and where.
        why: String,
    },
    /// There is no key.
    #[error(transparent)]
    Key(#[from] RootKeyError),
}

impl Settings {
    /// Reads the file.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub fn read(file: &Path) -> Result<Self, SettingsError> {
        let text = text_of(file)?;
        serde_saphyr::from_str(&text).map_err(|error| SettingsError::Content {
            file: file.to_owned(),
            why: error.to_string(),
        })
    }

    /// What certificates are sealed with.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub fn key(&self) -> Result<RootKey, SettingsError> {
        let key = if self.key_is_mounted {
            RootKey::read_mounted(&self.key)
        } else {
            RootKey::read(&self.key)
        };
        Ok(key?)
    }

    /// The database.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub fn database(&self) -> Result<PgConnectOptions, SettingsError> {
        // Never repeated: a password may be in it.
        let why = || "not a URL such as postgres://user:password@host:5432/fleet".to_owned();
        let options = text_of(&self.database)?.trim().parse();
        options.map_err(|_| SettingsError::Content { file: self.database.clone(), why: why() })
    }
}

fn text_of(file: &Path) -> Result<String, SettingsError> {
    std::fs::read_to_string(file)
        .map_err(|cause| SettingsError::File { file: file.to_owned(), cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_that_comes_with_the_chart_can_be_used() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/edge.example.yaml");
        let settings = Settings::read(Path::new(file)).unwrap();
        assert_eq!((settings.https.port(), settings.https_port_outside), (8443, Some(443)));
        assert!(settings.wakes && settings.key_is_mounted);
    }

    #[test]
    fn proxies_are_networks_or_addresses() {
        let settings = |proxies: &str| {
            let text = format!("{{database: /d, key: /k, folder: /f, trustedProxies: {proxies}}}");
            serde_saphyr::from_str::<Settings>(&text).map_err(|error| error.to_string())
        };
        let both = settings("[192.0.2.0/24, 10.0.0.1, '2001:db8::1']").unwrap().trusted_proxies;
        let said: Vec<_> = both.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["192.0.2.0/24", "10.0.0.1/32", "2001:db8::1/128"]);
        let why = settings("[cdn.example]").unwrap_err();
        assert!(why.contains("\"cdn.example\" is no network such as"), "{why}");
    }
}
