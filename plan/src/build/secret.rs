//! Secrets: names and keys; their values are handed in when they are applied.

use std::collections::BTreeMap;

use super::labels::object;
use crate::decide::Plan;
use crate::node::{Node, always};
use crate::object::Object;
use crate::origin::Origin;
use crate::secrets::SecretKey;

pub(super) fn secrets(plan: &Plan<'_>) -> Vec<Object> {
    let mut secrets: BTreeMap<&str, BTreeMap<String, Node>> = BTreeMap::new();
    for key in SecretKey::ALL.into_iter().filter(|key| needs(plan, *key)) {
        let (secret, name) = key.place();
        let value = Node::Hidden(key, Origin::Always("a secret of this platform alone"));
        secrets.entry(secret).or_default().insert(name.to_owned(), value);
    }
    let object = |(name, data): (&str, _)| {
        let opaque = always("texts with names of our own", "Opaque");
        object(plan, ("v1", "Secret"), name, [("type", opaque), ("data", Node::Group(data))])
    };
    secrets.into_iter().map(object).collect()
}

pub(super) fn needs(plan: &Plan<'_>, key: SecretKey) -> bool {
    match key {
        SecretKey::DatabaseApp | SecretKey::DatabaseRead | SecretKey::Inference => true,
        SecretKey::Files => plan.store.is_some(),
        // A used or old one is taken away.
        SecretKey::AdminLink => plan.seen.admin_link,
    }
}
