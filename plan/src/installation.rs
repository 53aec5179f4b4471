//! What is the same for every platform of an installation, and what was seen of one platform.

use std::time::Duration;

use blueprint::PlanName;
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::fleet::{Fleet, Peer};

/// What is the same for every platform of an installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Installation {
    /// A platform answers at its name below this domain.
    pub domain: String,
    /// The version that platforms run unless they stay on another.
    pub version: Version,
    /// Platforms get a new version all at once, and not in waves.
    #[serde(default)]
    pub upgrades_at_once: bool,
    /// Images, without their versions.
    pub images: Images,
    /// The plan of platforms that no control plane has confirmed another one for.
    pub default_plan: PlanName,
    /// The model of dedicated model servers whose blueprint names none.
    pub default_model: String,
    /// Who answers for names in the cluster.
    pub dns: Peer,
    /// Who hands visitors on to platforms.
    pub edge: Peer,
    /// Who may be asked about money and changes; nobody in an installation without control plane.
    #[serde(default)]
    pub control_plane: Option<ControlPlane>,
    /// Where routes are to be made for another gateway than our edge.
    #[serde(default)]
    pub gateway: Option<Gateway>,
    /// What dedicated database servers need; without it there are none.
    #[serde(default)]
    pub dedicated_databases: Option<DedicatedDatabases>,
    /// How long passwords of databases are good.
    #[serde(default)]
    pub passwords: PasswordTimes,
    /// Name of the metric that counts a pod's open streams, where the cluster serves it.
    #[serde(default)]
    pub streams_metric: Option<String>,
    /// The class of all volumes; the cluster's own default if not set.
    #[serde(default)]
    pub storage_class: Option<String>,
    /// What there is to place platforms on.
    #[serde(default)]
    pub fleet: Fleet,
}

/// How long passwords of databases are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct PasswordTimes {
    /// Days after which they are changed; 0: only where somebody asks for it.
    pub days: u32,
    /// Minutes for which old ones stay good beside new ones: longer than Kubernetes takes to
    /// change a mounted file (2) and than a runtime keeps a connection (30).
    pub overlap_minutes: u32,
}

impl Default for PasswordTimes {
    fn default() -> Self {
        Self { days: 30, overlap_minutes: 60 }
    }
}

impl PasswordTimes {
    /// After which time they are changed; `None`: never by themselves.
    pub fn every(&self) -> Option<Duration> {
        (self.days > 0).then(|| Duration::from_hours(24 * u64::from(self.days)))
    }

    /// For which time old ones stay good.
    pub fn overlap(&self) -> Duration {
        Duration::from_mins(self.overlap_minutes.into())
    }
}

/// Images, without their versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Images {
    /// The tenant runtime.
    pub runtime: String,
    /// The model server.
    pub model_server: String,
}

/// The control plane, as platforms reach it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ControlPlane {
    /// Where it answers.
    pub url: String,
    /// Where it is.
    pub at: Peer,
    /// The port it listens on.
    pub port: u16,
    /// Whose grants platforms take; without it they take none, and nobody makes an admin link there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Grants>,
}

/// Whose grants platforms take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Grants {
    /// Where people meet the control plane: the `url` of its settings, such as `https://console.example`.
    pub issuer: String,
    /// Its public keys as JWK, as `control-plane grant-keys` prints them: before another one signs, platforms
    /// have to know it.
    pub keys: Vec<serde_json::Value>,
}

/// A gateway that is not ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gateway {
    /// Its name.
    pub name: String,
    /// The namespace it is in.
    pub namespace: String,
    /// The `ClusterIssuer` of cert-manager (1.20 or newer) that certificates of platforms' own names
    /// come from. With it, the gateway is given listeners for them (`ListenerSet`), which it has to
    /// allow; without it, it has to have some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Where its pods are.
    pub at: Peer,
}

/// What dedicated database servers need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DedicatedDatabases {
    /// The image, with its version.
    pub image: String,
    /// Where `CloudNativePG`'s operator is.
    pub operator: Peer,
    /// Where our own is, which makes databases and roles.
    pub administrator: Peer,
    /// Where the API server is, which each instance watches its cluster at.
    pub api_server: Peer,
    /// The port of the API server.
    pub api_port: u16,
}

/// What was seen of a platform beside its own status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its bill has not been paid past the grace.
    pub past_grace: bool,
    /// Its admin link was made and may still be used.
    pub admin_link: bool,
    /// The volume of its own database server, in GiB.
    pub database_storage: Option<u32>,
    /// The volume of its own model server, in GiB.
    pub cache_storage: Option<u32>,
}
