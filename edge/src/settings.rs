//! The one file that an edge is told everything by.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sqlx::postgres::PgConnectOptions;
use web::serve::Networks;
use work::sealed::RootKey;
use work::settings::{self, SettingsError};

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
    #[serde(default)]
    pub trusted_proxies: Networks,
    /// Certificates that are kept ready in memory; others are read from the disk.
    #[serde(default = "sixteen_thousand")]
    pub ready_certificates: u64,
    /// It wakes platforms that sleep, by the API server of the cluster that it runs in, and says
    /// which platforms are used. Where no edge does, no platform sleeps.
    #[serde(default)]
    pub wakes: bool,
}

/// Connections that make sense.
const SOME: std::ops::RangeInclusive<usize> = 16..=1_000_000;

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

impl Settings {
    /// Reads the file.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub fn read(file: &Path) -> Result<Self, SettingsError> {
        let text = settings::text("--settings", file)?;
        let refused = |why| SettingsError::Content { file: file.to_owned(), why };
        let settings: Self =
            serde_saphyr::from_str(&text).map_err(|error| refused(error.to_string()))?;
        if !SOME.contains(&settings.connections) {
            return Err(refused("connections: 16 to 1000000 visitors at once".to_owned()));
        }
        Ok(settings)
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
        settings::database("database", &self.database)
    }
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
        let both = settings("[192.0.2.0/24, 10.0.0.1, '2001:db8::1']").unwrap().trusted_proxies.0;
        let said: Vec<_> = both.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["192.0.2.0/24", "10.0.0.1/32", "2001:db8::1/128"]);
        let why = settings("[cdn.example]").unwrap_err();
        assert!(why.contains("\"cdn.example\" is no network such as"), "{why}");
        for everybody in ["0.0.0.0/0", "'::/0'"] {
            let why = settings(&format!("[{everybody}]")).unwrap_err();
            assert!(why.contains("too much of the world"), "{why}");
        }
    }
}
