//! What a control plane tells, as far as the command uses it. What is not known here is left aside, so
//! that a newer server can say more.

use std::fmt;

use blueprint::{BlueprintName, PlanName, Slug};
use serde::{Deserialize, Serialize};

use crate::plain::Plain;

/// The organization of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Organization {
    /// As blueprints name it.
    pub slug: Slug,
    /// As people call it.
    pub name: Plain,
    /// What it pays for.
    pub plan: PlanName,
}

/// A platform, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Platform {
    /// Its id.
    pub id: Plain,
    /// Its name.
    pub name: BlueprintName,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<Plain>,
    /// In a word, such as Provisioning.
    pub phase: Plain,
    /// Whether all of it is as wished.
    pub ready: bool,
    /// Where it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Plain>,
    /// The plan that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plain>,
    /// The version that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Plain>,
    /// What is true of it and why.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// Names of its own, and how far they are.
    #[serde(default)]
    pub domains: Vec<Domain>,
    /// Since when there is one.
    pub created_at: Plain,
    /// How often its blueprint was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// The generation that all of this is about, where its operator has not seen the latest yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// A name of a platform's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// The name.
    pub name: Plain,
    /// In a word, such as `WaitingForRecord`.
    pub state: Plain,
    /// The record that its owner has to set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
    /// What was found in its place at the last look.
    #[serde(default)]
    pub found: Vec<Plain>,
}

impl Domain {
    /// Whether the platform is met under it.
    pub fn is_served(&self) -> bool {
        self.state.as_str() == "Serving"
    }
}

/// A record in the DNS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// CNAME, A, AAAA or TXT.
    pub r#type: Plain,
    /// Where it stands.
    pub name: Plain,
    /// What it says.
    pub value: Plain,
}

/// Something that is true of a platform, or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Such as `DatabaseReady`.
    pub r#type: Plain,
    /// True, False or Unknown.
    pub status: Plain,
    /// In a word.
    pub reason: Plain,
    /// In words.
    pub message: Plain,
}

impl Platform {
    /// Whether it was deleted, and can be brought back.
    pub fn is_deleted(&self) -> bool {
        self.phase.as_str() == "Deleted"
    }

    /// Whether this is said of the blueprint that it had then, or of a later one.
    pub(crate) fn is_about(&self, then: &Self) -> bool {
        self.observed_generation.zip(then.generation).is_none_or(|(seen, then)| seen >= then)
    }

    /// Whether it will not become ready, however long somebody waits.
    pub(crate) fn is_stopped(&self) -> bool {
        ["Deleted", "Deleting", "Suspended"].contains(&self.phase.as_str())
    }
}

/// A link that lets somebody into a platform as its owner, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdminLink {
    /// The link.
    pub url: Plain,
    /// From then on it does nothing.
    pub expires_at: Plain,
}

/// Something that somebody had done to a platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Its id.
    pub id: Plain,
    /// What was done, in a word such as change.
    pub kind: Plain,
    /// How far it is: running, succeeded, failed or superseded.
    pub state: Plain,
    /// From 0 to 100.
    pub progress: u8,
    /// Why it failed, and what to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Plain>,
    /// Who had it done.
    pub by: Plain,
    /// Since when.
    pub begun_at: Plain,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Plain>,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, state, progress, error, by, begun_at, .. } = self;
        write!(f, "{begun_at}  {kind:<10} {state}")?;
        if state.as_str() == "running" {
            write!(f, " ({progress} %)")?;
        }
        write!(f, ", by {by}")?;
        error.as_ref().map_or(Ok(()), |error| write!(f, ": {error}"))
    }
}

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    #[serde(default)]
    pub(crate) next: Option<String>,
}
