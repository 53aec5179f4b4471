//! Fields that are checked and kept, and change nothing yet. A person who sets one is told.

use serde_json::{Value, json};

use crate::{
    PlatformBlueprint,
    changes::canonical,
    spec::{Ai, Database, Governance, Monetization},
    templates::merge,
};

/// What has no effect yet, as paths below `spec`. Each goes from here in the change that puts it
/// into effect.
pub const WITHOUT_EFFECT: [&str; 26] = [
    // The control plane, and the edge with its certificates.
    "organization",
    "domains",
    // Pages speak English only, and make no picture for a browser's tab.
    "identity.languages",
    "identity.branding.favicon",
    "identity.mobileApp",
    // Nothing is sold, and no tier limits anybody.
    "monetization",
    // No part of the platform is behind a switch; `parentDashboard` opens the roles of families,
    // and no dashboard.
    "features",
    // One model is served: the one that `--model` chose.
    "ai.models",
    "ai.defaultModel",
    "ai.allowedProviders",
    "ai.costOptimization",
    // Evaluations and knowledge.
    "ai.qualityGates.evaluateBeforePublish",
    "ai.qualityGates.minimumScoreBps",
    "ai.qualityGates.requireCitations",
    // Nothing but an agent's own instructions keeps it to what it is for.
    "ai.focus",
    // Nobody is asked for their age; `parentConsentUnder` opens the roles of families.
    "ai.ageRules",
    // Whoever writes an agent publishes it, and conversations stay until they are deleted.
    "governance.agentApproval",
    "governance.contentModeration",
    "governance.dataRetentionDays",
    "governance.dataResidency",
    "governance.compliance",
    // The operator.
    "runtime",
    "database",
    "inference",
    "paused",
    "suspended",
];

/// The fields without effect in which a blueprint says more than leaving them out would.
pub fn without_effect(blueprint: &PlatformBlueprint) -> Vec<&'static str> {
    differing(&defaults(), &whole(blueprint))
}

/// The fields without effect that a change touches.
pub fn changed_without_effect(
    old: &PlatformBlueprint,
    new: &PlatformBlueprint,
) -> Vec<&'static str> {
    differing(&whole(old), &whole(new))
}

fn differing(old: &Value, new: &Value) -> Vec<&'static str> {
    let at = |spec, path: &str| path.split('.').try_fold(spec, |at: &Value, step| at.get(step));
    WITHOUT_EFFECT.into_iter().filter(|path| at(old, path) != at(new, path)).collect()
}

/// A blueprint's `spec` with the defaults written out.
fn whole(blueprint: &PlatformBlueprint) -> Value {
    let mut spec = defaults();
    merge(&mut spec, &canonical(blueprint)["spec"]);
    spec
}

/// What a blueprint says that leaves everything out: these groups always write some fields.
fn defaults() -> Value {
    json!({
        "identity": { "languages": ["en"] },
        "monetization": Monetization::default(),
        "ai": Ai::default(),
        "governance": Governance::default(),
        "database": Database::default(),
    })
}
