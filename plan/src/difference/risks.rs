//! What becomes of data in a change, or could.

use blueprint::spec::DeletionPolicy;

use super::objects::ObjectChange;
use crate::decide::Plan;

/// Something that a change does to data, or could.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Risk {
    /// Data goes to another server by an export and an import; nothing is written meanwhile.
    Moves {
        /// Where it is.
        from: String,
        /// Where it is to be.
        to: String,
    },
    /// What was kept after a deletion would be removed 30 days later.
    RemovedAfterDeletion,
    /// Conversations older than so many days would be removed.
    Forgotten {
        /// Before, where there was an end.
        before: Option<u32>,
        /// From now on.
        days: u32,
    },
    /// Data has to stay in another region than the one it is in.
    Region {
        /// The region it is in, where there is one.
        before: Option<String>,
        /// The region it must stay in.
        after: String,
    },
    /// An older version would run on tables that a newer one has changed.
    OlderVersion {
        /// The version that runs.
        before: String,
        /// The version that would.
        after: String,
    },
    /// Data would go with the object that holds it.
    Gone {
        /// The object.
        object: String,
    },
}

pub(super) fn risks(before: &Plan<'_>, after: &Plan<'_>, changes: &[ObjectChange]) -> Vec<Risk> {
    let (old, new) = (&before.blueprint.spec, &after.blueprint.spec);
    let mut risks = Vec::new();
    if let (false, true) = (before.database.moves(), after.database.moves())
        && let Some(server) = &after.database.server
    {
        let (shared, own) = (server.value.name.clone(), "a server of its own".to_owned());
        let dedicated = new.database.placement == blueprint::spec::Placement::Dedicated;
        let (from, to) = if dedicated { (shared, own) } else { (own, shared) };
        risks.push(Risk::Moves { from, to });
    }
    let removes = |policy| policy == DeletionPolicy::Delete;
    if removes(new.database.deletion_policy) && !removes(old.database.deletion_policy) {
        risks.push(Risk::RemovedAfterDeletion);
    }
    let (kept, days) = (old.governance.data_retention_days, new.governance.data_retention_days);
    if let Some(days) = days
        && kept.is_none_or(|kept| days < kept)
    {
        risks.push(Risk::Forgotten { before: kept, days });
    }
    let (region, other) = (&old.governance.data_residency, &new.governance.data_residency);
    if let Some(after) = other
        && region != other
    {
        risks.push(Risk::Region { before: region.clone(), after: after.clone() });
    }
    let (version, other) = (&before.version.value, &after.version.value);
    if other < version {
        let (before, after) = (version.to_string(), other.to_string());
        risks.push(Risk::OlderVersion { before, after });
    }
    let holds = |kind: &str| matches!(kind, "Cluster" | "Namespace");
    let gone = changes.iter().filter_map(|change| match change {
        ObjectChange::Removed(id) if holds(id.kind) => Some(Risk::Gone { object: id.to_string() }),
        _ => None,
    });
    risks.extend(gone);
    risks
}
