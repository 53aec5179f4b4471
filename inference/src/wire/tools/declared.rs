//! What may be called, as the request declares it.

use serde_json::{Map, Value, json};

use crate::wire::fields::Fields;
use crate::wire::refusal::{Refusal, clipped};
use crate::wire::shape;

const MAX_FUNCTIONS: usize = 64;
const MAX_DESCRIPTION: usize = 8 * 1024;

/// A function that the client has.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Function {
    pub(super) name: String,
    pub(super) description: Option<String>,
    /// A schema of an object.
    pub(super) parameters: Value,
    /// Whether a call that lacks what the schema requires is none.
    pub(super) is_strict: bool,
}

/// Whether the model may, must or must not call something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    Never,
    Free,
    Required,
    Named(String),
}

/// What may be called and what must.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tools {
    pub(super) functions: Vec<Function>,
    pub(super) choice: Choice,
    /// Whether one answer may call several.
    pub(super) is_parallel: bool,
}

/// Where the fields of a function are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nesting {
    /// `{"type": "function", "function": {"name": ..}}`, as in chats.
    Wrapped,
    /// `{"type": "function", "name": ..}`, as in responses.
    Flat,
}

impl Tools {
    /// Reads `tools`, `tool_choice` and `parallel_tool_calls`.
    pub(crate) fn read(fields: &mut Fields, nesting: Nesting) -> Result<Self, Refusal> {
        let list = fields.list("tools")?.unwrap_or_default();
        if list.len() > MAX_FUNCTIONS {
            let most = format!("there must be at most {MAX_FUNCTIONS} of them.");
            return Err(Refusal::out_of_range(&fields.at("tools"), &most));
        }
        let mut functions: Vec<Function> = Vec::with_capacity(list.len());
        for (number, tool) in list.into_iter().enumerate() {
            let at = format!("tools[{number}]");
            let function = unwrapped(Fields::of(tool, &at)?, nesting).and_then(Function::read)?;
            if functions.iter().any(|other| other.name == function.name) {
                return Err(Refusal::out_of_range(&at, "two functions have the same name."));
            }
            functions.push(function);
        }
        let is_parallel = fields.flag("parallel_tool_calls")?.unwrap_or(true);
        let choice = choice(fields, nesting)?;
        let is_there = match &choice {
            Choice::Never | Choice::Free => true,
            Choice::Required => !functions.is_empty(),
            Choice::Named(name) => functions.iter().any(|function| function.name == *name),
        };
        if !is_there {
            return Err(Refusal::out_of_range("tool_choice", "tools has no such function."));
        }
        Ok(Self { functions, choice, is_parallel })
    }

    /// Whether the answer may hold calls.
    pub(crate) fn may_call(&self) -> bool {
        !self.functions.is_empty() && self.choice != Choice::Never
    }
}

impl Function {
    fn read(mut fields: Fields) -> Result<Self, Refusal> {
        let name = fields.needed_text("name")?;
        shape::is_name(&fields.at("name"), &name)?;
        let description = fields.text("description")?;
        if description.as_ref().is_some_and(|text| text.len() > MAX_DESCRIPTION) {
            let most = format!("it must have at most {MAX_DESCRIPTION} bytes.");
            return Err(Refusal::out_of_range(&fields.at("description"), &most));
        }
        let at = fields.at("parameters");
        let parameters = match fields.take("parameters") {
            None => json!({"type": "object", "properties": {}, "additionalProperties": false}),
            Some(mut parameters) => {
                shape::check(&at, &parameters)?;
                let kind = parameters.get("type").cloned().unwrap_or_else(|| json!("object"));
                if kind != "object" {
                    let detail = "its type must be object: arguments have names.";
                    return Err(Refusal::out_of_range(&at, detail));
                }
                parameters["type"] = kind;
                parameters
            }
        };
        let is_strict = fields.flag("strict")?.unwrap_or(false);
        fields.end()?;
        Ok(Self { name, description, parameters, is_strict })
    }

    /// Whether it can be called with these arguments, as far as their names tell.
    pub(super) fn takes(&self, arguments: &Map<String, Value>) -> bool {
        let required = self.parameters["required"].as_array().map_or(&[][..], Vec::as_slice);
        let is_there = |name: &Value| name.as_str().is_none_or(|name| arguments.contains_key(name));
        !self.is_strict || required.iter().all(is_there)
    }
}

/// The fields of a tool's function.
fn unwrapped(mut tool: Fields, nesting: Nesting) -> Result<Fields, Refusal> {
    let at = tool.at("type");
    match tool.needed_text("type")?.as_str() {
        "function" if nesting == Nesting::Flat => Ok(tool),
        "function" => {
            let function = tool.object("function")?.ok_or_else(|| tool.missing("function"))?;
            tool.end()?;
            Ok(function)
        }
        other => {
            let detail = format!("{} is none of ours: a tool is a function.", clipped(other));
            Err(Refusal::unsupported(&at, &detail))
        }
    }
}

fn choice(fields: &mut Fields, nesting: Nesting) -> Result<Choice, Refusal> {
    let Some(choice) = fields.take("tool_choice") else { return Ok(Choice::Free) };
    match choice {
        Value::String(word) => match word.as_str() {
            "none" => Ok(Choice::Never),
            "auto" => Ok(Choice::Free),
            "required" => Ok(Choice::Required),
            _ => Err(Refusal::out_of_range(
                "tool_choice",
                "known are none, auto, required and a function.",
            )),
        },
        named => {
            let mut function = unwrapped(Fields::of(named, "tool_choice")?, nesting)?;
            let name = function.needed_text("name")?;
            function.end()?;
            Ok(Choice::Named(name))
        }
    }
}
