//! What of a live object is ours, by the API server's own book-keeping, in a digest.
//!
//! Server-side apply notes in `metadata.managedFields` which fields an applying manager wrote.
//! What those fields hold now is compared with what they were to hold: a field that a stranger
//! changed or removed is no longer ours or has another value, and fields of others do not count.
//! So an object is looked at once, when a watch brings it, and need not be kept.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// Another one for other content; 128 bits of SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest(u128);

impl Digest {
    /// Of a value. Fields are in the order of their names.
    pub fn of(value: &Value) -> Self {
        let hash = Sha256::digest(value.to_string().as_bytes());
        let mut first = [0; 16];
        first.copy_from_slice(&hash[..16]);
        Self(u128::from_be_bytes(first))
    }
}

/// Of an object that is to be applied.
pub fn digest_of_wanted(object: &Value) -> Digest {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        forget_names(fields);
    }
    Digest::of(&object)
}

/// Of what a manager has applied to an object, as it is now.
pub fn digest_of_owned(object: &Value, managers: &[ManagedFieldsEntry], manager: &str) -> Digest {
    let ours = managers.iter().find(|entry| {
        entry.manager.as_deref() == Some(manager)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.as_deref().unwrap_or_default().is_empty()
    });
    let fields = ours.and_then(|entry| entry.fields_v1.as_ref()).map(|fields| &fields.0);
    let mut owned = fields.and_then(|fields| part(object, fields)).unwrap_or_default();
    if let Some(fields) = owned.as_object_mut() {
        forget_names(fields);
    }
    Digest::of(&owned)
}

/// What an object is called is not among the fields that anybody owns.
fn forget_names(object: &mut Map<String, Value>) {
    object.remove("apiVersion");
    object.remove("kind");
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        for name in ["name", "namespace", "uid", "resourceVersion"] {
            metadata.remove(name);
        }
        if metadata.is_empty() {
            object.remove("metadata");
        }
    }
}

/// The part of a value that a set of fields names, as `FieldsV1` writes sets.
fn part(value: &Value, fields: &Value) -> Option<Value> {
    let fields = fields.as_object()?;
    let mut below = fields.iter().filter(|(key, _)| *key != ".").peekable();
    if below.peek().is_none() {
        // Named itself, alone: a single value, or a whole that is one to the API server.
        let only_there = fields.contains_key(".");
        return Some(if only_there { empty_like(value) } else { value.clone() });
    }
    match value {
        Value::Object(object) => {
            let mut owned = Map::new();
            for (key, inner) in below {
                let name = key.strip_prefix("f:")?;
                if let Some(found) = object.get(name).and_then(|found| part(found, inner)) {
                    owned.insert(name.to_owned(), found);
                }
            }
            Some(Value::Object(owned))
        }
        Value::Array(items) => {
            let below: Vec<_> = below.collect();
            // In the order of the list, as that is what was applied.
            let owned = items.iter().enumerate().filter_map(|(at, item)| {
                let (_, inner) = below.iter().find(|(key, _)| names(key, at, item))?;
                part(item, inner)
            });
            Some(Value::Array(owned.collect()))
        }
        _ => None,
    }
}

fn empty_like(value: &Value) -> Value {
    match value {
        Value::Object(_) => Value::Object(Map::new()),
        Value::Array(_) => Value::Array(Vec::new()),
        single => single.clone(),
    }
}

/// Whether a key of a set names this item of a list: by fields of it, by its value or its place.
fn names(key: &str, at: usize, item: &Value) -> bool {
    match key.split_once(':') {
        Some(("k", key)) => {
            let Ok(Value::Object(key)) = serde_json::from_str(key) else { return false };
            key.iter().all(|(name, value)| item.get(name) == Some(value))
        }
        Some(("v", value)) => {
            serde_json::from_str::<Value>(value).is_ok_and(|value| value == *item)
        }
        Some(("i", place)) => place.parse() == Ok(at),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::FieldsV1;
    use serde_json::json;

    use super::*;

    const WE: &str = "soulfra-operator";

    fn entry(manager: &str, fields: Value) -> ManagedFieldsEntry {
        ManagedFieldsEntry {
            manager: Some(manager.to_owned()),
            operation: Some("Apply".to_owned()),
            fields_v1: Some(FieldsV1(fields)),
            ..ManagedFieldsEntry::default()
        }
    }

    fn wanted() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "runtime", "namespace": "tenant-a", "labels": {"a": "1"}},
            "spec": {
                "replicas": 2,
                "tolerations": [{"key": "x"}],
                "containers": [{"name": "b", "image": "i", "emptyDir": {}}],
            },
        })
    }

    fn ours() -> Value {
        json!({
            "f:metadata": {"f:labels": {"f:a": {}}},
            "f:spec": {
                "f:replicas": {},
                "f:tolerations": {},
                "f:containers": {"k:{\"name\":\"b\"}": {
                    ".": {}, "f:name": {}, "f:image": {}, "f:emptyDir": {},
                }},
            },
        })
    }

    fn live() -> Value {
        let mut live = wanted();
        live["metadata"]["labels"]["of-others"] = json!("2");
        live["metadata"]["uid"] = json!("u");
        live["spec"]["strategy"] = json!({"type": "RollingUpdate"});
        live["spec"]["containers"] = json!([
            {"name": "injected", "image": "j"},
            {"name": "b", "image": "i", "emptyDir": {}, "pullPolicy": "Always"},
        ]);
        live["status"] = json!({"ready": 1});
        live
    }

    #[test]
    fn what_others_added_does_not_count() {
        let found = digest_of_owned(&live(), &[entry("other", json!({})), entry(WE, ours())], WE);
        assert_eq!(found, digest_of_wanted(&wanted()));
    }

    #[test]
    fn what_others_changed_or_took_counts() {
        let managers = [entry(WE, ours())];
        let mut changed = live();
        changed["spec"]["replicas"] = json!(3);
        let mut without = live();
        without["metadata"]["labels"].as_object_mut().unwrap().remove("a");
        let mut emptied = live();
        emptied["spec"]["containers"].as_array_mut().unwrap().pop();
        for altered in [changed, without, emptied] {
            let found = digest_of_owned(&altered, &managers, WE);
            assert_ne!(found, digest_of_wanted(&wanted()), "{altered}");
        }
        let mut taken = ours();
        taken["f:spec"].as_object_mut().unwrap().remove("f:replicas");
        let found = digest_of_owned(&live(), &[entry(WE, taken)], WE);
        assert_ne!(found, digest_of_wanted(&wanted()));
    }

    #[test]
    fn an_object_that_we_never_applied_has_nothing_of_ours() {
        assert_eq!(digest_of_owned(&live(), &[], WE), Digest::of(&Value::Null));
    }

    #[test]
    fn lists_are_named_by_value_and_by_place_too() {
        let value = json!({"set": ["a", "b"], "list": [1, 2]});
        let fields = json!({"f:set": {"v:\"b\"": {}}, "f:list": {"i:0": {}}});
        assert_eq!(part(&value, &fields), Some(json!({"set": ["b"], "list": [1]})));
    }
}
