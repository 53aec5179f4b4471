//! Blueprints at the border between good and bad: most of them differ from a good one by a letter
//! or by one.

use serde_json::{Value, json};

use crate::spoil::{Chance, pointers};

const LETTERS: [char; 30] = [
    'a', 'z', 'A', 'Z', '0', '9', '-', '_', '.', '/', ':', '@', '#', '+', ' ', '\t', '\n', '\r',
    '\u{0}', '\u{7f}', '\u{85}', '\u{a0}', '\u{9f}', '\u{2028}', '\u{feff}', 'ß', 'ﬀ', '字', '🙂',
    '\u{301}',
];
const LENGTHS: [usize; 16] = [0, 1, 2, 7, 39, 40, 41, 62, 63, 64, 100, 200, 201, 253, 254, 2_001];
const TEXTS: [&str; 22] = [
    "", "a", "-a", "a-", "a--b", "xn--a", "mail", "1m", "59s", "60s", "168h", "0m", "1.0.0",
    "1.0.0-rc", "01.0.0", "a.b", "a.1b", "A.b", "en-US", "en-us", "local", "XXX",
];

/// Changes one to three things.
pub fn nudge(resource: &mut Value, chance: &mut Chance) {
    for _ in 0..=chance.below(3) {
        let mut all = Vec::new();
        pointers(&resource["spec"], "/spec", &mut all);
        all.push("/metadata/name".into());
        let at = chance.pick(&all).clone();
        let target = resource.pointer_mut(&at).unwrap();
        *target = near(target, chance);
    }
}

fn near(value: &Value, chance: &mut Chance) -> Value {
    match value {
        Value::String(text) => json!(near_text(text, chance)),
        Value::Number(number) => near_number(number.as_i64().unwrap_or_default(), chance),
        Value::Bool(value) => json!(!value),
        Value::Array(items) => near_list(items.clone(), chance),
        Value::Object(fields) => {
            let mut fields = fields.clone();
            let names: Vec<_> = fields.keys().cloned().collect();
            if !names.is_empty() {
                fields.remove(chance.pick(&names).as_str());
            }
            Value::Object(fields)
        }
        Value::Null => Value::Null,
    }
}

fn near_text(text: &str, chance: &mut Chance) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let at = chance.below(letters.len() + 1);
    match chance.below(6) {
        0 => letters.insert(at, *chance.pick(&LETTERS)),
        1 if at < letters.len() => drop(letters.remove(at)),
        2 if at < letters.len() => letters[at] = *chance.pick(&LETTERS),
        3 => return (*chance.pick(&TEXTS)).to_owned(),
        4 if !letters.is_empty() => {
            let length = *chance.pick(&LENGTHS);
            letters = letters.into_iter().cycle().take(length).collect();
        }
        _ => return letters.into_iter().flat_map(char::to_uppercase).collect(),
    }
    letters.into_iter().collect()
}

fn near_number(number: i64, chance: &mut Chance) -> Value {
    let borders = [
        -1,
        0,
        1,
        2,
        10,
        11,
        100,
        101,
        3_650,
        3_651,
        10_000,
        10_001,
        1_000_000_000,
        1_000_000_001,
        i64::from(i32::MAX) + 1,
        (1 << 53) + 1,
        i64::MAX,
    ];
    match chance.below(4) {
        0 => json!(number.saturating_add(1)),
        1 => json!(number.saturating_sub(1)),
        _ => json!(*chance.pick(&borders)),
    }
}

fn near_list(mut items: Vec<Value>, chance: &mut Chance) -> Value {
    if items.is_empty() {
        return json!([]);
    }
    match chance.below(4) {
        0 => items.push(chance.pick(&items).clone()),
        1 => drop(items.remove(chance.below(items.len()))),
        2 => items.reverse(),
        _ => items.clear(),
    }
    Value::Array(items)
}
