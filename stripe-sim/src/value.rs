//! Reading objects, which are kept as the JSON that is answered.

use serde_json::{Map, Value};

/// An object's fields.
pub(crate) type Fields = Map<String, Value>;

/// Reads fields that are there by construction; what is absent reads as nothing.
pub(crate) trait Read {
    fn text(&self, key: &str) -> &str;
    fn int(&self, key: &str) -> i64;
    fn flag(&self, key: &str) -> bool;

    /// A text that may be null.
    fn maybe(&self, key: &str) -> Option<String> {
        Some(self.text(key)).filter(|text| !text.is_empty()).map(str::to_owned)
    }
}

impl Read for Value {
    fn text(&self, key: &str) -> &str {
        self[key].as_str().unwrap_or_default()
    }

    fn int(&self, key: &str) -> i64 {
        self[key].as_i64().unwrap_or_default()
    }

    fn flag(&self, key: &str) -> bool {
        self[key].as_bool().unwrap_or_default()
    }
}

/// The fields of an object; of anything else none.
pub(crate) fn fields(value: Value) -> Fields {
    match value {
        Value::Object(fields) => fields,
        _ => Fields::new(),
    }
}

/// A list inside an object, all of it.
pub(crate) fn list_of(data: &[Value], url: &str) -> Value {
    serde_json::json!({ "object": "list", "data": data, "has_more": false, "url": url })
}

/// What is kept beside an object and never told: names that begin with `_`.
pub(crate) fn told(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| !name.starts_with('_'))
            .map(|(name, value)| (name.clone(), told(value)))
            .collect::<Fields>()
            .into(),
        Value::Array(items) => items.iter().map(told).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}

/// What becomes of metadata: a key with an empty value goes, an empty whole empties it.
pub(crate) fn merge_metadata(kept: &mut Value, given: &Value) {
    let Some(given) = given.as_object() else {
        *kept = Value::Object(Fields::new());
        return;
    };
    if !kept.is_object() {
        *kept = Value::Object(Fields::new());
    }
    let Some(kept) = kept.as_object_mut() else { return };
    for (key, value) in given {
        if value.as_str() == Some("") {
            kept.remove(key);
        } else {
            kept.insert(key.clone(), value.clone());
        }
    }
}
