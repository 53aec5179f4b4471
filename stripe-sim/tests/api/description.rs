//! Stripe's description of its API as a referee.

use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// Where a file or program is that this suite needs.
#[expect(clippy::disallowed_methods, reason = "tests are told by whoever runs them")]
pub(crate) fn told(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test --suite crates`"))
}

/// The description as it is.
pub(crate) static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    let file = told("SOULFRA_TEST_STRIPE_OPENAPI");
    serde_json::from_slice(&fs::read(&file).unwrap()).unwrap()
});

/// Its objects as JSON schemas: strict, and with ids where nothing is to be expanded, or with
/// either.
static OBJECTS: LazyLock<[Value; 2]> = LazyLock::new(|| {
    [false, true].map(|expanded| {
        let schemas = DESCRIPTION["components"]["schemas"].as_object().unwrap();
        schemas.iter().map(|(name, s)| (name.clone(), strict(s, expanded))).collect()
    })
});

static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// An OpenAPI 3.0 schema as a JSON schema that takes nothing that is not described.
fn strict(schema: &Value, expanded: bool) -> Value {
    let Some(fields) = schema.as_object() else { return schema.clone() };
    let mut out = Map::new();
    for (key, value) in fields {
        let value = match key.as_str() {
            "type" | "enum" | "required" | "maxLength" | "pattern" | "$ref" => value.clone(),
            // Of anything but an object this is the value itself.
            "items" | "additionalProperties" => strict(value, expanded),
            "anyOf" => {
                let options = value.as_array().unwrap().iter();
                let is_id = |option: &&Value| expanded || option["type"] == "string";
                let is_expandable = fields.contains_key("x-expansionResources");
                options
                    .filter(|option| !is_expandable || is_id(option))
                    .map(|option| strict(option, expanded))
                    .collect()
            }
            "properties" => {
                let inner = value.as_object().unwrap().iter();
                inner.map(|(name, s)| (name.clone(), strict(s, expanded))).collect()
            }
            _ => continue,
        };
        out.insert(key.clone(), value);
    }
    if out.contains_key("properties") && !out.contains_key("additionalProperties") {
        out.insert("additionalProperties".into(), json!(false));
    }
    let out = Value::Object(out);
    if fields.get("nullable") == Some(&json!(true)) {
        return json!({ "anyOf": [out, { "type": "null" }] });
    }
    out
}

fn validator(name: String, schema: &Value, expanded: bool) -> Arc<Validator> {
    if let Some(known) = VALIDATORS.lock().unwrap().get(&name) {
        return Arc::clone(known);
    }
    let mut root = strict(schema, expanded);
    root["components"] = json!({ "schemas": reachable(&root, expanded) });
    let made = jsonschema::options().with_draft(jsonschema::Draft::Draft202012).build(&root);
    let made = Arc::new(made.unwrap_or_else(|error| panic!("{name}: {error}")));
    VALIDATORS.lock().unwrap().insert(name, Arc::clone(&made));
    made
}

/// The objects that a schema needs, directly or not.
fn reachable(root: &Value, expanded: bool) -> Map<String, Value> {
    let all = &OBJECTS[usize::from(expanded)];
    let mut found = Map::new();
    let mut next = vec![root.clone()];
    while let Some(value) = next.pop() {
        match value {
            Value::Object(fields) => {
                if let Some(name) = fields.get("$ref").and_then(Value::as_str) {
                    let name = name.rsplit('/').next().unwrap();
                    if !found.contains_key(name) {
                        found.insert(name.to_owned(), all[name].clone());
                        next.push(all[name].clone());
                    }
                }
                next.extend(fields.into_iter().map(|(_, value)| value));
            }
            Value::Array(items) => next.extend(items),
            _ => {}
        }
    }
    found
}

/// What is wrong with a value, by a schema that has a name.
fn faults(name: String, schema: &Value, expanded: bool, value: &Value) -> Vec<String> {
    let validator = validator(name, schema, expanded);
    let told = validator.iter_errors(value).map(|error| {
        let text: String = error.to_string().chars().take(600).collect();
        format!("{}: {text}", error.instance_path())
    });
    told.collect()
}

/// An operation of the description.
pub(crate) struct Operation {
    pub(crate) id: String,
    about: Value,
}

/// The operation at a path; what is written out wins over a place.
pub(crate) fn operation(method: &str, path: &str) -> Option<Operation> {
    let asked: Vec<&str> = path.split('/').collect();
    let fits = |pattern: &str| {
        let parts: Vec<&str> = pattern.split('/').collect();
        parts.len() == asked.len()
            && parts.iter().zip(&asked).all(|(part, asked)| part.starts_with('{') || part == asked)
    };
    let paths = DESCRIPTION["paths"].as_object()?;
    let (_, methods) = paths
        .iter()
        .filter(|(pattern, methods)| fits(pattern) && !methods[method.to_lowercase()].is_null())
        .min_by_key(|(pattern, _)| pattern.matches('{').count())?;
    let about = methods[method.to_lowercase()].clone();
    Some(Operation { id: about["operationId"].as_str()?.to_owned(), about })
}

impl Operation {
    /// What is wrong with a request.
    pub(crate) fn request_faults(&self, given: &Value) -> Vec<String> {
        let content = self.about["requestBody"]["content"].as_object();
        let body = content.and_then(|content| content.values().next());
        let mut schema = body.map_or_else(|| json!({ "type": "object" }), |b| b["schema"].clone());
        for parameter in self.about["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] == "query" {
                let name = parameter["name"].as_str().unwrap();
                schema["properties"][name] = parameter["schema"].clone();
            }
        }
        schema["additionalProperties"] = json!(false);
        faults(format!("{} takes", self.id), &schema, false, given)
    }

    /// What is wrong with a reply.
    pub(crate) fn reply_faults(&self, status: u16, expanded: bool, body: &Value) -> Vec<String> {
        let which = if status == 200 { "200" } else { "default" };
        let schema = &self.about["responses"][which]["content"]["application/json"]["schema"];
        // The error's objects are whole.
        let expanded = expanded || status != 200;
        let schema = if status == 200 {
            schema.clone()
        } else {
            json!({
                "type": "object", "required": ["error"],
                "properties": { "error": { "$ref": "#/components/schemas/api_errors" } },
            })
        };
        faults(format!("{} {which} {expanded}", self.id), &schema, expanded, body)
    }
}

/// What is wrong with an object that says itself what it is.
pub(crate) fn object_faults(object: &Value) -> Vec<String> {
    let kind = object["object"].as_str().unwrap();
    let schema = json!({ "$ref": format!("#/components/schemas/{kind}") });
    faults(format!("the object {kind}"), &schema, false, object)
}
