//! Two lists of objects, compared value by value.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::node::Leaf;
use crate::object::{Object, ObjectId, Objects};
use crate::origin::Origin;

/// What would be done to an object.
#[derive(Clone, Debug, PartialEq)]
pub enum ObjectChange {
    /// It would be made.
    Made(ObjectId),
    /// Some of its fields would change.
    Changed(ObjectId, Vec<FieldChange>),
    /// It would be taken away.
    Removed(ObjectId),
}

impl ObjectChange {
    /// The object.
    pub fn id(&self) -> &ObjectId {
        match self {
            Self::Made(id) | Self::Changed(id, _) | Self::Removed(id) => id,
        }
    }
}

/// A value that would change.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Where it is.
    pub path: String,
    /// What it was; nothing where it was not there.
    pub before: Option<Value>,
    /// What it would be; nothing where it would not be there.
    pub after: Option<Value>,
    /// Why it is that, or why it was where it would be no more.
    pub origin: Origin,
}

/// Everything that differs, new and changed objects in the order of the new list, then those that
/// would go.
pub(super) fn compare(old: &Objects, new: &Objects) -> Vec<ObjectChange> {
    let known: BTreeMap<_, _> = old.iter().map(|object| (object.id(), object)).collect();
    let kept: BTreeSet<_> = new.iter().map(Object::id).collect();
    let there = new.iter().filter_map(|object| match known.get(object.id()) {
        None => Some(ObjectChange::Made(object.id().clone())),
        // Most objects of most changes: nothing of them is taken apart.
        Some(before) if *before == object => None,
        Some(before) => {
            let fields = fields(before, object);
            (!fields.is_empty()).then(|| ObjectChange::Changed(object.id().clone(), fields))
        }
    });
    let gone = old.iter().map(Object::id).filter(|id| !kept.contains(id));
    there.chain(gone.map(|id| ObjectChange::Removed(id.clone()))).collect()
}

fn fields(old: &Object, new: &Object) -> Vec<FieldChange> {
    let by_path = |leaves: Vec<Leaf<'_>>| -> BTreeMap<String, (Value, Origin)> {
        leaves.into_iter().map(|leaf| (leaf.path, (leaf.value, leaf.origin.clone()))).collect()
    };
    let (mut old, new) = (by_path(old.leaves()), by_path(new.leaves()));
    let mut found = Vec::new();
    for (path, (after, origin)) in new {
        let before = old.remove(&path).map(|(before, _)| before);
        if before.as_ref() != Some(&after) {
            found.push(FieldChange { path, before, after: Some(after), origin });
        }
    }
    let gone = old.into_iter().map(|(path, (before, origin))| FieldChange {
        path,
        before: Some(before),
        after: None,
        origin,
    });
    found.extend(gone);
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}
