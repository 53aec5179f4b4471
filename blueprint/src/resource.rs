//! The custom resource: a blueprint as Kubernetes and the file know it.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    name::{BlueprintName, InvalidName},
    plan::PlanName,
    spec::{
        Ai, Database, Features, Governance, Identity, Inference, Monetization, Runtime,
        TemplateRef, is_default,
    },
    status::BlueprintStatus,
    text::{Domain, Slug},
};

/// What a person writes about their platform. A field left out has the default that its own
/// description names; a field that is not here is refused.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "soulfra.io",
    version = "v1alpha1",
    kind = "PlatformBlueprint",
    plural = "platformblueprints",
    shortname = "pb",
    category = "soulfra",
    status = "BlueprintStatus",
    derive = "PartialEq",
    doc = "A platform: its identity, what it sells, what it can do, and how it runs.",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url"),
    printcolumn(name = "Plan", type_ = "string", json_path = ".status.plan"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.runtime.version"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(
        name = "Organization",
        type_ = "string",
        json_path = ".status.account.organization",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::duplicated_attributes, reason = "several columns are of one type")]
pub struct BlueprintSpec {
    /// The template this platform began as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateRef>,
    /// The organization that is to own this platform: a request, which counts once the control
    /// plane has confirmed it in `status.account`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<Slug>,
    /// The plan wished for: a request, like `organization`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanName>,
    /// Who the platform is to the people who meet it.
    pub identity: Identity,
    /// Domain names of the platform beside its own, the first one being the main address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub domains: Vec<Domain>,
    /// What is sold, and how the money is shared.
    #[serde(default, skip_serializing_if = "is_default")]
    pub monetization: Monetization,
    /// What the platform can do; everything is off unless it says `true` here.
    #[serde(default, skip_serializing_if = "is_default")]
    pub features: Features,
    /// Models, safety and what AI may cost.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ai: Ai,
    /// The rules people live by on this platform.
    #[serde(default, skip_serializing_if = "is_default")]
    pub governance: Governance,
    /// How many copies serve, when they sleep, and which version runs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub runtime: Runtime,
    /// Where the platform's data lives and what becomes of it on deletion.
    #[serde(default, skip_serializing_if = "is_default")]
    pub database: Database,
    /// Where its models run.
    #[serde(default, skip_serializing_if = "is_default")]
    pub inference: Inference,
    /// The operator leaves this platform as it is: nothing is changed until this is `false`, or a
    /// bill is unpaid past its grace.
    #[serde(default, skip_serializing_if = "is_default")]
    pub paused: bool,
    /// A person has stopped this platform: it answers with a notice and keeps its data.
    #[serde(default, skip_serializing_if = "is_default")]
    pub suspended: bool,
}

impl PlatformBlueprint {
    /// The name of the platform, checked.
    pub fn platform_name(&self) -> Result<BlueprintName, InvalidName> {
        self.metadata.name.as_deref().unwrap_or_default().parse()
    }
}
