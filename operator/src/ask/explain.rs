//! Why a value of an object is what it is.

use std::collections::BTreeSet;

use plan::Objects;

use super::known::{AskError, Known};
use crate::kind::Kind;

impl Known {
    /// Each value at a field of an object of a platform, with where it comes from.
    ///
    /// # Errors
    /// Where there is no such platform, object or field: with those that there are.
    pub fn explain(&self, platform: &str, object: &str, field: &str) -> Result<String, AskError> {
        let Some(blueprint) = self.blueprints.get(platform) else {
            return Err(self.no_platform(platform));
        };
        let installation = self.installation_for(&self.installation, blueprint);
        let plan = self.plan(blueprint, &installation).map_err(|why| {
            AskError::Not(format!("nothing is made for {platform} as it stands: {why}"))
        })?;
        let objects = plan.objects();
        let (word, name) = object.split_once('/').unwrap_or((object, ""));
        let is_it = |found: &&plan::Object| {
            let id = found.id();
            is_called(word, id.api_version, id.kind) && id.name == name
        };
        let Some(found) = objects.iter().find(is_it) else {
            let all: Vec<_> = each(&objects).collect();
            return Err(AskError::Not(format!(
                "{platform} has no object {object} of ours; it has: {}",
                all.join(", ")
            )));
        };
        let leaves = found.explain(field);
        if leaves.is_empty() {
            let leaves = found.leaves();
            let top =
                |path: &str| path.split(['.', '[', ':']).next().unwrap_or_default().to_owned();
            let tops: BTreeSet<_> = leaves.iter().map(|leaf| top(&leaf.path)).collect();
            let tops: Vec<_> = tops.into_iter().collect();
            return Err(AskError::Not(format!(
                "{} of {platform} has no field {field} of ours: if it is there, Kubernetes or \
                 somebody else wrote it; ours are below: {}",
                found.id(),
                tops.join(", ")
            )));
        }
        let lines: Vec<_> = leaves.iter().map(ToString::to_string).collect();
        Ok(format!("{} of {platform}\n{}\n", found.id(), lines.join("\n")))
    }

    fn no_platform(&self, name: &str) -> AskError {
        if let Some(why) = self.unreadable.get(name) {
            return AskError::Not(format!(
                "this version of the operator cannot read the blueprint of {name}: {why}"
            ));
        }
        let all: Vec<_> = self.blueprints.keys().take(NAMED).map(String::as_str).collect();
        let all = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
        AskError::Not(format!("there is no platform {name}; the first of those there are: {all}"))
    }
}

/// Platforms that are named where another one was asked for.
const NAMED: usize = 10;

/// Each object, as it is asked for.
fn each(objects: &Objects) -> impl Iterator<Item = String> {
    let shown = |id: &plan::ObjectId| format!("{}/{}", id.kind.to_lowercase(), id.name);
    objects.iter().map(move |object| shown(object.id()))
}

/// Whether `kubectl` would take the word for this kind.
fn is_called(word: &str, api_version: &str, kind: &str) -> bool {
    let word = word.to_lowercase();
    let plural = Kind::of(api_version, kind).map(|kind| kind.resource().plural);
    word == kind.to_lowercase() || Some(word) == plural
}
