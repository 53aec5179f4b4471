//! What a change starts again, or stops.

use super::objects::{FieldChange, ObjectChange};
use crate::decide::Plan;
use crate::object::ObjectId;

/// Pods that would be started again, or stopped.
#[derive(Clone, Debug, PartialEq)]
pub struct Restart {
    /// What they belong to.
    pub object: ObjectId,
    /// Whether people notice.
    pub manner: Manner,
    /// The values that ask for it.
    pub because: Vec<FieldChange>,
}

/// How pods are started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// New copies serve before old ones go.
    Rolling,
    /// All go before new ones come: nobody is served meanwhile.
    Away,
    /// All go and none comes.
    Stopped,
}

pub(super) fn restarts(changes: &[ObjectChange], after: &Plan<'_>) -> Vec<Restart> {
    changes.iter().filter_map(|change| restart(change, after)).collect()
}

fn restart(change: &ObjectChange, after: &Plan<'_>) -> Option<Restart> {
    let of = |manner, because: Vec<FieldChange>| {
        Some(Restart { object: change.id().clone(), manner, because })
    };
    match (change, change.id().kind) {
        (ObjectChange::Removed(_), "Deployment" | "Cluster") => of(Manner::Stopped, Vec::new()),
        (ObjectChange::Changed(_, fields), "Deployment") => {
            let at = |wanted: &str| {
                let is = |field: &&FieldChange| field.path.starts_with(wanted);
                fields.iter().filter(is).cloned().collect::<Vec<_>>()
            };
            let stopped = at("spec.replicas")
                .into_iter()
                .filter(|field| field.after.as_ref().is_some_and(|after| after == 0));
            let stopped: Vec<_> = stopped.collect();
            let pods = at("spec.template.");
            if !stopped.is_empty() {
                of(Manner::Stopped, stopped)
            } else if pods.is_empty() || after.copies.stopped.is_some() {
                None
            } else if change.id().name == "runtime" {
                of(Manner::Rolling, pods)
            } else {
                of(Manner::Away, pods)
            }
        }
        (ObjectChange::Changed(_, fields), "Cluster") => {
            // One instance after the other, the leading one last; a single one is away meanwhile.
            let asks = ["spec.imageName", "spec.resources", "spec.affinity"];
            let is = |field: &&FieldChange| asks.iter().any(|path| field.path.starts_with(path));
            let because: Vec<_> = fields.iter().filter(is).cloned().collect();
            let alone = after.allowance.database_instances == 1;
            let manner = if alone { Manner::Away } else { Manner::Rolling };
            if because.is_empty() { None } else { of(manner, because) }
        }
        _ => None,
    }
}
