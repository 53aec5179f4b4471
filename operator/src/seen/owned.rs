//! What of a live object is ours, by the API server's own book-keeping, in a digest.
//!
//! Server-side apply notes in `metadata.managedFields` which fields an applying manager wrote.
//! What those fields hold now is compared with what they were to hold: a field that a stranger
//! changed or removed is no longer ours or has another value, and fields of others do not count.
//! So an object is looked at once, when a watch brings it, and need not be kept.

use std::iter;

use kube::core::DynamicObject;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// Another one for other content; 128 bits of SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest(u128);

impl Digest {
    /// Of a value. Fields are in the order of their names.
    pub fn of(value: &impl Serialize) -> Self {
        // Plain values: there is nothing to fail.
        let hash = Sha256::digest(serde_json::to_vec(value).unwrap_or_default());
        let mut first = [0; 16];
        first.copy_from_slice(&hash[..16]);
        Self(u128::from_be_bytes(first))
    }
}

/// Of an object that is to be applied.
pub fn digest_of_wanted(object: &Value) -> Digest {
    Digest::of(&Nameless(object))
}

/// Of what a manager has applied to an object, as it is now. Of its metadata only labels and
/// annotations count.
pub fn digest_of_owned(object: &DynamicObject, manager: &str) -> Digest {
    let fields = fields_of(object, manager).and_then(Value::as_object);
    let Some(fields) = fields else { return Digest::of(&Value::Null) };
    let mut owned = Map::new();
    for (key, inner) in fields {
        let Some(name) = key.strip_prefix("f:") else { continue };
        let found = match name {
            "metadata" => {
                let metadata = &object.metadata;
                let noted = json!({"labels": metadata.labels, "annotations": metadata.annotations});
                part(&noted, inner)
            }
            _ => object.data.get(name).and_then(|value| part(value, inner)),
        };
        owned.extend(iter::once(name.to_owned()).zip(found));
    }
    Digest::of(&Nameless(&Value::Object(owned)))
}

/// Whether a manager has applied a field: its path, as `FieldsV1` writes it.
pub fn is_owned(object: &DynamicObject, manager: &str, path: &[&str]) -> bool {
    let Some(fields) = fields_of(object, manager) else { return false };
    path.iter().try_fold(fields, |fields, name| fields.get(name)).is_some()
}

/// The fields that a manager has applied.
fn fields_of<'o>(object: &'o DynamicObject, manager: &str) -> Option<&'o Value> {
    let mut managers = object.metadata.managed_fields.iter().flatten();
    let its = managers.find(|entry| {
        entry.manager.as_deref() == Some(manager)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.as_deref().unwrap_or_default().is_empty()
    });
    Some(&its?.fields_v1.as_ref()?.0)
}

/// An object without what it is called, which is not among the fields that anybody owns.
struct Nameless<'a>(&'a Value);

/// The same of its metadata.
struct NamelessMetadata<'a>(&'a Map<String, Value>);

impl Serialize for Nameless<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Value::Object(fields) = self.0 else { return self.0.serialize(serializer) };
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in fields {
            match (name.as_str(), value) {
                ("apiVersion" | "kind", _) => {}
                ("metadata", Value::Object(metadata)) => {
                    let metadata = NamelessMetadata(metadata);
                    if metadata.fields().next().is_some() {
                        map.serialize_entry(name, &metadata)?;
                    }
                }
                _ => map.serialize_entry(name, value)?,
            }
        }
        map.end()
    }
}

impl Serialize for NamelessMetadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.fields())
    }
}

impl<'a> NamelessMetadata<'a> {
    fn fields(&self) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        const NAMES: [&str; 4] = ["name", "namespace", "uid", "resourceVersion"];
        self.0.iter().filter(|(name, _)| !NAMES.contains(&name.as_str()))
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
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
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

    fn owned_of(live: Value, managers: &[ManagedFieldsEntry]) -> Digest {
        let mut object: DynamicObject = serde_json::from_value(live).unwrap();
        object.metadata.managed_fields = Some(managers.to_vec());
        digest_of_owned(&object, WE)
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
        let found = owned_of(live(), &[entry("other", json!({})), entry(WE, ours())]);
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
            let found = owned_of(altered.clone(), &managers);
            assert_ne!(found, digest_of_wanted(&wanted()), "{altered}");
        }
        let mut taken = ours();
        taken["f:spec"].as_object_mut().unwrap().remove("f:replicas");
        let found = owned_of(live(), &[entry(WE, taken)]);
        assert_ne!(found, digest_of_wanted(&wanted()));
    }

    #[test]
    fn an_object_that_we_never_applied_has_nothing_of_ours() {
        assert_eq!(owned_of(live(), &[]), Digest::of(&Value::Null));
    }

    #[test]
    fn lists_are_named_by_value_and_by_place_too() {
        let value = json!({"set": ["a", "b"], "list": [1, 2]});
        let fields = json!({"f:set": {"v:\"b\"": {}}, "f:list": {"i:0": {}}});
        assert_eq!(part(&value, &fields), Some(json!({"set": ["b"], "list": [1]})));
    }
}
