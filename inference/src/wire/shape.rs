//! What an answer must look like: JSON, or JSON by a schema, which is bounded and whole.

use std::sync::Arc;

use serde_json::Value;

use super::fields::Fields;
use super::refusal::Refusal;
use crate::engine::Shape;

/// A schema's bytes, written without spaces.
const MAX_BYTES: usize = 32 * 1024;
/// Values inside values.
const MAX_DEPTH: usize = 24;
/// Values in it, all together.
const MAX_VALUES: usize = 4096;

/// Reads `response_format` of chat, or `text.format` of responses, whose schema is not wrapped.
pub(super) fn read(format: Option<Fields>) -> Result<Shape, Refusal> {
    let Some(mut format) = format else { return Ok(Shape::Free) };
    let shape = match format.needed_text("type")?.as_str() {
        "text" => Shape::Free,
        "json_object" => Shape::Json,
        "json_schema" => match format.object("json_schema")? {
            Some(mut wrapped) => {
                let shape = schema(&mut wrapped)?;
                wrapped.end()?;
                shape
            }
            None => schema(&mut format)?,
        },
        _ => {
            let known = "known are text, json_object and json_schema.";
            return Err(Refusal::out_of_range(&format.at("type"), known));
        }
    };
    format.end()?;
    Ok(shape)
}

fn schema(fields: &mut Fields) -> Result<Shape, Refusal> {
    let name = fields.needed_text("name")?;
    is_name(&fields.at("name"), &name)?;
    fields.text("description")?;
    // Always strict here: an answer that the schema does not allow cannot be made.
    fields.flag("strict")?;
    let at = fields.at("schema");
    let schema = fields.take("schema").ok_or_else(|| fields.missing("schema"))?;
    check(&at, &schema)?;
    Ok(Shape::Schema(Arc::new(schema)))
}

/// Names of schemas and functions are words that need no escaping anywhere.
pub(super) fn is_name(at: &str, name: &str) -> Result<(), Refusal> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if (1..=64).contains(&name.len()) && name.bytes().all(is_plain) {
        return Ok(());
    }
    Err(Refusal::out_of_range(at, "1 to 64 letters, digits, dashes and underscores."))
}

/// Refuses a schema that is too big, or that wants another document to be fetched.
pub(super) fn check(at: &str, schema: &Value) -> Result<(), Refusal> {
    if !schema.is_object() {
        return Err(Refusal::wrong_type(at, "an object", schema));
    }
    let unusable = |why: &str| {
        Refusal::of(at, "unusable-schema", "The answer cannot be given that shape.", why)
    };
    let mut values = 0;
    // Not recursive: a schema is as deep as its author likes.
    let mut open = vec![(schema, 1)];
    while let Some((value, depth)) = open.pop() {
        values += 1;
        if depth > MAX_DEPTH || values > MAX_VALUES {
            return Err(unusable(&format!(
                "a schema has at most {MAX_VALUES} values, {MAX_DEPTH} inside each other."
            )));
        }
        match value {
            Value::Array(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(members) => {
                let is_elsewhere = |key: &String, value: &Value| {
                    ["$ref", "$dynamicRef", "$recursiveRef"].contains(&key.as_str())
                        && value.as_str().is_some_and(|target| !target.starts_with('#'))
                };
                if members.iter().any(|(key, value)| is_elsewhere(key, value)) {
                    return Err(unusable("a $ref must begin with #: nothing is fetched."));
                }
                open.extend(members.values().map(|value| (value, depth + 1)));
            }
            _ => {}
        }
    }
    if schema.to_string().len() > MAX_BYTES {
        return Err(unusable(&format!("a schema has at most {MAX_BYTES} bytes.")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_is_bounded_and_refers_to_itself_only() {
        let nested = (0..30).fold(json!({}), |inner, _| json!({"items": inner}));
        let wide = json!({"enum": vec![1; 5000]});
        let long = json!({"const": "x".repeat(40_000)});
        let elsewhere = json!({"properties": {"a": {"$ref": "http://169.254.169.254/"}}});
        for schema in [nested, wide, long, elsewhere, json!(true)] {
            let refusal = check("schema", &schema).unwrap_err();
            assert_eq!(refusal.param.as_deref(), Some("schema"));
        }
        let itself = json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "null"}}});
        check("schema", &itself).unwrap();
        // A property of that name is no reference.
        check("schema", &json!({"properties": {"$ref": {"type": "string"}}})).unwrap();
    }

    #[test]
    fn a_format_becomes_a_shape() {
        let read_format = |value: Value| read(Some(Fields::of(value, "response_format").unwrap()));
        assert_eq!(read(None).unwrap(), Shape::Free);
        assert_eq!(read_format(json!({"type": "text"})).unwrap(), Shape::Free);
        assert_eq!(read_format(json!({"type": "json_object"})).unwrap(), Shape::Json);
        let schema = json!({"type": "object"});
        let shape = Shape::Schema(Arc::new(schema.clone()));
        let flat = json!({"type": "json_schema", "name": "a", "schema": schema, "strict": true});
        assert_eq!(read_format(flat).unwrap(), shape);
        let wrapped =
            json!({"type": "json_schema", "json_schema": {"name": "a", "schema": schema}});
        assert_eq!(read_format(wrapped).unwrap(), shape);
        for (format, param) in [
            (json!({"type": "xml"}), "response_format.type"),
            (
                json!({"type": "json_schema", "json_schema": {"schema": {}}}),
                "response_format.json_schema.name",
            ),
            (
                json!({"type": "json_schema", "json_schema": {"name": "a"}}),
                "response_format.json_schema.schema",
            ),
            (json!({"type": "json_object", "x": 1}), "response_format.x"),
        ] {
            assert_eq!(read_format(format).unwrap_err().param.as_deref(), Some(param));
        }
    }
}
