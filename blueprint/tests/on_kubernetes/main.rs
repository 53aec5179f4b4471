//! The real API server holds our definition, and judges as the rules in Rust do.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]
#![expect(clippy::expect_used, reason = "same")]
#![expect(clippy::print_stdout, reason = "who repeats a failure needs to know the seed")]

#[path = "../breakers/mod.rs"]
mod breakers;
mod near;
mod server;
#[path = "../spoil/mod.rs"]
mod spoil;

use std::collections::BTreeMap;

use blueprint::{Overrides, Problem, read, rules::rules};
use futures::StreamExt;
use serde_json::{Value, json};

use breakers::{breakers, full_with};
use near::nudge;
use server::{Answer, Server};
use spoil::{Chance, seed, spoil};

const SMALL: &str = include_str!("../../fixtures/small.yaml");
const FULL: &str = include_str!("../../fixtures/full.yaml");
const BROKEN: &str = include_str!("../../fixtures/broken.yaml");

#[tokio::test]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn on_kubernetes_good_blueprints_are_taken() {
    let server = Server::with_definition().await;
    let mut good: Vec<Value> =
        [SMALL, FULL].map(|text| serde_saphyr::from_str(text).unwrap()).into();
    for template in blueprint::templates::all() {
        let overrides = Overrides::named("harbour".parse().unwrap());
        let made = blueprint::from_template(template, &overrides).unwrap();
        good.push(serde_json::to_value(made).unwrap());
    }
    for blueprint in good {
        let answer = server.ask(&blueprint).await;
        assert!(answer.accepts, "{}", answer.message);
    }
    let broken = server.ask(&serde_saphyr::from_str(BROKEN).unwrap()).await;
    assert!(!broken.accepts);
}

#[tokio::test]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn on_kubernetes_every_rule_is_held_and_says_where() {
    let server = Server::with_definition().await;
    let patterns = rules().iter().filter(|rule| rule.pattern.is_some()).flat_map(|rule| {
        rule.places.iter().map(|place| {
            let pointer = format!("/{}", place.replace("[]", ".1").replace('.', "/"));
            (rule.what, pointer, json!(" !"), place.replace("[]", "[1]"))
        })
    });
    let others = breakers()
        .into_iter()
        .map(|(what, at, value, path)| (what, at.to_owned(), value, path.to_owned()));
    let mut wrong = Vec::new();
    for (what, at, value, path) in patterns.chain(others) {
        let answer = server.ask(&full_with(&at, value)).await;
        // Of a list, the API server can name no entry.
        let told = answer.faults.iter().any(|(field, message)| {
            field.starts_with("spec.") == path.starts_with("spec.")
                && path.starts_with(field.as_str())
                && message.contains(what)
        });
        if answer.accepts || !told {
            wrong.push(format!("{path}: {what}: {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn on_kubernetes_and_in_rust_the_same_is_refused() {
    let server = Server::with_definition().await;
    let full: Value = serde_saphyr::from_str(FULL).unwrap();
    let rounds = rounds(2_000);
    let mut chance = Chance(seed(0x5eed_0003));
    let made: Vec<_> = (0..rounds)
        .map(|round| {
            let mut resource = full.clone();
            if round % 3 == 0 {
                spoil(&mut resource, &mut chance);
            } else {
                nudge(&mut resource, &mut chance);
            }
            resource
        })
        .collect();
    let mut asked = futures::stream::iter(made)
        .map(|resource| async {
            let answer = server.ask(&resource).await;
            (resource, answer)
        })
        .buffer_unordered(8);
    let (mut taken, mut different) = (0, BTreeMap::<String, u32>::new());
    while let Some((mut resource, answer)) = asked.next().await {
        drop_nothings(&mut resource);
        let problems = read(&escaped(&resource.to_string())).err().unwrap_or_default();
        taken += u32::from(answer.accepts);
        if answer.accepts != problems.is_empty() {
            *different.entry(difference(&answer, &problems)).or_default() += 1;
        }
    }
    println!("counted: {rounds} blueprints judged, {taken} of them taken by both");
    assert!(different.is_empty(), "{different:#?}");
}

/// A field that is `null` is absent to the API server, and refused by Rust: a file has no use for it.
fn drop_nothings(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nothings);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nothings),
        _ => {}
    }
}

/// What YAML takes only when it is escaped, which JSON does not ask for.
fn escaped(json: &str) -> String {
    let escape = |c: char| match c {
        '\u{7f}'..='\u{9f}' | '\u{feff}' => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    };
    json.chars().map(escape).collect()
}

/// Kinds of differences, to be told once each.
fn difference(answer: &Answer, problems: &[Problem]) -> String {
    if answer.accepts {
        let told: Vec<_> =
            problems.iter().map(|problem| format!("{}: {}", problem.path, problem.what)).collect();
        format!("only Rust refuses: {}", told.join("; "))
    } else {
        format!("only the API server refuses: {}", answer.message)
    }
}

/// How many: `SOULFRA_ROUNDS`, or the usual number.
fn rounds(usual: usize) -> usize {
    let asked = std::env::var_os("SOULFRA_ROUNDS");
    asked.and_then(|rounds| rounds.to_str()?.parse().ok()).unwrap_or(usual)
}
