//! Server-side apply, as far as the driver needs it: groups are merged, lists are one value.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use serde_json::{Map, Value, json};

/// Fields by their path, the names on it joined by [`BETWEEN`].
pub(crate) type Fields = BTreeSet<String>;
/// Who owns which.
pub(crate) type Owned = BTreeMap<&'static str, Fields>;

const BETWEEN: char = '\u{1f}';

pub(crate) fn path(names: &[&str]) -> String {
    names.join(&BETWEEN.to_string())
}

/// Brings an object to say what a manager applies, by force; true where anything changed.
pub(crate) fn apply(
    live: &mut Value,
    owned: &mut Owned,
    manager: &'static str,
    wish: &Value,
) -> bool {
    let mut wished = Vec::new();
    leaves(wish, "", &mut wished);
    let mut changed = false;
    let mut fields = Fields::new();
    for (path, value) in wished {
        let found = get(live, &path);
        let is_group = value.is_object() && found.is_some_and(Value::is_object);
        if found != Some(value) && !is_group {
            set(live, &path, value.clone());
            taken(owned, manager, &path);
            changed = true;
        }
        fields.insert(path);
    }
    let before = owned.remove(manager).unwrap_or_default();
    for path in before.difference(&fields) {
        let is_full = get(live, path).and_then(Value::as_object).is_some_and(|it| !it.is_empty());
        if !is_full && !owned.values().any(|theirs| theirs.contains(path)) {
            remove(live, path);
        }
    }
    changed |= before != fields;
    if !fields.is_empty() {
        owned.insert(manager, fields);
    }
    changed
}

/// A stranger writes one field, or removes it.
pub(crate) fn overwrite(live: &mut Value, owned: &mut Owned, path: &str, value: Option<Value>) {
    match value {
        Some(value) => set(live, path, value),
        None => remove(live, path),
    }
    taken(owned, "", path);
}

/// Nobody but its writer owns a field from now on.
fn taken(owned: &mut Owned, by: &str, path: &str) {
    let below = format!("{path}{BETWEEN}");
    for (_, fields) in owned.iter_mut().filter(|(manager, _)| **manager != by) {
        fields.retain(|field| field != path && !field.starts_with(&below));
    }
    owned.retain(|_, fields| !fields.is_empty());
}

/// The API server's own book-keeping.
pub(crate) fn book(owned: &Owned) -> Vec<ManagedFieldsEntry> {
    let entry = |(manager, fields): (&&str, &Fields)| {
        let mut set = json!({});
        for field in fields {
            let mut at = &mut set;
            for name in field.split(BETWEEN) {
                at = at
                    .as_object_mut()
                    .unwrap()
                    .entry(format!("f:{name}"))
                    .or_insert_with(|| Value::Object(Map::new()));
            }
        }
        ManagedFieldsEntry {
            manager: Some((*manager).to_owned()),
            operation: Some("Apply".to_owned()),
            fields_v1: Some(FieldsV1(set)),
            ..ManagedFieldsEntry::default()
        }
    };
    owned.iter().map(entry).collect()
}

fn leaves<'a>(value: &'a Value, at: &str, found: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let path =
                    if at.is_empty() { name.clone() } else { format!("{at}{BETWEEN}{name}") };
                if !is_name(&path) {
                    leaves(value, &path, found);
                }
            }
        }
        single => found.push((at.to_owned(), single)),
    }
}

/// What an object is called is not among the fields that anybody owns.
fn is_name(path: &str) -> bool {
    let of_metadata = path.strip_prefix("metadata").and_then(|rest| rest.strip_prefix(BETWEEN));
    matches!(path, "apiVersion" | "kind")
        || matches!(of_metadata, Some("name" | "namespace" | "uid" | "resourceVersion"))
}

pub(crate) fn get<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split(BETWEEN).try_fold(value, |value, name| value.get(name))
}

fn set(value: &mut Value, path: &str, to: Value) {
    let mut at = value;
    for name in path.split(BETWEEN) {
        if !at.is_object() {
            *at = json!({});
        }
        at = at.as_object_mut().unwrap().entry(name).or_insert(Value::Null);
    }
    *at = to;
}

fn remove(value: &mut Value, path: &str) {
    let Some(fields) = value.as_object_mut() else { return };
    match path.split_once(BETWEEN) {
        None => {
            fields.remove(path);
        }
        Some((name, rest)) => {
            let Some(inner) = fields.get_mut(name) else { return };
            remove(inner, rest);
            if inner.as_object().is_some_and(Map::is_empty) {
                fields.remove(name);
            }
        }
    }
}
