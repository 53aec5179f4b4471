//! A person is told which fields change nothing yet.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use blueprint::{
    PlatformBlueprint, changed_without_effect, effect::WITHOUT_EFFECT, read, without_effect,
};
use serde_json::{Value, json};

fn full() -> PlatformBlueprint {
    read(include_str!("../fixtures/full.yaml")).unwrap()
}

fn small() -> PlatformBlueprint {
    read(include_str!("../fixtures/small.yaml")).unwrap()
}

/// `small.yaml` with more in its `spec`.
fn with(spec: &Value) -> PlatformBlueprint {
    let mut text: Value = serde_json::to_value(small()).unwrap();
    blueprint::templates::merge(&mut text["spec"], spec);
    read(&text.to_string()).unwrap()
}

/// Every field that holds a value, below `spec`.
fn fields(value: &Value, path: &str, found: &mut Vec<String>) {
    let Value::Object(group) = value else { return found.push(path.to_owned()) };
    for (name, value) in group {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        fields(value, &path, found);
    }
}

#[test]
fn what_is_not_in_the_table_is_in_effect() {
    let mut all = Vec::new();
    fields(&serde_json::to_value(full()).unwrap()["spec"], "", &mut all);
    let is_below = |field: &str, path: &str| {
        field.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    all.retain(|field| {
        let looks = is_below(field, "identity.branding") && !field.ends_with(".favicon");
        !looks && !WITHOUT_EFFECT.iter().any(|path| is_below(field, path))
    });
    all.sort();
    // Who adds a field decides: this list when it does something, else the table.
    assert_eq!(
        all,
        [
            "ai.monthlyBudget.amount",
            "ai.monthlyBudget.currency",
            "ai.perUserDailyTokens",
            "ai.qualityGates.maxAnswerTokens",
            "ai.safety",
            "governance.userVerification",
            "identity.displayName",
            "identity.supportEmail",
            "identity.tagline",
            "plan",
            "template.name",
            "template.version",
        ]
    );
}

#[test]
fn every_field_of_the_table_is_found_where_it_is_set() {
    assert_eq!(without_effect(&full()), WITHOUT_EFFECT);
}

#[test]
fn what_says_no_more_than_the_default_is_not_told() {
    assert!(without_effect(&small()).is_empty());
    let same = with(&json!({
        "identity": { "languages": ["en"] },
        "monetization": { "currency": "USD" },
        "features": { "tips": false },
        "ai": { "safety": "moderate", "qualityGates": { "maxAnswerTokens": 64 } },
        "governance": { "userVerification": "approval" },
        "database": { "deletionPolicy": "Retain" },
    }));
    assert_eq!(without_effect(&same), [""; 0]);
}

#[test]
fn an_edit_is_told_only_of_what_it_touches() {
    let spec = |messages, tips| {
        let price = json!({ "amount": 0, "currency": "USD" });
        let limits = json!({ "messagesPerDay": messages });
        let tier = json!({ "id": "free", "name": "Free", "price": price, "limits": limits });
        json!({ "monetization": { "tiers": [tier] }, "features": { "tips": tips } })
    };
    let old = with(&spec(30, true));
    assert_eq!(changed_without_effect(&old, &with(&spec(2, true))), ["monetization"]);
    assert_eq!(changed_without_effect(&old, &with(&spec(30, false))), ["features"]);
    let mut renamed = old.clone();
    renamed.spec.identity.display_name = "Other".into();
    assert_eq!(changed_without_effect(&old, &renamed), [""; 0]);
}
