//! An object for the API server, and an ordered list of them.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::node::{Leaf, Node};
use crate::origin::Origin;
use crate::secrets::{MissingSecret, Secrets};

/// What an object is and what it is called; the same for as long as it is there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Group and version, such as `apps/v1`.
    pub api_version: &'static str,
    /// Kind, such as `Deployment`.
    pub kind: &'static str,
    /// Its name in the namespace.
    pub name: String,
}

impl std::fmt::Display for ObjectId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// An object as it is to be. All of it is ours: what is not in it belongs to others or to defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    id: ObjectId,
    node: Node,
}

impl Object {
    pub(crate) fn new(id: ObjectId, node: Node) -> Self {
        Self { id, node }
    }

    /// What it is and what it is called.
    pub fn id(&self) -> &ObjectId {
        &self.id
    }

    /// As people may see it: secrets are hidden, and it cannot be applied where it has any.
    pub fn shown(&self) -> Value {
        self.node.shown()
    }

    /// As the API server is to have it.
    ///
    /// # Errors
    /// Where a secret that it needs was not handed in.
    pub fn filled(&self, secrets: &Secrets) -> Result<Value, MissingSecret> {
        self.node.filled(secrets)
    }

    /// Every single value of it, with its path and where it comes from.
    pub fn leaves(&self) -> Vec<Leaf<'_>> {
        self.node.leaves()
    }

    /// Where the value at a path comes from, or each value below it; nothing where no such field
    /// is ours. Paths are read as [`Leaf::path`] and `kubectl` write them.
    pub fn explain(&self, path: &str) -> Vec<Leaf<'_>> {
        let asked = path.trim().trim_start_matches(['$', '.']).replace('\'', "\"");
        let is_at = |leaf: &Leaf<'_>| {
            let rest = leaf.path.strip_prefix(asked.as_str());
            rest.is_some_and(|rest| {
                asked.is_empty() || rest.is_empty() || rest.starts_with(['.', '[', ':'])
            })
        };
        self.leaves().into_iter().filter(is_at).collect()
    }

    /// SHA-256 of [`Object::shown`] in hex: another one where anything but a secret differs.
    pub fn hash(&self) -> String {
        hash(&self.shown())
    }
}

/// Everything a platform is made of, in the order in which it is to be applied: what limits pods
/// before pods, what they read before they start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Objects(Vec<Object>);

impl Objects {
    pub(crate) fn new(objects: impl IntoIterator<Item = Object>) -> Self {
        Self(objects.into_iter().collect())
    }

    /// Each of them, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Object> {
        self.0.iter()
    }

    /// The one of this kind and name.
    pub fn find(&self, kind: &str, name: &str) -> Option<&Object> {
        self.iter().find(|object| object.id.kind == kind && object.id.name == name)
    }

    /// All of them as one JSON text, the same for the same plan to the byte; secrets are hidden.
    pub fn text(&self) -> String {
        let shown: Vec<_> = self.iter().map(Object::shown).collect();
        format!("{:#}\n", Value::Array(shown))
    }

    /// SHA-256 of all of them in hex: another one where anything but a secret differs.
    pub fn hash(&self) -> String {
        hash(&Value::Array(self.iter().map(Object::shown).collect()))
    }
}

impl<'a> IntoIterator for &'a Objects {
    type Item = &'a Object;
    type IntoIter = std::slice::Iter<'a, Object>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// SHA-256 in hex; groups are written in the order of their names.
fn hash(value: &Value) -> String {
    format!("{:x}", Sha256::digest(value.to_string().as_bytes()))
}

/// An annotation that differs where any of these values does, so that pods which read them only at
/// their start are started again.
pub(crate) fn reads(settings: &Node) -> Node {
    Origin::Reckoned("a hash of the settings that are read only at start")
        .of(hash(&settings.shown()))
}
