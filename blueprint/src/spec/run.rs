//! How a platform runs: copies, sleep, data, models.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_default;
use crate::text::Wait;

/// How many copies serve, when they sleep, and which version runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Runtime {
    /// How many copies serve.
    #[serde(default, skip_serializing_if = "is_default")]
    pub replicas: Replicas,
    /// After how long without visitors the platform sleeps, such as `15m`, one minute to a week;
    /// never when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_to_zero_after: Option<Wait>,
    /// The version to stay on, such as 1.4.0; the installation's current one when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 20))]
    pub version: Option<semver::Version>,
}

/// How many copies serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replicas {
    /// At least so many while awake. Default: 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schemars(range(min = 1, max = 50))]
    pub min: u16,
    /// At most so many; as many as `min` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 50))]
    pub max: Option<u16>,
}

impl Default for Replicas {
    fn default() -> Self {
        Self { min: 1, max: None }
    }
}

fn one() -> u16 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_one(count: &u16) -> bool {
    *count == 1
}

/// Where the platform's data lives and what becomes of it on deletion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Database {
    /// A database on a shared server, or a server of its own. Default: shared.
    #[serde(default, skip_serializing_if = "is_default")]
    pub placement: Placement,
    /// What becomes of the data 30 days after the platform was deleted. Default: Retain.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

/// Among others, or alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// On what others use too, kept apart.
    #[default]
    Shared,
    /// On its own; needs a plan that allows it.
    Dedicated,
}

/// What becomes of the data 30 days after a platform was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// It stays until a person types the platform's name.
    #[default]
    Retain,
    /// A job removes it.
    Delete,
}

/// Where the platform's models run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Inference {
    /// On the shared model servers, or on its own. Default: shared.
    #[serde(default, skip_serializing_if = "is_default")]
    pub placement: Placement,
    /// The graphics processors of a dedicated model server; none when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<Gpu>,
}

/// Graphics processors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gpu {
    /// As the node's label `nvidia.com/gpu.product` has it, such as `NVIDIA-L4`.
    #[schemars(length(max = 63))]
    pub product: String,
    /// How many. Default: 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schemars(range(min = 1, max = 16))]
    pub count: u16,
}
