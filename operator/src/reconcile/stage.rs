//! In which stage of its life a platform is: decided from what is known, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::cluster::FINALIZER;
use crate::seen::{Resource, Tenant, Tombstone};

/// The annotation of a blueprint by which a deleted platform of its name is brought back with its
/// data: `true`.
pub const UNDELETE: &str = "soulfra.io/undelete";

/// Whoever waits for a date looks at the clock again after this time.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// What is to be done.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// Nothing, until something changes.
    Nothing,
    /// Nothing, for this time.
    Wait(Duration),
    /// The blueprint is new: it must not go before we have seen that it does.
    Hold(Arc<Resource>),
    /// What the blueprint says.
    Build,
    /// Nothing but to say why.
    Refuse(Arc<Resource>, &'static str, String),
    /// The deleted platform of this name comes back with this blueprint.
    Undelete(Arc<Resource>),
    /// The platform stops, and is kept for a while. Its blueprint may be gone already.
    Delete(Option<Arc<Resource>>),
    /// What is left goes for good.
    Purge(Tombstone),
}

/// In which stage of its life a platform is.
pub(super) fn of(tenant: &Tenant, name: &str, now: Timestamp) -> Stage {
    let home = tenant.home();
    let Some(resource) = &tenant.resource else {
        return match home {
            None => Stage::Nothing,
            Some((child, _)) if child.going => Stage::Nothing,
            Some((_, home)) => match &home.deleted {
                // Its blueprint went without us: somebody took our finalizer away.
                None => Stage::Delete(None),
                Some(stone) => deleted(stone, home.purge.as_deref(), name, now),
            },
        };
    };
    let metadata = resource.metadata();
    let held = is_held(resource);
    if metadata.deletion_timestamp.is_some() {
        return if held { Stage::Delete(Some(resource.clone())) } else { Stage::Nothing };
    }
    if let Err(unreadable) = &resource.blueprint {
        let why = &unreadable.why;
        let message = format!("this version of the operator cannot read the blueprint: {why}");
        return Stage::Refuse(resource.clone(), "Unreadable", message);
    }
    if let Some((child, home)) = home {
        if child.going {
            let message = format!("the namespace tenant-{name} of an earlier platform is going");
            return Stage::Refuse(resource.clone(), "NamespaceGoing", message);
        }
        if home.deleted.is_some() || home.owner != Some(resource.uid) {
            return earlier(resource, home.deleted.as_ref(), name);
        }
    }
    if held { Stage::Build } else { Stage::Hold(resource.clone()) }
}

impl Stage {
    /// Whether it is right whatever else is there that was not heard of yet: nothing was made for
    /// this platform.
    pub(super) fn is_a_beginning(&self, tenant: &Tenant) -> bool {
        matches!(self, Self::Nothing | Self::Hold(_) | Self::Build) && tenant.children.is_empty()
    }
}

/// Whether a blueprint cannot go before we let it.
pub(super) fn is_held(resource: &Resource) -> bool {
    resource.metadata().finalizers.iter().flatten().any(|each| each == FINALIZER)
}

/// Until when what is left of a deleted platform stays.
pub(super) fn kept_until(stone: &Tombstone) -> String {
    if stone.by_itself {
        format!("until {}", stone.purge_after.strftime("%Y-%m-%d %H:%M UTC"))
    } else {
        "until somebody purges it".to_owned()
    }
}

fn deleted(stone: &Tombstone, typed: Option<&str>, name: &str, now: Timestamp) -> Stage {
    if typed == Some(name) {
        return Stage::Purge(stone.clone());
    }
    if !stone.by_itself {
        return Stage::Nothing;
    }
    match Duration::try_from(stone.purge_after.duration_since(now)) {
        // Clocks may be set anew meanwhile, and what counts time for queues does not notice.
        Ok(left) if !left.is_zero() => Stage::Wait(left.min(LONGEST_WAIT)),
        _ => Stage::Purge(stone.clone()),
    }
}

/// What is there is of a platform of the same name that was deleted.
fn earlier(resource: &Arc<Resource>, stone: Option<&Tombstone>, name: &str) -> Stage {
    let Some(stone) = stone else {
        // Deleted and made again before we saw either: it is deleted first.
        return Stage::Delete(None);
    };
    let notes = resource.metadata().annotations.as_ref();
    if notes.and_then(|notes| notes.get(UNDELETE)).is_some_and(|wish| wish == "true") {
        return Stage::Undelete(resource.clone());
    }
    let until = kept_until(stone);
    let message = format!(
        "a deleted platform of this name is kept {until}. To bring it back with its data: kubectl \
         annotate pb {name} {UNDELETE}=true. To remove it for good: kubectl annotate namespace \
         tenant-{name} {}={name}",
        crate::seen::facts::PURGE
    );
    Stage::Refuse(resource.clone(), "NameKept", message)
}
