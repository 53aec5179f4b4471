//! Ten thousand bad blueprints: each one is refused with a path, and none makes it panic.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]
#![expect(clippy::print_stdout, reason = "who repeats a failure needs to know the seed")]

use std::collections::BTreeMap;

use blueprint::read;
use serde_json::{Value, json};

const FULL: &str = include_str!("../fixtures/full.yaml");

/// `SplitMix64`: small, and the same everywhere.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    fn text(&mut self) -> String {
        let letters =
            ['a', 'Z', '9', '-', ' ', '.', '"', '\'', '\n', 'ü', '字', '\u{0}', '#', ':', '{'];
        (0..self.below(12)).map(|_| *self.pick(&letters)).collect()
    }
}

/// The seed of a run: `SOULFRA_SEED`, or the usual one.
fn seed(usual: u64) -> u64 {
    let asked = std::env::var_os("SOULFRA_SEED");
    let seed = asked.and_then(|seed| seed.to_str()?.parse().ok()).unwrap_or(usual);
    println!("SOULFRA_SEED={seed}");
    seed
}

/// JSON pointers of everything below `value`.
fn pointers(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, field)| {
            pointers(field, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), out);
        }),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| {
            pointers(item, &format!("{at}/{index}"), out);
        }),
        _ => {}
    }
}

/// Something of another kind than `value`, or out of its bounds.
fn wrong(value: &Value, chance: &mut Chance) -> Value {
    let text = chance.text();
    match value {
        Value::String(_) => chance
            .pick(&[
                json!(["x"]),
                json!({"x": 1}),
                json!(7),
                json!(true),
                Value::Null,
                json!("\u{7f}"),
                json!(" ".repeat(300)),
            ])
            .clone(),
        Value::Number(_) => chance
            .pick(&[
                json!(-1),
                json!(1.5),
                json!(1e300),
                json!(u64::MAX),
                json!(text),
                json!([1]),
                Value::Null,
            ])
            .clone(),
        Value::Bool(_) => {
            chance.pick(&[json!(1), json!("true"), json!([]), json!({}), Value::Null]).clone()
        }
        Value::Array(_) => chance
            .pick(&[
                json!({}),
                json!(text),
                json!(3),
                json!(vec![text.clone(); 30]),
                json!([[[]]]),
                Value::Null,
            ])
            .clone(),
        Value::Object(_) | Value::Null => {
            chance.pick(&[json!([]), json!(text), json!(3), json!(false), Value::Null]).clone()
        }
    }
}

/// Makes `resource` bad in one way, and says which.
fn spoil(resource: &mut Value, chance: &mut Chance) -> &'static str {
    let mut all = Vec::new();
    pointers(&resource["spec"], "/spec", &mut all);
    all.extend(["", "/apiVersion", "/kind", "/metadata", "/metadata/name"].map(ToOwned::to_owned));
    let at = chance.pick(&all).as_str();
    let target = resource.pointer_mut(at).unwrap();
    match (chance.below(3), target) {
        (0, Value::Object(fields)) => {
            let name = format!("zz{}", chance.text());
            fields.insert(name, json!(chance.text()));
            "an unknown field"
        }
        (1, Value::Object(fields))
            if fields.keys().any(|name| REQUIRED.contains(&name.as_str())) =>
        {
            let names: Vec<_> =
                fields.keys().filter(|name| REQUIRED.contains(&name.as_str())).cloned().collect();
            fields.remove(chance.pick(&names).as_str());
            "a missing field"
        }
        (_, target) => {
            *target = wrong(target, chance);
            "a wrong value"
        }
    }
}

/// Fields that are required wherever `full.yaml` has them.
const REQUIRED: [&str; 15] = [
    "apiVersion",
    "kind",
    "metadata",
    "spec",
    "identity",
    "displayName",
    "id",
    "price",
    "amount",
    "currency",
    "unit",
    "minimumAge",
    "product",
    "bundleId",
    "primary",
];

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
