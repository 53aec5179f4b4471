//! Platforms, as the API tells of them.

use axum::http::{HeaderMap, HeaderValue, header};
use blueprint::status::{DomainStatus, Phase};
use blueprint::{BlueprintSpec, PlatformBlueprint};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::cluster::{self, Version};
use crate::db::platforms::Owned;
use crate::error::{Error, Result};

/// A platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Platform {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// In a word: Pending, Provisioning, Ready, Sleeping, Upgrading, Degraded, Suspended, Deleting, Deleted.
    pub phase: String,
    /// Whether all of it is as wished.
    pub ready: bool,
    /// Where it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The plan that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The version that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What is true of it and why.
    pub conditions: Vec<Condition>,
    /// Names of its own, and how far they are.
    pub domains: Vec<Domain>,
    /// Who writes its blueprint: `control-plane`, or `kubectl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<String>,
    /// Whether it was made by other means, names the organization, and was not claimed yet.
    #[serde(default)]
    pub offered: bool,
    /// How often its blueprint was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// The generation that all of this is about: an earlier one, until its operator has seen the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Since when there is one.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// A name of a platform's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Domain {
    /// The name.
    pub name: String,
    /// In a word: `WaitingForRecord`, `Verified`, `Serving`, `Claimed`, `Failed`.
    pub state: String,
    /// The record that its owner has to set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
    /// What was found in its place at the last look.
    pub found: Vec<String>,
}

/// A record in the DNS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Record {
    /// CNAME, A, AAAA or TXT.
    pub r#type: String,
    /// Where it stands.
    pub name: String,
    /// What it says.
    pub value: String,
}

impl From<&DomainStatus> for Domain {
    fn from(told: &DomainStatus) -> Self {
        let record = told.record.as_ref().map(|record| Record {
            r#type: record.kind.clone(),
            name: record.name.clone(),
            value: record.value.clone(),
        });
        let state = format!("{:?}", told.state);
        Self { name: told.name.clone(), state, record, found: told.found.clone() }
    }
}

/// Something that is true of a platform, or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Condition {
    /// Such as `DatabaseReady`.
    pub r#type: String,
    /// True, False or Unknown.
    pub status: String,
    /// In a word.
    pub reason: String,
    /// In words.
    pub message: String,
}

/// A blueprint, as `kubectl apply` takes it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Blueprint {
    /// `soulfra.io/v1alpha1`.
    api_version: &'static str,
    /// `PlatformBlueprint`.
    kind: &'static str,
    /// Its name.
    metadata: Metadata,
    /// What it says.
    #[schema(value_type = Object)]
    spec: BlueprintSpec,
}

/// What a blueprint is called.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Metadata {
    /// Its name.
    name: String,
}

impl Platform {
    /// One that was seen so; `None`: its blueprint is on its way.
    pub fn of(owned: &Owned, seen: Option<&PlatformBlueprint>) -> Self {
        let status = seen.and_then(|seen| seen.status.as_ref());
        let is_going = seen.is_some_and(cluster::is_going);
        let phase = status.and_then(|status| status.phase).unwrap_or(Phase::Pending);
        let phase = if is_going { Phase::Deleting } else { phase };
        let conditions = status.iter().flat_map(|status| &status.conditions);
        let conditions: Vec<_> = conditions
            .map(|condition| Condition {
                r#type: condition.type_.clone(),
                status: condition.status.clone(),
                reason: condition.reason.clone(),
                message: condition.message.clone(),
            })
            .collect();
        // What was seen of an earlier state says nothing of this one.
        let is_new = seen.is_some_and(|seen| {
            status.and_then(|status| status.observed_generation) == seen.metadata.generation
        });
        let is_ready = |it: &Condition| it.r#type == "Ready" && it.status == "True";
        Self {
            id: owned.id.to_string(),
            name: owned.name.to_string(),
            display_name: seen.map(|seen| seen.spec.identity.display_name.clone()),
            phase: format!("{phase:?}"),
            ready: is_new && conditions.iter().any(is_ready),
            url: status.and_then(|status| status.url.clone()),
            plan: status.and_then(|status| status.plan).map(|plan| plan.to_string()),
            version: status
                .and_then(|status| status.runtime.as_ref())
                .map(|runtime| runtime.version.clone()),
            conditions,
            domains: status.iter().flat_map(|status| &status.domains).map(Domain::from).collect(),
            managed_by: seen.map(|seen| cluster::writer(seen).to_owned()),
            offered: owned.found.is_some(),
            generation: seen.and_then(|seen| seen.metadata.generation),
            observed_generation: status.and_then(|status| status.observed_generation),
            created_at: owned.created_at,
        }
    }
}

impl Platform {
    /// What is not there was deleted, where it is known that it was.
    #[must_use]
    pub fn or_deleted(self, is: bool) -> Self {
        let is = is && self.display_name.is_none();
        Self { phase: if is { DELETED.to_owned() } else { self.phase }, ..self }
    }
}

/// The phase of what was deleted, and can be brought back.
pub const DELETED: &str = "Deleted";

impl Blueprint {
    /// One that was seen.
    pub fn of(seen: &PlatformBlueprint) -> Self {
        Self {
            api_version: blueprint::API_VERSION,
            kind: blueprint::KIND,
            metadata: Metadata { name: seen.metadata.name.clone().unwrap_or_default() },
            spec: seen.spec.clone(),
        }
    }
}

/// Which state of it this is.
pub(super) fn tagged(seen: &PlatformBlueprint) -> HeaderMap {
    let tag = cluster::version(seen).and_then(|Version { uid, generation }| {
        HeaderValue::from_str(&format!("\"{}-{generation}\"", uid.simple())).ok()
    });
    tag.map(|tag| (header::ETAG, tag)).into_iter().collect()
}

/// Which state whoever asks has seen.
pub(super) fn named(headers: &HeaderMap) -> Result<Version> {
    let mut sent = headers.get_all(header::IF_MATCH).iter();
    let (Some(tag), None) = (sent.next(), sent.next()) else { return Err(Error::NotSeen) };
    let version = || {
        let tag = tag.to_str().ok()?.strip_prefix('"')?.strip_suffix('"')?;
        let (uid, generation) = tag.split_once('-')?;
        Some(Version { uid: uid.parse().ok()?, generation: generation.parse().ok()? })
    };
    // Any other was never given.
    version().ok_or(Error::Changed)
}
