//! One call of a function.

use serde_json::Value;

use super::declared::Function;
use crate::wire::fields::Fields;
use crate::wire::refusal::Refusal;

/// A call of a function, by the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// What its result refers to.
    pub(crate) id: String,
    /// The function.
    pub(crate) name: String,
    /// An object, as JSON.
    pub(crate) arguments: String,
}

impl Call {
    /// A call of an earlier turn, as the client sends it back.
    pub(in crate::wire) fn read(id: String, function: &mut Fields) -> Result<Self, Refusal> {
        let name = function.needed_text("name")?;
        crate::wire::shape::is_name(&function.at("name"), &name)?;
        let at = function.at("arguments");
        let arguments = function.needed_text("arguments")?;
        match serde_json::from_str::<Value>(&arguments) {
            // Written again, so that it has one form whoever wrote it.
            Ok(Value::Object(members)) => {
                Ok(Self { id, name, arguments: Value::Object(members).to_string() })
            }
            _ => Err(Refusal::of(
                &at,
                "unusable-tool-call",
                "A call of a tool cannot be read.",
                "it must be an object, written as JSON.",
            )),
        }
    }

    /// The call that a model wrote, if it is one of one of these functions.
    pub(super) fn written(text: &str, functions: &[Function], id: String) -> Option<Self> {
        let Ok(Value::Object(mut call)) = serde_json::from_str(text.trim()) else { return None };
        let Some(Value::String(name)) = call.remove("name") else { return None };
        let arguments = match call.remove("arguments")? {
            Value::String(arguments) => serde_json::from_str(&arguments).ok()?,
            arguments => arguments,
        };
        let function = functions.iter().find(|function| function.name == name)?;
        let is_allowed = function.takes(arguments.as_object()?);
        is_allowed.then(|| Self { id, name, arguments: arguments.to_string() })
    }
}
