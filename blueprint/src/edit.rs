//! A changed blueprint in a person's own text: only the fields that differ are written anew;
//! comments, order, blank lines and quotes of everything else stay as they are.

use std::str::FromStr;

use serde_json::{Map, Value};
use yaml_edit::{Document, Mapping, ScalarValue, Sequence, YamlNode};

use crate::{PlatformBlueprint, changes::canonical, read, write};

/// `text` with the fields changed in which `wanted` differs from it. `None` where that cannot be
/// done, such as where an alias shares what should differ: then [`write()`] is what remains.
pub fn edit(text: &str, wanted: &PlatformBlueprint) -> Option<String> {
    let (before, after) = (canonical(&read(text).ok()?), canonical(wanted));
    let document = Document::from_str(text).ok()?;
    // New values are copied from the canonical text: its order and its quotes.
    let source = Document::from_str(&write(wanted)).ok()?;
    group(
        &document.as_mapping()?,
        &source.as_mapping()?,
        (before.as_object()?, after.as_object()?),
    )?;
    let edited = document.to_string();
    // Whatever the editor made of it: it is taken only if it says what was wanted.
    let says_it = read(&edited).is_ok_and(|blueprint| write(&blueprint) == write(wanted));
    (says_it && is_json(text) == is_json(&edited)).then_some(edited)
}

type Fields = Map<String, Value>;

fn group(here: &Mapping, source: &Mapping, (before, after): (&Fields, &Fields)) -> Option<()> {
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        here.remove(name.as_str());
    }
    for (key, new) in source.iter() {
        let name = key.as_scalar()?.as_string();
        let (name, value) = (name.as_str(), after.get(&name)?);
        let old = before.get(name);
        if old == Some(value) {
            continue;
        }
        match (here.get(name), &new, value) {
            // Also where nothing was said that counts: the group may be there with a comment.
            (Some(YamlNode::Mapping(here)), YamlNode::Mapping(source), Value::Object(after)) => {
                let none = Fields::new();
                let before = old.and_then(Value::as_object).unwrap_or(&none);
                group(&here, source, (before, after))?;
            }
            (Some(YamlNode::Sequence(here)), YamlNode::Sequence(source), Value::Array(after))
                if here.len() == after.len() =>
            {
                list(&here, source, (old?.as_array()?, after))?;
            }
            (Some(YamlNode::Scalar(scalar)), _, Value::String(text)) if scalar.is_quoted() => {
                let single = scalar.value().starts_with('\'');
                here.set(name, quoted(text, single));
            }
            (_, _, Value::String(text)) if here.is_flow_style() => here.set(name, text.as_str()),
            _ => here.set(name, &new),
        }
    }
    Some(())
}

fn list(here: &Sequence, source: &Sequence, (before, after): (&[Value], &[Value])) -> Option<()> {
    for (at, value) in after.iter().enumerate() {
        let old = before.get(at)?;
        if old == value {
            continue;
        }
        match (here.get(at)?, source.get(at)?, old, value) {
            (
                YamlNode::Mapping(here),
                YamlNode::Mapping(source),
                Value::Object(before),
                Value::Object(after),
            ) => group(&here, &source, (before, after))?,
            (_, _, _, Value::String(text)) if here.is_flow_style() => {
                here.set(at, text.as_str());
            }
            (_, new, ..) => {
                here.set(at, &new);
            }
        }
    }
    Some(())
}

/// A text in the quotes that its place had.
fn quoted(text: &str, single: bool) -> ScalarValue {
    if single { ScalarValue::single_quoted(text) } else { ScalarValue::double_quoted(text) }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok()
}
