//! What objects are made of: values that know where they come from. None can be made without.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value};

use crate::origin::Origin;
use crate::secrets::{MissingSecret, SecretKey, Secrets};

/// Stands where a secret would. It is no base64, so the API server refuses an object that is
/// applied without its secrets.
pub const HIDDEN: &str = "(hidden)";

/// A part of an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    /// A single value, or an empty group or list.
    Leaf(Value, Origin),
    /// Fields, in the order of their names.
    Group(BTreeMap<String, Node>),
    /// Entries.
    List(Vec<Node>),
    /// A text that holds JSON.
    Text(Box<Node>),
    /// A secret, which only [`Node::filled`] shows.
    Hidden(SecretKey, Origin),
}

/// Fields with these names.
pub(crate) fn group<const N: usize>(fields: [(&str, Node); N]) -> Node {
    Node::Group(fields.into_iter().map(|(name, node)| (name.to_owned(), node)).collect())
}

/// Entries in this order.
pub(crate) fn list(items: impl IntoIterator<Item = Node>) -> Node {
    Node::List(items.into_iter().collect())
}

/// What is the same on every platform.
pub(crate) fn always(why: &'static str, value: impl Into<Value>) -> Node {
    Origin::Always(why).of(value)
}

impl Node {
    /// The same group with one more field.
    pub(crate) fn and(mut self, name: &str, node: Node) -> Self {
        if let Self::Group(fields) = &mut self {
            fields.insert(name.to_owned(), node);
        }
        self
    }

    /// The same group with one more field where there is one.
    pub(crate) fn and_some(self, name: &str, node: Option<Node>) -> Self {
        match node {
            Some(node) => self.and(name, node),
            None => self,
        }
    }

    /// As people may see it.
    pub(crate) fn shown(&self) -> Value {
        self.value(&|_| Ok(HIDDEN.to_owned())).unwrap_or_default()
    }

    /// As the API server is to have it.
    pub(crate) fn filled(&self, secrets: &Secrets) -> Result<Value, MissingSecret> {
        self.value(&|key| Ok(BASE64_STANDARD.encode(secrets.get(key)?.expose_secret().as_bytes())))
    }

    fn value(
        &self,
        secret: &impl Fn(SecretKey) -> Result<String, MissingSecret>,
    ) -> Result<Value, MissingSecret> {
        Ok(match self {
            Self::Leaf(value, _) => value.clone(),
            Self::Group(fields) => {
                let mut group = Map::new();
                for (name, node) in fields {
                    group.insert(name.clone(), node.value(secret)?);
                }
                Value::Object(group)
            }
            Self::List(items) => {
                Value::Array(items.iter().map(|node| node.value(secret)).collect::<Result<_, _>>()?)
            }
            Self::Text(inner) => Value::String(format!("{:#}\n", inner.value(secret)?)),
            Self::Hidden(key, _) => Value::String(secret(*key)?),
        })
    }

    /// Every single value as people may see it, with its path and where it comes from.
    pub(crate) fn leaves(&self) -> Vec<Leaf<'_>> {
        let mut found = Vec::new();
        self.walk(String::new(), &mut found);
        found
    }

    fn walk<'a>(&'a self, path: String, found: &mut Vec<Leaf<'a>>) {
        match self {
            Self::Leaf(value, origin) => found.push(Leaf { path, value: value.clone(), origin }),
            Self::Group(fields) => {
                for (name, node) in fields {
                    node.walk(below(&path, name), found);
                }
            }
            Self::List(items) => {
                for (at, node) in items.iter().enumerate() {
                    node.walk(format!("{path}[{at}]"), found);
                }
            }
            Self::Text(inner) => inner.walk(format!("{path}:"), found),
            Self::Hidden(_, origin) => found.push(Leaf { path, value: HIDDEN.into(), origin }),
        }
    }
}

/// A single value of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf<'a> {
    /// Where it is, such as `spec.template.spec.containers[0].image`; names that are no words stand
    /// in brackets: `metadata.labels["soulfra.io/tenant"]`. What a text holds follows a colon.
    pub path: String,
    /// What it is; never a secret.
    pub value: Value,
    /// Why it is that.
    pub origin: &'a Origin,
}

impl fmt::Display for Leaf<'_> {
    /// `spec.replicas = 3: the blueprint's spec.runtime.replicas.min`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: {}", self.path, self.value, self.origin)
    }
}

/// The path of a field below `path`.
pub(crate) fn below(path: &str, name: &str) -> String {
    let is_word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    match (is_word, path.is_empty() || path.ends_with(':')) {
        (true, true) => format!("{path}{name}"),
        (true, false) => format!("{path}.{name}"),
        (false, _) => format!("{path}[\"{name}\"]"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tree() -> Node {
        group([
            ("plain", always("a", json!({"x": [1, {}], "y": null}))),
            ("text", Node::Text(Box::new(always("b", json!({"z": true}))))),
            ("key/name", Node::Hidden(SecretKey::Inference, Origin::Always("c"))),
        ])
    }

    #[test]
    fn every_value_has_its_path_and_origin() {
        let tree = tree();
        let leaves: Vec<_> =
            tree.leaves().iter().map(|l| format!("{}={} {}", l.path, l.value, l.origin)).collect();
        let same = "the same on every platform:";
        assert_eq!(
            leaves,
            [
                format!("[\"key/name\"]=\"(hidden)\" {same} c"),
                format!("plain.x[0]=1 {same} a"),
                format!("plain.x[1]={{}} {same} a"),
                format!("plain.y=null {same} a"),
                format!("text:z=true {same} b"),
            ]
        );
    }

    #[test]
    fn secrets_show_only_where_they_are_asked_for() {
        assert_eq!(tree().shown()["key/name"], "(hidden)");
        assert_eq!(tree().shown()["text"], "{\n  \"z\": true\n}\n");
        let secrets = Secrets::default().with(SecretKey::Inference, "abc".to_owned().into());
        assert_eq!(tree().filled(&secrets).unwrap()["key/name"], "YWJj");
        let missing = tree().filled(&Secrets::default()).unwrap_err();
        assert_eq!(missing, MissingSecret(SecretKey::Inference));
    }
}
