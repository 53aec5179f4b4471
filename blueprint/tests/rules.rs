//! The table of rules: each one is in the definition, and each one can be broken.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod breakers;

use std::collections::BTreeSet;

use blueprint::{Problem, read, rules::rules};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray,
};
use serde_json::{Value, json};

use breakers::{breakers, full_with};

fn problems_with(path: &str, value: Value) -> Vec<Problem> {
    read(&full_with(path, value).to_string()).err().unwrap_or_default()
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
