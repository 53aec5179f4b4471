//! What a person writes: the parts of `spec`, one file for each.
//!
//! A default is left out of the file, except where money or safety hang on it: those are always
//! written, so that a later change of the default changes nobody's platform.

mod ai;
mod features;
mod governance;
mod identity;
mod monetization;
mod run;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use ai::{AgeRules, Ai, Focus, Model, Provider, QualityGates, Safety};
pub use features::Features;
pub use governance::{AgentApproval, Compliance, ContentModeration, Governance, UserVerification};
pub use identity::{Branding, Font, Identity, MobileApp, Palette, Radius, Shades, Theme};
pub use monetization::{
    BillingInterval, Monetization, PricingStrategy, Tier, TierLimits, UsagePrice, UsageUnit,
};
pub use run::{Database, DeletionPolicy, Gpu, Inference, Placement, Replicas, Runtime};

/// A template and the version of it that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateRef {
    /// Name of the template: creator, business or education.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Version of the template, such as 1.0.0.
    #[schemars(with = "String", length(max = 20))]
    pub version: semver::Version,
}

/// Whether a value says no more than leaving it out would.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
