//! Values that break the rules, one each.

use serde_json::{Value, json};

/// `full.yaml` with one value set.
pub fn full_with(path: &str, value: Value) -> Value {
    let mut resource: Value =
        serde_saphyr::from_str(include_str!("../../fixtures/full.yaml")).unwrap();
    *resource.pointer_mut(path).unwrap_or_else(|| panic!("{path} is not in full.yaml")) = value;
    resource
}

/// One value that breaks each rule that is no pattern: what is wrong, where, and the path told.
#[expect(clippy::too_many_lines, reason = "a table")]
pub fn breakers() -> Vec<(&'static str, &'static str, Value, &'static str)> {
    let tiers = "/spec/monetization/tiers";
    vec![
        ("the name is not 1 to 40", "/metadata/name", json!("No Name"), "metadata.name"),
        ("the name is reserved", "/metadata/name", json!("mail"), "metadata.name"),
        ("no such template", "/spec/template/name", json!("creatr"), "spec.template.name"),
        (
            "is there twice",
            "/spec/identity/languages",
            json!(["en", "de", "en"]),
            "spec.identity.languages[2]",
        ),
        ("is there twice", "/spec/domains", json!(["a.de", "a.de"]), "spec.domains[1]"),
        (
            "is there twice",
            "/spec/ai/allowedProviders",
            json!(["local", "openai-compatible", "local"]),
            "spec.ai.allowedProviders[2]",
        ),
        (
            "is there twice",
            "/spec/governance/compliance",
            json!(["gdpr", "gdpr"]),
            "spec.governance.compliance[1]",
        ),
        (
            "not a currency code",
            "/spec/monetization/currency",
            json!("XXX"),
            "spec.monetization.currency",
        ),
        (
            "not a currency code",
            "/spec/ai/monthlyBudget/currency",
            json!("eur"),
            "spec.ai.monthlyBudget.currency",
        ),
        (
            "another tier has this id",
            "/spec/monetization/tiers/1/id",
            json!("basic"),
            "spec.monetization.tiers[1].id",
        ),
        (
            "not in the currency of",
            "/spec/monetization/tiers/0/price/currency",
            json!("EUR"),
            "spec.monetization.tiers[0].price.currency",
        ),
        (
            "not in the currency of",
            "/spec/monetization/tiers/1/usagePrice/price/currency",
            json!("EUR"),
            "spec.monetization.tiers[1].usagePrice.price.currency",
        ),
        (
            "not in the currency of",
            "/spec/monetization/agentCreationFee/currency",
            json!("EUR"),
            "spec.monetization.agentCreationFee.currency",
        ),
        (
            "freemium has no free tier",
            "/spec/monetization",
            json!({"tiers": [{"id": "a", "name": "A", "price": {"amount": 1, "currency": "USD"}}]}),
            "spec.monetization.tiers",
        ),
        ("no tier says what use costs", tiers, json!([]), "spec.monetization.tiers"),
        (
            "marketplace is priced",
            "/spec",
            json!({"identity": {"displayName": "A"}, "monetization": {"pricingStrategy": "marketplace"}}),
            "spec.features.agentMarketplace",
        ),
        ("making agents has a price", "/spec/features", json!({}), "spec.features.agentCreation"),
        (
            "another model has this id",
            "/spec/ai/models/1/id",
            json!("smollm2-135m"),
            "spec.ai.models[1].id",
        ),
        (
            "default model is not among",
            "/spec/ai/defaultModel",
            json!("smolm2-135m"),
            "spec.ai.defaultModel",
        ),
        (
            "provider is not allowed",
            "/spec/ai/allowedProviders",
            json!(["openai-compatible"]),
            "spec.ai.models[0].provider",
        ),
        (
            "consent would be asked only",
            "/spec/ai/ageRules/parentConsentUnder",
            json!(6),
            "spec.ai.ageRules.parentConsentUnder",
        ),
        ("safety is not at its maximum", "/spec/ai/safety", json!("high"), "spec.ai.safety"),
        (
            "no rule says who is a child",
            "/spec/ai/ageRules",
            json!({"minimumAge": 16}),
            "spec.ai.ageRules.parentConsentUnder",
        ),
        ("max is below min", "/spec/runtime/replicas/max", json!(1), "spec.runtime.replicas.max"),
        (
            "between a minute and a week",
            "/spec/runtime/scaleToZeroAfter",
            json!("169h"),
            "spec.runtime.scaleToZeroAfter",
        ),
        (
            "only for dedicated inference",
            "/spec/inference/placement",
            json!("shared"),
            "spec.inference.placement",
        ),
    ]
}
