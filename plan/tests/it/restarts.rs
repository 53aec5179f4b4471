//! Which fields start pods again, and which do not.

use blueprint::PlatformBlueprint;
use plan::{Plan, Seen};
use serde_json::{Value, json};

use crate::generate::{full, installation, planned, with};

/// The pods of a plan's Deployments.
fn pods(blueprint: &PlatformBlueprint) -> [Value; 2] {
    let installation = installation();
    let objects = Plan::new(blueprint, &installation, Seen::default()).unwrap().objects();
    ["runtime", "inference"]
        .map(|name| objects.find("Deployment", name).unwrap().shown()["spec"]["template"].clone())
}

/// Fields that running programs read again: names, looks, prices, switches, rules.
const READ_AGAIN: [&str; 20] = [
    r#"{"template": {"name": "creator", "version": "2.0.0"}}"#,
    r#"{"organization": "other"}"#,
    r#"{"plan": "starter"}"#,
    r#"{"identity": {"displayName": "Other", "tagline": "Other"}}"#,
    r#"{"identity": {"branding": {"palette": null, "font": "slab"}}}"#,
    r#"{"identity": {"languages": ["de"]}}"#,
    r#"{"domains": ["other.example"]}"#,
    r#"{"monetization": {"tiers": null, "pricingStrategy": "custom"}}"#,
    r#"{"features": {"tips": false, "knowledge": false}}"#,
    r#"{"ai": {"costOptimization": false}}"#,
    r#"{"ai": {"focus": "general"}}"#,
    r#"{"ai": {"qualityGates": {"maxAnswerTokens": 64}}}"#,
    r#"{"governance": {"agentApproval": "manual", "dataRetentionDays": 30}}"#,
    r#"{"governance": {"compliance": ["soc2"]}}"#,
    r#"{"runtime": {"replicas": {"min": 3, "max": 4}}}"#,
    r#"{"runtime": {"scaleToZeroAfter": "2h"}}"#,
    r#"{"runtime": {"scaleToZeroAfter": null}}"#,
    r#"{"database": {"deletionPolicy": "Retain"}}"#,
    r#"{"database": {"placement": "shared"}}"#,
    r#"{"suspended": true, "paused": true}"#,
];

#[test]
fn what_running_programs_read_again_starts_nothing() {
    for change in READ_AGAIN {
        let change: Value = serde_json::from_str(change).unwrap();
        assert_eq!(pods(&full()), pods(&with(&full(), &change)), "{change}");
    }
    for generated in planned(300, 0x5eed_010a) {
        let mut other = generated.blueprint.clone();
        other.spec.identity.display_name = "Another".into();
        other.spec.features.tips ^= true;
        other.spec.organization = Some("another".parse().unwrap());
        other.metadata.uid = Some("9d0f6c58-3f8e-49e7-a5a5-02d5b6a2b5c1".into());
        other.metadata.labels.get_or_insert_default().insert("team".into(), "x".into());
        let objects = generated.plan().unwrap().objects();
        let others = Plan::new(&other, &generated.installation, generated.seen).unwrap().objects();
        for name in ["runtime", "inference"] {
            let pods = |objects: &plan::Objects| {
                let found = objects.find("Deployment", name)?;
                Some(found.shown()["spec"]["template"].clone())
            };
            assert_eq!(pods(&objects), pods(&others), "{name}");
        }
        assert_ne!(objects.hash(), others.hash());
    }
}

#[test]
fn what_is_read_only_at_start_starts_what_reads_it() {
    let started = |change: Value| {
        let (before, after) = (pods(&full()), pods(&with(&full(), &change)));
        [before[0] != after[0], before[1] != after[1]]
    };
    assert_eq!(started(json!({"runtime": {"version": "1.5.0"}})), [true, true]);
    assert_eq!(started(json!({"governance": {"dataResidency": null}})), [true, false]);
    assert_eq!(started(json!({"inference": {"gpu": {"count": 1}}})), [false, true]);
    assert_eq!(
        started(json!({"ai": {"defaultModel": null, "models": [{"id": "x"}]}})),
        [false, true]
    );
    assert_eq!(started(json!({"ai": {"monthlyBudget": null}})), [false, true]);
    assert_eq!(started(json!({"ai": {"perUserDailyTokens": 7}})), [false, true]);
}
