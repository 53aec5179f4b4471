//! Files in, files out: the three fixtures every crate's tests use.

use blueprint::{BlueprintName, Overrides, changes, check, read, write};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray,
};
use proptest::prelude::*;
use serde_json::Value;

const SMALL: &str = include_str!("../fixtures/small.yaml");
const FULL: &str = include_str!("../fixtures/full.yaml");
const BROKEN: &str = include_str!("../fixtures/broken.yaml");

#[test]
fn what_is_canonical_reads_and_writes_to_the_same_bytes() {
    for text in [SMALL, FULL] {
        let blueprint = read(text).unwrap();
        assert_eq!(write(&blueprint), text);
        assert!(check(&blueprint).is_empty());
    }
}

#[test]
fn every_template_survives_export_and_import() {
    for template in blueprint::templates::all() {
        let name: BlueprintName = "harbour".parse().unwrap();
        let overrides = Overrides {
            display_name: Some("Harbour: “no” & 1.0".into()),
            plan: Some(blueprint::PlanName::Business),
            domain: Some("harbour.example".into()),
            model: Some("smollm2-135m".into()),
            ..Overrides::named(name)
        };
        let made = blueprint::from_template(template, &overrides).unwrap();
        let first = write(&made);
        let read_back = read(&first).unwrap();
        assert_eq!(read_back, made, "{}", template.name);
        assert_eq!(write(&read_back), first, "{}", template.name);
        let json = serde_json::to_string_pretty(&made).unwrap();
        assert_eq!(write(&read(&json).unwrap()), first, "{} as JSON", template.name);
        let lined = blueprint::write_with_schema_line(&made, "./blueprint.schema.json");
        assert!(
            lined.starts_with(
                "# yaml-language-server: $schema=./blueprint.schema.json\napiVersion:"
            )
        );
        assert_eq!(read(&lined), Ok(made));
    }
}

#[test]
fn every_problem_is_told_at_once() {
    let problems = read(BROKEN).unwrap_err();
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_problem_says_in_which_line_it_is() {
    let text = FULL
        .replace("  plan: enterprise\n", "  # wished for\n  plan: gold\n")
        .replace("    displayName: Lighthouse – Licht für alle\n", "")
        .replace("      name: Premium\n", "      name: {}\n")
        .replace("accent: \"#8a4b08\"", "accent: reddish");
    let told: Vec<_> = read(&text)
        .unwrap_err()
        .iter()
        .map(|problem| (problem.line.unwrap(), problem.column.unwrap(), problem.path.clone()))
        .collect();
    let line_of = |part: &str| 1 + text.lines().position(|line| line.contains(part)).unwrap();
    let wanted = [
        // What is missing has no line; the group it is missing from has one.
        (line_of("  identity:"), 3, "spec.identity.displayName"),
        (line_of("reddish"), 9, "spec.identity.branding.palette.accent"),
        (line_of("name: {}"), 7, "spec.monetization.tiers[1].name"),
        (line_of("plan: gold"), 3, "spec.plan"),
    ];
    for (line, column, path) in wanted {
        assert!(told.contains(&(line, column, path.to_owned())), "{path} in {told:?}");
    }
}

#[test]
fn a_line_is_known_however_the_text_is_written() {
    let json = serde_json::to_string_pretty(&read(SMALL).unwrap()).unwrap();
    let json = json.replace("\"displayName\": \"Harbour\"", "\"displayName\": 7");
    let flow = "# mine\r\n{apiVersion: soulfra.io/v1alpha1, kind: PlatformBlueprint,\r\n metadata: \
                {name: ä},\r\n spec: {identity: {displayName: [x]}}}\r\n";
    let labels = SMALL.replace("  name: harbour\n", "  name: harbour\n  labels:\n    a.b/c: 7\n");
    for (text, path, part) in [
        (json.as_str(), "spec.identity.displayName", "\"displayName\""),
        (flow, "spec.identity.displayName", "displayName"),
        (flow, "metadata.name", "name:"),
        (&labels, "metadata.labels.a.b/c", "a.b/c"),
        (&SMALL.replace("spec:", "sepc:"), "sepc", "sepc"),
    ] {
        let problems = read(text).unwrap_err();
        let found = problems.iter().find(|problem| problem.path == path);
        let found = found.unwrap_or_else(|| panic!("{path} in {problems:?}"));
        let line = text.lines().position(|line| line.contains(part)).unwrap();
        let column = text.lines().nth(line).unwrap().find(part).unwrap();
        assert_eq!((found.line, found.column), (Some(line + 1), Some(column + 1)), "{text}");
    }
}

#[test]
fn a_problem_reads_like_those_of_a_compiler() {
    let shown = |text: &str| read(text).unwrap_err()[0].in_file("blueprint.yaml");
    let plan = SMALL.replace("spec:\n", "spec:\n  plan: gold\n");
    let line = 1 + plan.lines().position(|line| line.contains("gold")).unwrap();
    assert_eq!(
        shown(&plan),
        format!(
            "blueprint.yaml:{line}: spec.plan: `gold` is not known here (instead: one of starter, \
             business, enterprise)"
        )
    );
    assert!(shown("a: [").starts_with("blueprint.yaml:1:"), "{}", shown("a: ["));
    assert!(!shown("a: [").contains(": line 1, column"), "{}", shown("a: ["));
    assert!(
        shown("- a list").starts_with("blueprint.yaml:1:1: is a list"),
        "{}",
        shown("- a list")
    );
    let json = serde_json::to_value(&read(&plan).unwrap_err()[0]).unwrap();
    assert_eq!((&json["line"], &json["column"]), (&line.into(), &3.into()));
}

#[test]
fn the_full_fixture_has_every_field() {
    fn missing(schema: &JSONSchemaProps, value: Option<&Value>, path: &str, out: &mut Vec<String>) {
        let Some(value) = value else { return out.push(path.to_owned()) };
        for (name, field) in schema.properties.iter().flatten() {
            missing(field, value.get(name), &format!("{path}.{name}"), out);
        }
        if let Some(JSONSchemaPropsOrArray::Schema(each)) = &schema.items {
            let fullest =
                value.as_array().into_iter().flatten().max_by_key(|item| item.to_string().len());
            missing(each, fullest, &format!("{path}[]"), out);
        }
    }
    let crd = blueprint::crd();
    let schema = crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
    let spec = &schema.properties.as_ref().unwrap()["spec"];
    let full: Value = serde_saphyr::from_str(FULL).unwrap();
    let mut out = Vec::new();
    missing(spec, full.get("spec"), "spec", &mut out);
    assert!(out.is_empty(), "not in full.yaml: {out:?}");
}

#[test]
fn json_is_read_too() {
    let blueprint = read(FULL).unwrap();
    let compact = serde_json::to_string(&blueprint).unwrap();
    assert_eq!(read(&compact).as_ref(), Ok(&blueprint));
    let tabs = serde_json::to_string_pretty(&blueprint).unwrap().replace("  ", "\t");
    assert_eq!(read(&tabs).as_ref(), Ok(&blueprint));
}

#[test]
fn what_the_cluster_adds_is_left_aside() {
    let seen = format!(
        "{}status:\n  phase: Ready\n  nonsense: [1]\n",
        SMALL.replace(
            "  name: harbour\n",
            "  name: harbour\n  uid: 6f3c\n  generation: 3\n  creationTimestamp: 2026-01-01T00:00:00Z\n  \
             managedFields: []\n  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: '{}'\n"
        )
    );
    let blueprint = read(&seen).unwrap();
    assert_eq!(blueprint.status, None);
    assert_eq!(write(&blueprint), SMALL);
}

#[test]
fn texts_out_of_bounds_are_refused() {
    let refused = |text: &str| {
        let problems = read(text).unwrap_err();
        assert!(problems.iter().all(|problem| !problem.path.is_empty()), "{problems:?}");
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    assert!(refused(&"#".repeat(blueprint::read::MAX_BYTES + 1)).contains("bytes"));
    refused(&"[".repeat(100_000));
    refused(&"a: ".repeat(1_000));
    refused(&format!("a: {}{}", "[".repeat(40), "]".repeat(40)));
    // Nine levels of nine aliases each: 9^9 values, were they all followed.
    let level = |level: usize| {
        let below = level.checked_sub(1).map_or("x".to_owned(), |below| format!("*a{below}"));
        format!("a{level}: &a{level} [{}]\n", vec![below; 9].join(", "))
    };
    let bomb: String = (0..9).map(level).collect::<Vec<_>>().concat();
    refused(&bomb);
    refused("");
    refused("just text");
    refused("- a list");
    refused(&format!("{SMALL}---\n{SMALL}"));
    refused(&format!("{SMALL}kind: PlatformBlueprint\n"));
    refused(&SMALL.replace("spec:\n", "spec:\n  <<: {}\n"));
    refused("a: \u{0}");
    refused("\tapiVersion: x");
}

#[test]
fn a_few_aliases_are_fine() {
    let text = SMALL.replace("displayName: Harbour", "displayName: &it Harbour\n    tagline: *it");
    assert_eq!(read(&text).unwrap().spec.identity.tagline.as_deref(), Some("Harbour"));
}

#[test]
fn changes_name_the_fields_that_differ() {
    let old = read(FULL).unwrap();
    assert!(changes(&old, &old).is_empty());
    let new = FULL
        .replace("amount: 1500", "amount: 1900")
        .replace("displayName: Lighthouse – Licht für alle", "displayName: Lighthouse")
        .replace("  paused: true\n", "")
        .replace("    team: north\n", "    team: south\n");
    let told: Vec<_> =
        changes(&old, &read(&new).unwrap()).iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "metadata.labels.team: \"north\" -> \"south\"",
            "spec.identity.displayName: \"Lighthouse – Licht für alle\" -> \"Lighthouse\"",
            "spec.monetization.tiers[premium].price.amount: 1500 -> 1900",
            "spec.paused: removed true",
        ]
    );
    assert_ne!(blueprint::hash(&old), blueprint::hash(&read(&new).unwrap()));
    assert_eq!(blueprint::hash(&old).len(), 64);
}

proptest! {
    /// Whatever a person calls their platform comes back as it was, or is refused.
    #[test]
    fn any_text_survives_the_file(display_name: String, tagline in "\\PC{1,40}") {
        let mut blueprint = read(SMALL).unwrap();
        blueprint.spec.identity.display_name = display_name;
        blueprint.spec.identity.tagline = Some(tagline);
        let problems = check(&blueprint);
        let text = write(&blueprint);
        let read_back = read(&text);
        prop_assert_eq!(problems.is_empty(), read_back.is_ok(), "{:?}\n{}", problems, text);
        if let Ok(read_back) = read_back {
            prop_assert_eq!(&read_back, &blueprint);
            prop_assert_eq!(write(&read_back), text);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text: String) {
        let _ = read(&text);
    }
}
