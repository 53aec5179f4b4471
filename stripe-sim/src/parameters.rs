//! Which parameters each operation takes, as Stripe's own description of its API has it.
//!
//! The description is 8 MB and is not committed; [`excerpt()`] cuts out what is needed here, which
//! is. A test holds one against the other.

mod excerpt;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

pub use excerpt::{NoSuchOperation, excerpt};

use crate::form::Form;
use crate::refusal::Refusal;
use crate::value::Fields;

/// The committed excerpt.
#[derive(Deserialize)]
pub(crate) struct Parameters {
    shapes: Vec<Shape>,
    pub(crate) operations: BTreeMap<String, Operation>,
}

/// One operation: where it is, and what it takes.
#[derive(Deserialize)]
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) path: String,
    takes: usize,
}

/// What a parameter may be; shapes inside are named by their places.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Shape {
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "enum")]
    one_of: Vec<String>,
    #[serde(rename = "anyOf")]
    any_of: Vec<usize>,
    items: Option<usize>,
    properties: BTreeMap<String, usize>,
    required: Vec<String>,
    #[serde(rename = "additionalProperties")]
    each: Option<usize>,
    #[serde(rename = "maxLength")]
    longest: Option<usize>,
}

/// The excerpt, read once.
pub(crate) static PARAMETERS: LazyLock<Parameters> = LazyLock::new(|| {
    let text = include_str!("../generated/parameters.json");
    #[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
    serde_json::from_str(text).expect("the excerpt is whole")
});

impl Parameters {
    /// The operation at a path, and what stands in the path's places. What is written out wins.
    pub(crate) fn find(&self, method: &str, path: &str) -> Option<(&str, Vec<String>)> {
        let asked: Vec<&str> = path.split('/').collect();
        let fitting = self.operations.iter().filter_map(|(id, operation)| {
            let places = operation.places(method, &asked)?;
            Some((id.as_str(), places))
        });
        fitting.min_by_key(|(_, places)| places.len())
    }

    /// The parameters as values with types, or the first that Stripe would refuse.
    pub(crate) fn check(
        &self,
        operation: &str,
        form: Vec<(String, Form)>,
    ) -> Result<Fields, Refusal> {
        let Some(operation) = self.operations.get(operation) else { return Ok(Fields::new()) };
        match self.value(operation.takes, Form::Inner(form), "")? {
            Value::Object(fields) => Ok(fields),
            _ => Ok(Fields::new()),
        }
    }

    fn value(&self, shape: usize, form: Form, name: &str) -> Result<Value, Refusal> {
        let Some(shape) = self.shapes.get(shape) else { return Ok(Value::Null) };
        if !shape.any_of.is_empty() {
            return self.any(shape, &form, name);
        }
        match (shape.kind.as_str(), form) {
            ("object", Form::Inner(inner)) => self.object(shape, inner, name),
            ("array", Form::Inner(inner)) => self.array(shape, inner, name),
            ("object", Form::Text(_)) => Err(wrong(name, "Invalid object")),
            ("array", Form::Text(_)) => Err(wrong(name, "Invalid array")),
            (_, Form::Inner(_)) => Err(wrong(
                name,
                &format!("Invalid {}", if name.is_empty() { "form" } else { name }),
            )),
            (_, Form::Text(text)) => shape.leaf(text, name),
        }
    }

    /// The first that fits; else what the one says that is nearest: inner things to inner ones.
    fn any(&self, shape: &Shape, form: &Form, name: &str) -> Result<Value, Refusal> {
        let is_inner = matches!(form, Form::Inner(_));
        let mut said = None;
        for &option in &shape.any_of {
            let has_inner = self
                .shapes
                .get(option)
                .is_some_and(|shape| matches!(shape.kind.as_str(), "object" | "array"));
            match self.value(option, form.clone(), name) {
                Ok(value) => return Ok(value),
                Err(error) if said.is_none() || has_inner == is_inner => said = Some(error),
                Err(_) => {}
            }
        }
        Err(said.unwrap_or_else(|| wrong(name, "Invalid value")))
    }

    fn object(
        &self,
        shape: &Shape,
        inner: Vec<(String, Form)>,
        name: &str,
    ) -> Result<Value, Refusal> {
        let mut fields = Fields::new();
        for (key, form) in inner {
            let full = inside(name, &key);
            let Some(next) = shape.properties.get(&key).copied().or(shape.each) else {
                let message = format!("Received unknown parameter: {full}");
                let error = Refusal::invalid(message).code("parameter_unknown");
                return Err(error.param(full).unbegun());
            };
            let value = self.value(next, form, &full)?;
            fields.insert(key, value);
        }
        for key in &shape.required {
            if !fields.contains_key(key) {
                let full = inside(name, key);
                let message = format!("Missing required param: {full}.");
                let error = Refusal::invalid(message).code("parameter_missing");
                return Err(error.param(full).unbegun());
            }
        }
        Ok(Value::Object(fields))
    }

    fn array(
        &self,
        shape: &Shape,
        inner: Vec<(String, Form)>,
        name: &str,
    ) -> Result<Value, Refusal> {
        let mut places = Vec::new();
        for (key, form) in inner {
            let place: u32 = key.parse().map_err(|_| wrong(name, "Invalid array"))?;
            let full = inside(name, &key);
            let value =
                shape.items.map_or(Ok(Value::Null), |item| self.value(item, form, &full))?;
            places.push((place, value));
        }
        places.sort_by_key(|(place, _)| *place);
        Ok(places.into_iter().map(|(_, value)| value).collect())
    }
}

impl Operation {
    fn places(&self, method: &str, asked: &[&str]) -> Option<Vec<String>> {
        let parts: Vec<&str> = self.path.split('/').collect();
        if self.method != method || parts.len() != asked.len() {
            return None;
        }
        let mut places = Vec::new();
        for (part, asked) in parts.iter().zip(asked) {
            if part.starts_with('{') && !asked.is_empty() {
                places.push((*asked).to_owned());
            } else if part != asked {
                return None;
            }
        }
        Some(places)
    }
}

impl Shape {
    fn leaf(&self, text: String, name: &str) -> Result<Value, Refusal> {
        if !self.one_of.is_empty() && !self.one_of.contains(&text) {
            let known = self.one_of.join(", ");
            return Err(wrong(name, &format!("Invalid {name}: must be one of {known}")));
        }
        match self.kind.as_str() {
            "integer" => {
                let number: Result<i64, _> = text.parse();
                number.map(Value::from).map_err(|_| {
                    wrong(name, &format!("Invalid integer: {text}"))
                        .code("parameter_invalid_integer")
                })
            }
            "number" => {
                let number = text.parse().ok().and_then(serde_json::Number::from_f64);
                number
                    .map(Value::Number)
                    .ok_or_else(|| wrong(name, &format!("Invalid number: {text}")))
            }
            "boolean" => match text.as_str() {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                _ => Err(wrong(name, &format!("Invalid boolean: {text}"))),
            },
            _ => match self.longest {
                Some(longest) if text.chars().count() > longest => {
                    Err(wrong(name, &format!("Invalid string: at most {longest} characters")))
                }
                _ => Ok(Value::String(text)),
            },
        }
    }
}

fn inside(name: &str, key: &str) -> String {
    if name.is_empty() { key.to_owned() } else { format!("{name}[{key}]") }
}

fn wrong(name: &str, message: &str) -> Refusal {
    Refusal::invalid(message).param(name).unbegun()
}
