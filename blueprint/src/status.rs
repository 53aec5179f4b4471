//! What was seen of a platform: written by operator and control plane, never by a person.

use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    money::Money,
    plan::{Entitlements, PlanName},
    spec::Placement,
    text::Slug,
};

/// The types of [`BlueprintStatus::conditions`], `Ready` being the sum of the others.
pub const CONDITIONS: [&str; 7] = [
    "DatabaseReady",
    "RuntimeReady",
    "InferenceReady",
    "DomainsReady",
    "CertificatesReady",
    "BillingCurrent",
    "Ready",
];

/// The reason of `BillingCurrent` from which on a platform does not run.
pub const PAST_GRACE: &str = "PastGrace";

/// What was seen of a platform.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlueprintStatus {
    /// The generation of the spec that all of this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Where the platform answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// In a word, for people; programs read the conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The plan that counts: the one that the control plane has confirmed, or else the one that this
    /// installation gives everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanName>,
    /// What the control plane has confirmed; written by it alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// Every domain name, own and wished for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub domains: Vec<DomainStatus>,
    /// Where the data is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseStatus>,
    /// How the link stands that makes its first owner, or lets the owner back in. The link itself is
    /// in the Secret `admin-link` of its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_link: Option<AdminLinkStatus>,
    /// What serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<RuntimeStatus>,
    /// What was used this month; written by the control plane alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What is true and why, one entry for each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// A platform's state in a word, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Nothing has been done yet.
    Pending,
    /// Being made.
    Provisioning,
    /// Serving.
    Ready,
    /// No visitors for a while; the next one wakes it.
    Sleeping,
    /// Being moved to a new version.
    Upgrading,
    /// Serving, but something is not as wished.
    Degraded,
    /// Stopped, with its data kept.
    Suspended,
    /// Being removed; can be brought back for 30 days.
    Deleting,
}

/// What the control plane has confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The owning organization.
    #[schemars(extend("pattern" = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub organization: Slug,
    /// The plan it pays for.
    pub plan: PlanName,
    /// What that gives, contract terms included.
    pub entitlements: Entitlements,
    /// What the organization asks of who runs its platforms.
    #[serde(default, skip_serializing_if = "Staff::asks_nothing")]
    pub staff: Staff,
}

/// What an organization asks of who runs its platforms. What is left out is not asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Staff {
    /// Networks such as `192.0.2.0/24` from which alone they come in; none: from everywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>", length(max = 100))]
    pub allowed_addresses: Vec<IpNet>,
    /// After so many hours they sign in again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 720))]
    pub longest_session_hours: Option<u32>,
}

impl Staff {
    /// Whether anybody who runs a platform comes in from everywhere, for as long as others do.
    pub fn asks_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Whether who runs a platform comes in from this address.
    pub fn lets_in_from(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let networks = &self.allowed_addresses;
        networks.is_empty() || networks.iter().any(|network| network.contains(&address))
    }
}

/// A domain name on its way to serving.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DomainStatus {
    /// The name.
    pub name: String,
    /// How far it is.
    pub state: DomainState,
    /// The record its owner has to set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<DnsRecord>,
    /// What was found in its place at the last look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<String>,
    /// When its certificate ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
}

/// How far a domain name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DomainState {
    /// The record is not there yet.
    WaitingForRecord,
    /// The record is there; the certificate is being ordered.
    Verified,
    /// Serving with a certificate.
    Serving,
    /// Another platform has proven that the name is its own.
    Claimed,
    /// The last step failed; the condition says why.
    Failed,
}

/// A record in the DNS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DnsRecord {
    /// CNAME, A, AAAA or TXT.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it stands.
    pub name: String,
    /// What it says.
    pub value: String,
}

/// Where a platform's data is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseStatus {
    /// Shared or dedicated.
    pub placement: Placement,
    /// The server, by its name in the installation.
    pub server: String,
    /// Name of the database on it.
    pub name: String,
    /// Version of its tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_version: Option<i64>,
    /// The passwords of its logins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passwords: Option<Passwords>,
}

/// Which passwords the logins of a database have; none of them is here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Passwords {
    /// Their number: grows by one with each change.
    pub number: u32,
    /// When they were changed last.
    pub since: Time,
    /// What the annotation said that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// Those before are still good.
    pub old_are_good: bool,
}

/// A one-time link that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminLinkStatus {
    /// What the annotation `soulfra.io/admin-link` said, by which another one is asked for; nothing
    /// for the first.
    pub asked: String,
    /// Until then it can be used; nothing once it was used or is too old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// What serves a platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeStatus {
    /// The version that runs.
    pub version: String,
    /// Copies that are ready.
    pub replicas: i32,
    /// Whether it is awake.
    pub awake: bool,
}

/// What was used in a calendar month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// The month, such as 2026-08.
    pub month: String,
    /// People with an account.
    pub users: i64,
    /// Messages sent by them.
    pub messages: i64,
    /// Tokens read and written.
    pub tokens: i64,
    /// Bytes of data and files.
    pub storage_bytes: i64,
    /// What AI has cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ai_cost: Option<Money>,
}
