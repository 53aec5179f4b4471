//! The smallest JSON of a shape.

use serde_json::{Map, Value, json};

use crate::engine::Shape;

/// How far a schema is followed: one that contains itself has no end.
const MAX_DEPTH: usize = 32;

/// An answer of that shape, in several tokens; `None` if it may be anything.
pub(super) fn text(shape: &Shape) -> Option<String> {
    let value = match shape {
        Shape::Free => return None,
        Shape::Json => json!({}),
        Shape::Schema(schema) => smallest(schema)?,
    };
    Some(format!("{value:#}"))
}

/// The smallest value that a schema allows, as far as it is understood; `None` if there is none.
pub(super) fn smallest(schema: &Value) -> Option<Value> {
    of(schema, schema, 0)
}

fn of(schema: &Value, root: &Value, depth: usize) -> Option<Value> {
    if depth > MAX_DEPTH || *schema == json!(false) {
        return None;
    }
    if let Some(only) = schema.get("const") {
        return Some(only.clone());
    }
    if let Some(choices) = schema["enum"].as_array() {
        return choices.first().cloned();
    }
    if let Some(target) = schema["$ref"].as_str() {
        return of(root.pointer(target.strip_prefix('#')?)?, root, depth + 1);
    }
    for either in ["anyOf", "oneOf", "allOf"] {
        if let Some(choices) = schema[either].as_array() {
            return choices.iter().find_map(|choice| of(choice, root, depth + 1));
        }
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.first().and_then(Value::as_str),
        kind => kind.as_str(),
    };
    let count = |name: &str| usize::try_from(schema[name].as_u64().unwrap_or(0)).unwrap_or(0);
    match kind {
        Some("object") => {
            let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
            let member = |name: &Value| {
                let name = name.as_str()?;
                let schema = schema["properties"].get(name).unwrap_or(&Value::Null);
                Some((name.to_owned(), of(schema, root, depth + 1)?))
            };
            required.iter().map(member).collect::<Option<Map<_, _>>>().map(Value::Object)
        }
        Some("array") => {
            let item = || of(&schema["items"], root, depth + 1);
            (0..count("minItems").min(64))
                .map(|_| item())
                .collect::<Option<Vec<_>>>()
                .map(Value::from)
        }
        Some("string") => Some(json!("x".repeat(count("minLength").min(64)))),
        Some("integer" | "number") => Some(schema.get("minimum").cloned().unwrap_or(json!(0))),
        Some("boolean") => Some(json!(false)),
        _ => Some(Value::Null),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_required_is_there_and_nothing_else() {
        let schema = json!({
            "type": "object",
            "properties": {
                "name": {"const": "f"}, "left_out": {"type": "string"},
                "kind": {"enum": ["a", "b"]}, "list": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/n"}},
                "text": {"type": ["string", "null"], "minLength": 3}, "either": {"anyOf": [{"type": "boolean"}]},
            },
            "required": ["name", "kind", "list", "text", "either"],
            "$defs": {"n": {"type": "integer", "minimum": 4}},
        });
        let expected =
            json!({"name": "f", "kind": "a", "list": [4, 4], "text": "xxx", "either": false});
        assert_eq!(smallest(&schema), Some(expected));
    }

    #[test]
    fn a_schema_that_contains_itself_has_no_smallest() {
        let schema =
            json!({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]});
        assert_eq!(smallest(&schema), None);
    }
}
