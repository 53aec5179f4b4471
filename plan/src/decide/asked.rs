//! What a blueprint says, and what it leaves to the defaults.

use blueprint::PlatformBlueprint;
use serde_json::Value;

use crate::origin::Origin;

/// The fields that a blueprint writes.
#[derive(Clone, Debug)]
pub(crate) struct Asked(Value);

impl Asked {
    pub(crate) fn of(blueprint: &PlatformBlueprint) -> Self {
        // Plain structs: there is nothing to fail. Without any, every field is a default.
        Self(serde_json::to_value(&blueprint.spec).unwrap_or_default())
    }

    /// Where the value of a field such as `spec.runtime.replicas.min` comes from.
    pub(crate) fn origin(&self, field: &str) -> Origin {
        let mut steps = field.split('.').skip(1);
        match steps.try_fold(&self.0, |at, step| at.get(step)) {
            Some(_) => Origin::Written(field.to_owned()),
            None => Origin::Default(field.to_owned()),
        }
    }
}
