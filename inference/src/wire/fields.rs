//! Reads a JSON object strictly: every field is asked for by name, and what nobody asked for is
//! refused. `null` is the same as leaving a field out, as clients expect.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};
use web::Problem;

use super::refusal::{Refusal, clipped};

/// What is left to read of an object, and where in the body it is.
pub(super) struct Fields {
    path: String,
    members: Map<String, Value>,
}

impl Fields {
    /// The object that a body is.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let mut json = serde_json::Deserializer::from_slice(body);
        let value = serde_path_to_error::deserialize(&mut json)
            .map_err(|error| unreadable(&error.path().to_string(), error.inner()))?;
        json.end().map_err(|error| unreadable(".", &error))?;
        match value {
            Value::Object(members) => Ok(Self { path: String::new(), members }),
            other => Err(Refusal::wrong_type("body", "an object", &other)),
        }
    }

    /// The object that `value` is; `path` is where it was found.
    pub(super) fn of(value: Value, path: impl Into<String>) -> Result<Self, Refusal> {
        let path = path.into();
        match value {
            Value::Object(members) => Ok(Self { path, members }),
            other => Err(Refusal::wrong_type(&path, "an object", &other)),
        }
    }

    /// Where in the body a field of it is.
    pub(super) fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// A field of any type, `None` where it is null or not there.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !value.is_null())
    }

    /// The same, and it stays to be read.
    pub(super) fn peek(&self, name: &str) -> Option<&Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(Refusal::wrong_type(&self.at(name), "a text", &other)),
        }
    }

    pub(super) fn needed_text(&mut self, name: &str) -> Result<String, Refusal> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(other) => Err(Refusal::wrong_type(&self.at(name), "true or false", &other)),
        }
    }

    pub(super) fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(other) => Err(Refusal::wrong_type(&self.at(name), "a list", &other)),
        }
    }

    pub(super) fn object(&mut self, name: &str) -> Result<Option<Self>, Refusal> {
        self.take(name).map(|value| Self::of(value, self.at(name))).transpose()
    }

    /// A whole number.
    pub(super) fn count(
        &mut self,
        name: &str,
        allowed: RangeInclusive<usize>,
    ) -> Result<Option<usize>, Refusal> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let at = self.at(name);
        let range = format!("it must be from {} to {}.", allowed.start(), allowed.end());
        let is_whole = |number: &serde_json::Number| number.is_u64() || number.is_i64();
        match &value {
            Value::Number(number) if is_whole(number) => {
                let number = number.as_u64().and_then(|number| usize::try_from(number).ok());
                let number = number.filter(|number| allowed.contains(number));
                number.map(Some).ok_or_else(|| Refusal::out_of_range(&at, &range))
            }
            other => Err(Refusal::wrong_type(&at, "a whole number", other)),
        }
    }

    /// A number. `above` says whether `low` itself is too low.
    pub(super) fn number(
        &mut self,
        name: &str,
        low: Low,
        high: f32,
    ) -> Result<Option<f32>, Refusal> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let at = self.at(name);
        // As f32, which is what engines compute with: 1e-60 is 0 to them.
        #[expect(clippy::cast_possible_truncation, reason = "out of range where it does")]
        let number = value.as_f64().map(|number| number as f32);
        let Some(number) = number else {
            return Err(Refusal::wrong_type(&at, "a number", &value));
        };
        let (is_high_enough, least) = match low {
            Low::AtLeast(low) => (number >= low, format!("at least {low}")),
            Low::Above(low) => (number > low, format!("above {low}")),
        };
        if is_high_enough && number <= high {
            return Ok(Some(number));
        }
        Err(Refusal::out_of_range(&at, &format!("it must be {least} and at most {high}.")))
    }

    /// Fields that change nothing here, whatever they say.
    pub(super) fn skip(&mut self, names: &[&str]) {
        for name in names {
            self.members.remove(*name);
        }
    }

    /// A field that may only have a value that asks for nothing.
    pub(super) fn neutral(
        &mut self,
        name: &str,
        asks_for_nothing: impl FnOnce(&Value) -> bool,
        instead: &str,
    ) -> Result<(), Refusal> {
        match self.take(name) {
            Some(value) if !asks_for_nothing(&value) => {
                Err(Refusal::unsupported(&self.at(name), instead))
            }
            _ => Ok(()),
        }
    }

    /// Fields that are not done here and may only be null.
    pub(super) fn absent(&mut self, names: &[&str]) -> Result<(), Refusal> {
        names.iter().try_for_each(|name| self.neutral(name, |_| false, "leave it out."))
    }

    /// Refuses what nobody asked for.
    pub(super) fn end(self) -> Result<(), Refusal> {
        match self.members.keys().next() {
            None => Ok(()),
            Some(name) => {
                let at = self.at(&clipped(name));
                let detail = "it is not known here; leave it out.";
                Err(Refusal::of(&at, "unknown-field", "A field is unknown.", detail))
            }
        }
    }

    /// The refusal of an object that lacks a field.
    pub(super) fn missing(&self, name: &str) -> Refusal {
        let title = "A field is missing.";
        Refusal::of(&self.at(name), "missing-field", title, "it is needed.")
    }
}

/// The lower end of what a number may be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Low {
    /// This, or more.
    AtLeast(f32),
    /// More than this.
    Above(f32),
}

fn unreadable(path: &str, error: &serde_json::Error) -> Refusal {
    let title = "The request could not be read.";
    // `.` is the body itself, and `?` a place without a name.
    if path.starts_with(['.', '?']) {
        let problem = Problem::bad_request("unreadable-request", title).detail(error.to_string());
        return Refusal::from(problem);
    }
    Refusal::of(&clipped(path), "unreadable-request", title, &error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal<T>(body: &str, read: impl FnOnce(&mut Fields) -> Result<T, Refusal>) -> Refusal {
        let read = Fields::parse(body.as_bytes()).and_then(|mut fields| {
            read(&mut fields)?;
            fields.end()
        });
        read.expect_err(body)
    }

    #[test]
    fn numbers_that_are_none_are_refused_by_the_name_of_their_field() {
        let number = |fields: &mut Fields| fields.number("n", Low::Above(0.0), 2.0);
        for (body, code) in [
            (r#"{"n": NaN}"#, "unreadable-request"),
            (r#"{"n": Infinity}"#, "unreadable-request"),
            (r#"{"n": 1e999}"#, "unreadable-request"),
            (r#"{"n": 1e300}"#, "out-of-range"),
            (r#"{"n": 0}"#, "out-of-range"),
            (r#"{"n": -1}"#, "out-of-range"),
            (r#"{"n": 1e-300}"#, "out-of-range"),
            (r#"{"n": "1"}"#, "wrong-type"),
            (r#"{"n": true}"#, "wrong-type"),
        ] {
            let refusal = refusal(body, number);
            assert_eq!(refusal.param.as_deref(), Some("n"), "{body}");
            assert_eq!(refusal.problem.code, code, "{body}");
        }
        let count = |fields: &mut Fields| fields.count("n", 1..=4);
        for (body, code) in [
            (r#"{"n": 1.5}"#, "wrong-type"),
            (r#"{"n": -1}"#, "out-of-range"),
            (r#"{"n": 18446744073709551615}"#, "out-of-range"),
        ] {
            assert_eq!(refusal(body, count).problem.code, code, "{body}");
        }
    }

    #[test]
    fn what_nobody_asked_for_is_refused_by_its_path() {
        let read = |fields: &mut Fields| fields.object("a").and_then(|a| a.unwrap().end());
        let refusal = refusal(r#"{"a": {"b": 1}}"#, read);
        assert_eq!(refusal.param.as_deref(), Some("a.b"));
        assert_eq!(refusal.problem.code, "unknown-field");
    }

    #[test]
    fn what_is_no_object_is_refused_without_a_deep_stack() {
        for body in ["", "[]", "1", "{}x", "\u{feff}{}", &"[".repeat(100_000), "{\"a\":"] {
            assert_eq!(refusal(body, |_| Ok(())).problem.status, 400, "{body:.9}");
        }
    }

    #[test]
    fn null_is_the_same_as_nothing() {
        let mut fields = Fields::parse(br#"{"a": null, "b": null}"#).unwrap();
        assert_eq!(fields.text("a").unwrap(), None);
        fields.absent(&["b"]).unwrap();
        fields.end().unwrap();
    }
}
