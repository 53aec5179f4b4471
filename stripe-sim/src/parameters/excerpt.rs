//! Cuts the parameters of our operations out of Stripe's description.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::operations;

/// What the excerpt could not be made of.
#[derive(Debug, thiserror::Error)]
#[error("Stripe's description has no operation {0}; look for its new name")]
pub struct NoSuchOperation(String);

/// The excerpt of a description: each different shape once, in the order in which they are met.
pub fn excerpt(description: &Value) -> Result<String, NoSuchOperation> {
    // Whoever is built beside us decides in which order fields are; the excerpt has one order.
    let mut description = description.clone();
    description.sort_all_objects();
    let mut shapes = Shapes::default();
    let mut found = HashMap::new();
    for (path, methods) in description["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let id = operation["operationId"].as_str().unwrap_or_default();
            found.insert(id, (method, path, operation));
        }
    }
    let mut rows = Vec::new();
    for id in operations::names() {
        let (method, path, operation) =
            found.get(id).ok_or_else(|| NoSuchOperation(id.to_owned()))?;
        let takes = shapes.place(&parameters(operation));
        rows.push(format!(
            "{}:{}",
            json!(id),
            json!({ "method": method, "path": path, "takes": takes })
        ));
    }
    let version = &description["info"]["version"];
    let shapes: Vec<String> = shapes.list.iter().map(Value::to_string).collect();
    Ok(format!(
        "{{\"version\":{version},\"operations\":{{\n{}\n}},\"shapes\":[\n{}\n]}}\n",
        rows.join(",\n"),
        shapes.join(",\n")
    ))
}

/// One object with what comes in the query and what comes in the body.
fn parameters(operation: &Value) -> Value {
    let content = operation["requestBody"]["content"].as_object();
    let body = content.and_then(|content| content.values().next());
    let mut all = body.map_or_else(|| json!({ "type": "object" }), |body| body["schema"].clone());
    let query = operation["parameters"].as_array().into_iter().flatten();
    for parameter in query.filter(|parameter| parameter["in"] == "query") {
        let name = parameter["name"].as_str().unwrap_or_default();
        all["properties"][name] = parameter["schema"].clone();
        if parameter["required"] == true {
            let mut required = all["required"].as_array().cloned().unwrap_or_default();
            required.push(name.into());
            all["required"] = required.into();
        }
    }
    all
}

#[derive(Default)]
struct Shapes {
    list: Vec<Value>,
    places: HashMap<String, usize>,
}

impl Shapes {
    /// Where a shape is, once those inside it have places.
    fn place(&mut self, schema: &Value) -> usize {
        let mut shape = Map::new();
        for key in ["type", "maxLength"] {
            if !schema[key].is_null() {
                shape.insert(key.into(), schema[key].clone());
            }
        }
        // Stripe takes more than it lists where it says so.
        if schema["enum"].is_array() && schema["x-stripeBypassValidation"] != true {
            shape.insert("enum".into(), schema["enum"].clone());
        }
        if let Some(options) = schema["anyOf"].as_array() {
            let places: Vec<usize> = options.iter().map(|option| self.place(option)).collect();
            shape.insert("anyOf".into(), places.into());
        }
        for key in ["items", "additionalProperties"] {
            if schema[key].is_object() {
                shape.insert(key.into(), self.place(&schema[key]).into());
            }
        }
        if let Some(properties) = schema["properties"].as_object() {
            let places: Map<String, Value> = properties
                .iter()
                .map(|(name, inner)| (name.clone(), self.place(inner).into()))
                .collect();
            shape.insert("properties".into(), places.into());
            if let Some(required) = schema["required"].as_array() {
                shape.insert("required".into(), required.clone().into());
            }
        }
        shape.sort_keys();
        let shape = Value::Object(shape);
        let text = shape.to_string();
        *self.places.entry(text).or_insert_with(|| {
            self.list.push(shape);
            self.list.len() - 1
        })
    }
}
