//! Blueprints made bad by chance, the same for the same seed.

use serde_json::{Value, json};

/// `SplitMix64`: small, and the same everywhere.
pub struct Chance(pub u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    fn text(&mut self) -> String {
        let letters =
            ['a', 'Z', '9', '-', ' ', '.', '"', '\'', '\n', 'ü', '字', '\u{0}', '#', ':', '{'];
        (0..self.below(12)).map(|_| *self.pick(&letters)).collect()
    }
}

/// The seed of a run: `SOULFRA_SEED`, or the usual one.
pub fn seed(usual: u64) -> u64 {
    let asked = std::env::var_os("SOULFRA_SEED");
    let seed = asked.and_then(|seed| seed.to_str()?.parse().ok()).unwrap_or(usual);
    println!("SOULFRA_SEED={seed}");
    seed
}

/// JSON pointers of everything below `value`.
pub fn pointers(value: &Value, at: &str, out: &mut Vec<String>) {
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
pub fn spoil(resource: &mut Value, chance: &mut Chance) -> &'static str {
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
