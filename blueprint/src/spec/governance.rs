//! The rules people live by on a platform.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The rules people live by on this platform.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Governance {
    /// How an agent comes to be public. Default: manual.
    #[serde(default)]
    pub agent_approval: AgentApproval,
    /// How what people write in public is looked at. Default: standard.
    #[serde(default)]
    pub content_moderation: ContentModeration,
    /// What a new person must do before they can use the platform. Default: email.
    #[serde(default)]
    pub user_verification: UserVerification,
    /// After how many days conversations are removed; kept until the person removes them when
    /// left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3650))]
    pub data_retention_days: Option<u32>,
    /// The region data must stay in, such as `eu`; anywhere when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub data_residency: Option<String>,
    /// Rule books the platform keeps evidence for: a map of controls, never a badge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 6))]
    pub compliance: Vec<Compliance>,
}

/// How an agent comes to be public.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AgentApproval {
    /// At once, after the automatic checks.
    Automatic,
    /// A moderator says yes.
    #[default]
    Manual,
    /// Members say yes.
    Community,
}

/// How what people write in public is looked at. It cannot be switched off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ContentModeration {
    /// Filtered by rules and a model; reports go to a moderator.
    #[default]
    Standard,
    /// So, and what is uncertain waits for a moderator.
    Strict,
}

/// What a new person must do before they can use the platform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UserVerification {
    /// Nothing.
    None,
    /// Follow a link in a mail.
    #[default]
    Email,
    /// Be let in by an admin.
    Approval,
}

/// A rule book the platform keeps evidence for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Compliance {
    /// The European data protection regulation.
    Gdpr,
    /// The Californian privacy act.
    Ccpa,
    /// The US act on children's privacy.
    Coppa,
    /// The US act on school records.
    Ferpa,
    /// The US act on health records.
    Hipaa,
    /// Service organization controls, second kind of report.
    Soc2,
}
