//! The difference between two blueprints, field by field, for people.

use std::{collections::BTreeSet, fmt};

use serde::Serialize;
use serde_json::Value;

use crate::{PlatformBlueprint, problem::below};

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The field. Entries of lists with ids are named by them:
    /// `spec.monetization.tiers[pro].price.amount`.
    pub path: String,
    /// What it was; nothing where it was not there.
    pub before: Option<Value>,
    /// What it is; nothing where it is no more.
    pub after: Option<Value>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "{}: {before} -> {after}", self.path),
            (None, Some(after)) => write!(f, "{}: added {after}", self.path),
            (Some(before), None) => write!(f, "{}: removed {before}", self.path),
            (None, None) => f.write_str(&self.path),
        }
    }
}

/// Every field of name, labels, annotations and spec in which `new` differs from `old`.
pub fn changes(old: &PlatformBlueprint, new: &PlatformBlueprint) -> Vec<Change> {
    let (old, new) = (canonical(old), canonical(new));
    let mut found = Vec::new();
    compare(Some(&old), Some(&new), String::new(), &mut found);
    found
}

/// What the canonical text says.
pub(crate) fn canonical(blueprint: &PlatformBlueprint) -> Value {
    crate::read::parse(&crate::write(blueprint)).unwrap_or_default()
}

fn compare(before: Option<&Value>, after: Option<&Value>, path: String, found: &mut Vec<Change>) {
    match (before, after) {
        (before, after) if before == after => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
            for name in names {
                compare(old.get(name), new.get(name), below(&path, name), found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if keyed(old) && keyed(new) => {
            compare_keyed(old, new, &path, found);
        }
        _ => found.push(Change { path, before: before.cloned(), after: after.cloned() }),
    }
}

fn compare_keyed(old: &[Value], new: &[Value], path: &str, found: &mut Vec<Change>) {
    let order = |list: &[Value]| list.iter().filter_map(id).map(ToOwned::to_owned).collect();
    let (ids_old, ids_new): (Vec<String>, Vec<String>) = (order(old), order(new));
    let find =
        |list: &[Value], wanted: &str| list.iter().find(|item| id(item) == Some(wanted)).cloned();
    let added = ids_new.iter().filter(|id| !ids_old.contains(id));
    for id in ids_old.iter().chain(added) {
        let path = below(path, &format!("[{id}]"));
        compare(find(old, id).as_ref(), find(new, id).as_ref(), path, found);
    }
    let kept = |ids: &[String], others: &[String]| -> Vec<Value> {
        ids.iter().filter(|id| others.contains(id)).map(|id| id.as_str().into()).collect()
    };
    let (before, after) = (kept(&ids_old, &ids_new), kept(&ids_new, &ids_old));
    if before != after {
        let (before, after) = (Some(before.into()), Some(after.into()));
        found.push(Change { path: below(path, "[order]"), before, after });
    }
}

fn id(item: &Value) -> Option<&str> {
    item.get("id").and_then(Value::as_str)
}

/// Whether every entry has an id.
fn keyed(list: &[Value]) -> bool {
    list.iter().all(|item| id(item).is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(old: &Value, new: &Value) -> Vec<String> {
        let mut found = Vec::new();
        compare(Some(old), Some(new), String::new(), &mut found);
        found.iter().map(Change::to_string).collect()
    }

    #[test]
    fn only_what_differs_is_told() {
        let old = json!({"a": {"b": 1, "same": true}, "list": [1, 2], "gone": "x"});
        let new = json!({"a": {"b": 2, "same": true}, "list": [2], "new": null});
        assert_eq!(
            shown(&old, &new),
            ["a.b: 1 -> 2", "gone: removed \"x\"", "list: [1,2] -> [2]", "new: added null"]
        );
    }

    #[test]
    fn entries_with_ids_are_found_wherever_they_stand() {
        let old = json!([{"id": "free", "n": 0}, {"id": "pro", "n": 9}, {"id": "old", "n": 1}]);
        let new = json!([{"id": "pro", "n": 12}, {"id": "free", "n": 0}, {"id": "new", "n": 3}]);
        assert_eq!(
            shown(&old, &new),
            [
                "[pro].n: 9 -> 12",
                "[old]: removed {\"id\":\"old\",\"n\":1}",
                "[new]: added {\"id\":\"new\",\"n\":3}",
                "[order]: [\"free\",\"pro\"] -> [\"pro\",\"free\"]",
            ]
        );
        assert!(shown(&json!({"t": []}), &json!({"t": []})).is_empty());
    }
}
