//! Ten thousand bad blueprints: each one is refused with a path, and none makes it panic.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]
#![expect(clippy::print_stdout, reason = "who repeats a failure needs to know the seed")]

mod spoil;

use std::collections::BTreeMap;

use blueprint::read;
use serde_json::Value;

use spoil::{Chance, seed, spoil};

const FULL: &str = include_str!("../fixtures/full.yaml");

#[test]
fn ten_thousand_bad_blueprints_are_refused_with_a_path_each() {
    let full: Value = serde_saphyr::from_str(FULL).unwrap();
    let mut chance = Chance(seed(0x5eed_0001));
    let mut kinds = BTreeMap::<_, u32>::new();
    for round in 0..10_000 {
        let mut resource = full.clone();
        let mut kind = spoil(&mut resource, &mut chance);
        while kind == "a missing field" && optional_currency_gone(&resource) {
            resource.clone_from(&full);
            kind = spoil(&mut resource, &mut chance);
        }
        *kinds.entry(kind).or_default() += 1;
        let text = if round % 2 == 0 {
            resource.to_string()
        } else {
            serde_saphyr::to_string(&resource).unwrap()
        };
        let Err(problems) = read(&text) else {
            panic!("round {round}: {kind} was not noticed\n{text}")
        };
        assert!(!problems.is_empty(), "round {round}");
        for problem in problems {
            let whole =
                !problem.path.is_empty() && !problem.what.is_empty() && !problem.instead.is_empty();
            assert!(whole, "round {round}: {problem:?}\n{text}");
        }
    }
    println!("{kinds:?}");
    println!("counted: 10000 bad blueprints refused with a path each");
}

/// `monetization.currency` and the like have a default: their absence alone is no problem.
fn optional_currency_gone(resource: &Value) -> bool {
    resource["spec"]["monetization"].get("currency").is_none()
        || resource["spec"]["identity"]["branding"]["palette"]["dark"].get("primary").is_none()
}

#[test]
fn spoiled_texts_never_panic() {
    let mut chance = Chance(seed(0x5eed_0002));
    let mut refused = 0;
    for _ in 0..2_000 {
        let mut text: Vec<char> = FULL.chars().collect();
        for _ in 0..=chance.below(3) {
            let at = chance.below(text.len());
            match chance.below(4) {
                0 => drop(text.drain(at..(at + chance.below(20)).min(text.len()))),
                1 => text.insert(
                    at,
                    *chance.pick(&[
                        '\t', '\n', ':', '-', '&', '*', '{', '[', '|', '>', '!', '%', '@',
                        '\u{feff}',
                    ]),
                ),
                2 => {
                    let other = chance.below(text.len());
                    text.swap(at, other);
                }
                _ => text.truncate(at.max(1)),
            }
            if text.is_empty() {
                text.push('x');
            }
        }
        if let Err(problems) = read(&text.into_iter().collect::<String>()) {
            refused += 1;
            assert!(!problems.is_empty());
            assert!(problems.iter().all(|problem| !problem.path.is_empty()), "{problems:?}");
        }
    }
    println!("counted: 2000 spoiled texts read without a panic, {refused} of them refused");
    assert!(refused > 1_000);
}
