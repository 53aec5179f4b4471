//! The table of rules: each one is in the definition, and each one can be broken.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::collections::BTreeSet;

use blueprint::{Problem, read, rules::rules};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray,
};
use serde_json::{Value, json};

/// `full.yaml` with one value set.
fn problems_with(path: &str, value: Value) -> Vec<Problem> {
    let mut resource: Value =
        serde_saphyr::from_str(include_str!("../fixtures/full.yaml")).unwrap();
    *resource.pointer_mut(path).unwrap_or_else(|| panic!("{path} is not in full.yaml")) = value;
    read(&resource.to_string()).err().unwrap_or_default()
}

/// One value that breaks each rule that is no pattern: what is wrong, where, and the path told.
#[expect(clippy::too_many_lines, reason = "a table")]
fn breakers() -> Vec<(&'static str, &'static str, Value, &'static str)> {
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

#[test]
fn every_rule_can_be_broken_and_says_where() {
    let mut broken = BTreeSet::new();
    for (what, at, value, path) in breakers() {
        let problems = problems_with(at, value);
        let found =
            problems.iter().find(|problem| problem.path == path && problem.what.contains(what));
        let found = found.unwrap_or_else(|| panic!("{what} at {path}: {problems:?}"));
        assert!(!found.instead.is_empty());
        broken.insert(found.what.clone());
    }
    for rule in rules().iter().filter(|rule| rule.pattern.is_none()) {
        assert!(broken.contains(rule.what), "nothing breaks: {}", rule.what);
    }
}

#[test]
fn every_pattern_holds_at_each_of_its_places() {
    for rule in rules().iter().filter(|rule| rule.pattern.is_some()) {
        for place in rule.places {
            let pointer = format!("/{}", place.replace("[]", ".1").replace('.', "/"));
            let problems = problems_with(&pointer, json!(" !"));
            let path = place.replace("[]", "[1]");
            let told = |problem: &&Problem| problem.path == path && problem.what == rule.what;
            assert!(problems.iter().any(|problem| told(&problem)), "{path}: {problems:?}");
        }
    }
}

#[test]
fn the_definition_has_each_rule_at_each_of_its_places_and_no_other() {
    fn collect(
        schema: &JSONSchemaProps,
        path: &str,
        found: &mut BTreeSet<(String, String, String)>,
    ) {
        for rule in schema.x_kubernetes_validations.iter().flatten() {
            found.insert((
                path.to_owned(),
                rule.rule.clone(),
                rule.message.clone().unwrap_or_default(),
            ));
        }
        for (name, field) in schema.properties.iter().flatten() {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            collect(field, &path, found);
        }
        if let Some(JSONSchemaPropsOrArray::Schema(each)) = &schema.items {
            collect(each, &format!("{path}[]"), found);
        }
    }
    let crd = blueprint::crd();
    let schema = crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
    let mut found = BTreeSet::new();
    collect(schema, "", &mut found);
    let table = rules().iter().flat_map(|rule| {
        rule.places
            .iter()
            .map(|place| ((*place).to_owned(), rule.cel.clone(), rule.what.to_owned()))
    });
    assert_eq!(found, table.collect());
}

/// The API server refuses rules over texts and lists without a bound: it could not tell their cost.
#[test]
fn texts_and_lists_have_bounds_throughout_the_spec() {
    fn unbounded(schema: &JSONSchemaProps, path: &str, found: &mut Vec<String>) {
        let text = schema.type_.as_deref() == Some("string") && schema.enum_.is_none();
        if (text && schema.max_length.is_none())
            || (schema.items.is_some() && schema.max_items.is_none())
        {
            found.push(path.to_owned());
        }
        for (name, field) in schema.properties.iter().flatten() {
            unbounded(field, &format!("{path}.{name}"), found);
        }
        if let Some(JSONSchemaPropsOrArray::Schema(each)) = &schema.items {
            unbounded(each, &format!("{path}[]"), found);
        }
    }
    let crd = blueprint::crd();
    let schema = crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
    let mut found = Vec::new();
    unbounded(&schema.properties.as_ref().unwrap()["spec"], "spec", &mut found);
    assert!(found.is_empty(), "{found:?}");
}
