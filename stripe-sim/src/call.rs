//! One call as an operation sees it: whose books, which object, and the parameters that are left.

use serde_json::Value;

use crate::refusal::Refusal;
use crate::state::State;
use crate::value::{Fields, merge_metadata};

/// What an operation answers.
pub(crate) type Outcome = Result<Value, Refusal>;

/// A call that was understood.
pub(crate) struct Call<'a> {
    pub(crate) state: &'a mut State,
    /// Whose books.
    pub(crate) account: String,
    /// The path, for lists.
    pub(crate) url: String,
    places: std::vec::IntoIter<String>,
    given: Fields,
}

impl<'a> Call<'a> {
    pub(crate) fn new(
        state: &'a mut State,
        account: &str,
        url: &str,
        places: Vec<String>,
        given: Fields,
    ) -> Self {
        let (account, url) = (account.to_owned(), url.to_owned());
        Self { state, account, url, places: places.into_iter(), given }
    }

    /// The next id in the path.
    pub(crate) fn place(&mut self) -> String {
        self.places.next().unwrap_or_default()
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.given.remove(name)
    }

    pub(crate) fn take_text(&mut self, name: &str) -> Option<String> {
        self.take(name)?.as_str().map(str::to_owned).filter(|text| !text.is_empty())
    }

    pub(crate) fn take_int(&mut self, name: &str) -> Option<i64> {
        self.take(name)?.as_i64()
    }

    pub(crate) fn take_flag(&mut self, name: &str) -> bool {
        self.take(name).and_then(|value| value.as_bool()).unwrap_or_default()
    }

    pub(crate) fn take_list(&mut self, name: &str) -> Vec<Value> {
        self.take(name).and_then(|value| value.as_array().cloned()).unwrap_or_default()
    }

    /// A parameter or null.
    pub(crate) fn or_null(&mut self, name: &str) -> Value {
        match self.take(name) {
            Some(Value::String(text)) if text.is_empty() => Value::Null,
            value => value.unwrap_or_default(),
        }
    }

    /// The metadata of something new.
    pub(crate) fn metadata(&mut self) -> Value {
        let mut metadata = Value::Object(Fields::new());
        if let Some(given) = self.take("metadata") {
            merge_metadata(&mut metadata, &given);
        }
        metadata
    }

    /// Every parameter was taken. What is left Stripe knows, and the simulator does not.
    pub(crate) fn done(&self) -> Result<(), Refusal> {
        match self.given.keys().next() {
            Some(name) => Err(Refusal::not_simulated(&format!("the parameter {name}"))),
            None => Ok(()),
        }
    }

    /// The object of this kind that the path names.
    pub(crate) fn object(&mut self, kind: &'static str, param: &str) -> Outcome {
        let id = self.place();
        self.state.get(&self.account, kind, &id, param)
    }

    /// Writes those of the parameters that are fields of the object, metadata among them, keeps
    /// it and tells of it.
    pub(crate) fn update(
        &mut self,
        kind: &'static str,
        mut object: Value,
        names: &[&str],
    ) -> Outcome {
        let before = object.clone();
        for name in names {
            if let Some(value) = self.take(name) {
                object[*name] = if value.as_str() == Some("") { Value::Null } else { value };
            }
        }
        if let Some(given) = self.take("metadata") {
            merge_metadata(&mut object["metadata"], &given);
        }
        self.done()?;
        Ok(self.save(kind, &before, object))
    }

    /// Keeps an object that changed and tells of it.
    pub(crate) fn save(&mut self, kind: &'static str, before: &Value, object: Value) -> Value {
        self.state.put(&self.account, kind, object.clone());
        let event = format!("{}.updated", event_name(kind));
        self.state.emit_change(&self.account, &event, before, &object);
        object
    }

    /// Keeps a new object and tells of it.
    pub(crate) fn create(&mut self, kind: &'static str, object: Value) -> Value {
        self.state.put(&self.account, kind, object.clone());
        let event = format!("{}.created", event_name(kind));
        self.state.emit(&self.account, &event, &object);
        object
    }
}

/// What an object is called in the names of events.
fn event_name(kind: &str) -> &str {
    match kind {
        "subscription" => "customer.subscription",
        "dispute" => "charge.dispute",
        kind => kind,
    }
}

/// An amount that must be positive.
pub(crate) fn positive(amount: i64, name: &str) -> Result<i64, Refusal> {
    if amount > 0 {
        return Ok(amount);
    }
    Err(Refusal::invalid("This value must be greater than or equal to 1.")
        .code("parameter_invalid_integer")
        .param(name))
}
