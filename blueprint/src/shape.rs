//! Shape: does a value have the fields and kinds the schema asks for? Says everything that is
//! wrong, and where the nearest right thing is.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::{Map, Value};

use crate::{
    problem::{Problem, below},
    rules::nearest,
};

/// Everything about the shape of `value` that differs from `schema`.
pub(crate) fn problems(schema: &JSONSchemaProps, value: &Value) -> Vec<Problem> {
    let mut shape = Shape { root: schema, found: Vec::new() };
    shape.walk(schema, value, "");
    shape.found
}

struct Shape<'a> {
    root: &'a JSONSchemaProps,
    found: Vec<Problem>,
}

impl Shape<'_> {
    fn walk(&mut self, schema: &JSONSchemaProps, value: &Value, path: &str) {
        match (schema.type_.as_deref(), value) {
            (Some("object"), Value::Object(fields)) => self.fields(schema, fields, path),
            (Some("array"), Value::Array(items)) => self.items(schema, items, path),
            (Some("string"), Value::String(text)) => self.text(schema, text, path),
            (Some("integer"), Value::Number(number)) => self.number(schema, number, path),
            (Some("boolean"), Value::Bool(_)) | (None, _) => {}
            (Some(wanted), _) => {
                let what = format!("is {}, not {}", kind(value), kind_wanted(wanted));
                self.add(path, what, instead_of(schema, value));
            }
        }
    }

    fn fields(&mut self, schema: &JSONSchemaProps, fields: &Map<String, Value>, path: &str) {
        for required in schema.required.iter().flatten() {
            if !fields.contains_key(required) {
                let missing = schema.properties.as_ref().and_then(|known| known.get(required));
                let instead = missing.map_or_else(String::new, describe);
                self.add(&below(path, required), "is missing", instead);
            }
        }
        for (name, value) in fields {
            let path = below(path, name);
            if let Some(field) = schema.properties.as_ref().and_then(|known| known.get(name)) {
                self.walk(field, value, &path);
            } else if let Some(JSONSchemaPropsOrBool::Schema(each)) = &schema.additional_properties
            {
                self.walk(each, value, &path);
            } else {
                let instead = self.known_field(schema, name);
                self.add(&path, "there is no such field", instead);
            }
        }
    }

    fn items(&mut self, schema: &JSONSchemaProps, items: &[Value], path: &str) {
        if let Some(most) = schema.max_items
            && items.len() > usize::try_from(most).unwrap_or(usize::MAX)
        {
            self.add(path, format!("has {} entries", items.len()), format!("at most {most}"));
        }
        let Some(JSONSchemaPropsOrArray::Schema(each)) = &schema.items else { return };
        for (at, item) in items.iter().enumerate() {
            self.walk(each, item, &below(path, &format!("[{at}]")));
        }
    }

    fn text(&mut self, schema: &JSONSchemaProps, text: &str, path: &str) {
        if let Some(words) = &schema.enum_ {
            let words: Vec<_> = words.iter().filter_map(|JSON(word)| word.as_str()).collect();
            if !words.contains(&text) {
                let near = nearest(text, words.iter().copied());
                let instead = near.map_or_else(|| any_of(&words), ToOwned::to_owned);
                self.add(path, format!("`{}` is not known here", short(text)), instead);
            }
            return;
        }
        let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        if schema.max_length.is_some_and(|most| length > most) {
            let most = schema.max_length.unwrap_or_default();
            self.add(path, format!("has {length} characters"), format!("at most {most}"));
        }
        if schema.min_length.is_some_and(|least| length < least) {
            self.add(path, "is empty", describe(schema));
        }
    }

    fn number(&mut self, schema: &JSONSchemaProps, number: &serde_json::Number, path: &str) {
        let Some(whole) = number.as_i64() else {
            let instead = if path.ends_with("amount") {
                "a whole number of minor units: 999 is 9.99 of a currency with two decimals"
            } else {
                "a whole number"
            };
            return self.add(path, format!("{number} is not a whole number in range"), instead);
        };
        #[expect(clippy::cast_precision_loss, reason = "bounds are far below 2^52")]
        let number = whole as f64;
        let below = schema.minimum.is_some_and(|least| number < least);
        let above = schema.maximum.is_some_and(|most| number > most);
        if below || above {
            let instead = match (schema.minimum, schema.maximum) {
                (Some(least), Some(most)) => format!("{least} to {most}"),
                (Some(least), None) => format!("{least} or more"),
                (_, most) => format!("{} or less", most.unwrap_or_default()),
            };
            self.add(path, format!("{whole} is out of range"), instead);
        }
    }

    /// What a field that is not there may have been meant to be.
    fn known_field(&self, schema: &JSONSchemaProps, name: &str) -> String {
        let known = || schema.properties.iter().flatten().map(|(name, _)| name.as_str());
        if let Some(near) = nearest(name, known()) {
            return near.to_owned();
        }
        let mut elsewhere = Vec::new();
        places_of(self.root, name, "", &mut elsewhere);
        if let [place] = elsewhere.as_slice() {
            return format!("{place}, where this field belongs");
        }
        any_of(&known().collect::<Vec<_>>())
    }

    fn add(&mut self, path: &str, what: impl Into<String>, instead: impl Into<String>) {
        self.found.push(match path {
            "" => Problem::of_text((1, 1), what, instead),
            path => Problem::new(path, what, instead),
        });
    }
}

/// Paths of all fields called `name`.
fn places_of(schema: &JSONSchemaProps, name: &str, path: &str, found: &mut Vec<String>) {
    for (field, schema) in schema.properties.iter().flatten() {
        let path = below(path, field);
        if field == name {
            found.push(path.clone());
        }
        places_of(schema, name, &path, found);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(each)) = &schema.items {
        places_of(each, name, &format!("{path}[]"), found);
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a group of fields",
    }
}

fn kind_wanted(kind: &str) -> &'static str {
    match kind {
        "object" => "a group of fields",
        "array" => "a list",
        "integer" => "a whole number",
        "boolean" => "true or false",
        _ => "a text",
    }
}

/// What would be right in place of a value of another kind.
fn instead_of(schema: &JSONSchemaProps, value: &Value) -> String {
    let wanted = schema.type_.as_deref().unwrap_or_default();
    match (wanted, value) {
        (_, Value::Null) => format!("{}, or leave the field out", describe(schema)),
        ("boolean", Value::String(text)) => match text.to_lowercase().as_str() {
            "true" | "yes" | "on" | "y" => "true".into(),
            "false" | "no" | "off" | "n" => "false".into(),
            _ => "true or false".into(),
        },
        ("integer", Value::String(text)) if text.parse::<i64>().is_ok() => text.clone(),
        ("string", Value::Number(_) | Value::Bool(_)) => format!("\"{value}\", in quotes"),
        ("array", Value::String(text)) => format!("[{}]", short(text)),
        _ => describe(schema),
    }
}

/// In words, what belongs at a place.
fn describe(schema: &JSONSchemaProps) -> String {
    if let Some(words) = &schema.enum_ {
        let words: Vec<_> = words.iter().filter_map(|JSON(word)| word.as_str()).collect();
        return any_of(&words);
    }
    match (schema.type_.as_deref(), &schema.properties) {
        (Some("object"), Some(fields)) => {
            let fields: Vec<_> = fields.keys().map(String::as_str).collect();
            format!("a group of fields: {}", fields.join(", "))
        }
        (wanted, _) => {
            let meaning = schema.description.as_deref().unwrap_or_default();
            let meaning = meaning.split(['.', ';', '\n']).next().unwrap_or_default();
            let kind = kind_wanted(wanted.unwrap_or_default());
            if meaning.is_empty() { kind.into() } else { format!("{kind}: {meaning}") }
        }
    }
}

fn any_of(words: &[&str]) -> String {
    match words {
        [only] => (*only).to_owned(),
        words => format!("one of {}", words.join(", ")),
    }
}

/// As much of a text as fits a message.
fn short(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
