//! Which of our crates may use which: arrows go one way.

use serde_json::Value;

use crate::output_of;

/// Each crate and what it may use of ours. A new crate gets its line here first.
const ARROWS: [(&str, &[&str]); 26] = [
    ("blueprint", &[]),
    ("plan", &["blueprint"]),
    ("web", &[]),
    ("work", &[]),
    ("accounts", &["web", "work"]),
    ("pages", &["web", "blueprint"]),
    ("billing", &["blueprint", "work"]),
    ("billing-stripe", &["blueprint", "billing"]),
    ("database", &["blueprint", "work"]),
    ("usage", &["blueprint"]),
    ("inference", &["blueprint", "web", "usage"]),
    ("engine-mistralrs", &["inference"]),
    ("engine-llamacpp", &["inference"]),
    ("engine-embeddings", &["inference"]),
    (
        "model-server",
        &[
            "blueprint",
            "web",
            "usage",
            "inference",
            "engine-mistralrs",
            "engine-llamacpp",
            "engine-embeddings",
        ],
    ),
    ("certificates", &["web", "work"]),
    ("api-server", &[]),
    ("edge", &["web", "work", "certificates", "api-server"]),
    ("tenant-runtime", &["blueprint", "web", "work", "accounts", "pages", "database"]),
    (
        "operator",
        &[
            "blueprint",
            "plan",
            "web",
            "work",
            "pages",
            "database",
            "certificates",
            "api-server",
            "tenant-runtime",
        ],
    ),
    (
        "control-plane",
        &["blueprint", "plan", "web", "work", "accounts", "pages", "api-server", "usage"],
    ),
    ("remote", &["blueprint"]),
    (
        "create-ai-platform",
        &[
            "blueprint",
            "control-plane",
            "remote",
            "web",
            "work",
            "accounts",
            "pages",
            "database",
            "inference",
            "engine-mistralrs",
            "model-server",
            "certificates",
            "tenant-runtime",
        ],
    ),
    // Only tests use it.
    ("faults", &[]),
    ("stripe-sim", &[]),
    ("xtask", &[]),
];

/// What only some crates use of others' libraries.
const FENCED: [(&str, &[&str]); 3] = [
    // Slow to compile: a leaf crate keeps it out of everybody else's build.
    ("mistralrs", &["engine-mistralrs"]),
    ("llama-cpp-2", &["engine-llamacpp"]),
    ("candle-core", &["engine-mistralrs", "engine-embeddings"]),
];

/// Crates without input, output, async, clock and chance.
const PURE: [&str; 2] = ["blueprint", "plan"];

/// What such a crate cannot need.
const IMPURE: [&str; 8] =
    ["tokio", "sqlx", "axum", "hyper", "reqwest", "rand", "jiff", "kube-client"];

#[test]
fn crates_use_only_what_the_arrows_allow() {
    let crates = crates();
    let ours: Vec<&str> = crates.iter().map(|(name, _)| name.as_str()).collect();
    let mut wrong = Vec::new();
    for (known, _) in ARROWS.iter().filter(|(known, _)| !ours.contains(known)) {
        wrong.push(format!("{known} has a line in the table of arrows, and is no crate"));
    }
    for (name, uses) in &crates {
        let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| known == name) else {
            wrong.push(format!("{name} has no line in the table of arrows"));
            continue;
        };
        for used in uses.iter().map(String::as_str).filter(|used| ours.contains(used)) {
            if !allowed.contains(&used) {
                wrong.push(format!("{name} must not use {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn heavy_libraries_stay_in_their_leaf() {
    let crates = crates();
    for (library, allowed) in FENCED {
        let has = |(_, uses): &&(String, Vec<String>)| uses.iter().any(|used| used == library);
        let users: Vec<_> = crates.iter().filter(has).map(|(name, _)| name.as_str()).collect();
        assert_eq!(users, allowed, "the users of {library}");
    }
}

#[test]
fn what_is_pure_uses_nothing_that_is_not() {
    let crates = crates();
    for pure in PURE {
        let (_, uses) = crates.iter().find(|(name, _)| name == pure).unwrap();
        let impure: Vec<_> = uses.iter().filter(|used| IMPURE.contains(&used.as_str())).collect();
        assert!(impure.is_empty(), "{pure}: {impure:?}");
    }
}

/// Our crates and their direct dependencies; what only tests use is left out.
fn crates() -> Vec<(String, Vec<String>)> {
    let metadata = output_of("cargo", &["metadata", "--format-version=1", "--no-deps"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap().iter();
            (name(package), dependencies.filter(|d| d["kind"] != "dev").map(name).collect())
        })
        .collect()
}
