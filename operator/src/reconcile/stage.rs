//! In which stage of its life a platform is: decided from what is known, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::cluster::FINALIZER;
use crate::seen::facts::PURGE;
use crate::seen::{Home, Resource, Tenant, Tombstone, Unreadable};

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
    /// Nothing but to say why; after this time it may be otherwise, though nothing was changed.
    Refuse(Arc<Resource>, &'static str, String, Option<Duration>),
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
                Some(stone) if stone.of == home.owner || stone.purging => {
                    ended(home, stone, name, now)
                }
                // Its blueprint went without us: somebody took our finalizer away.
                _ => Stage::Delete(None),
            },
        };
    };
    let metadata = resource.metadata();
    let held = is_held(resource);
    if metadata.deletion_timestamp.is_some() {
        return if held { Stage::Delete(Some(resource.clone())) } else { Stage::Nothing };
    }
    if let Some((child, home)) = home
        && !child.going
        && (home.deleted.is_some() || !is_its_own(resource, home))
    {
        return earlier(resource, home, name, now);
    }
    if let Err(unreadable) = &resource.blueprint {
        return refuse_unreadable(resource, unreadable, None);
    }
    if home.is_some_and(|(child, _)| child.going) {
        let message = format!("the namespace tenant-{name} of an earlier platform is going");
        return Stage::Refuse(resource.clone(), "NamespaceGoing", message, None);
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

/// Whether a namespace was made for this blueprint. One that has data was: before it was placed,
/// nothing of an earlier one was there. If the namespace says another, a write for that one came
/// very late.
fn is_its_own(resource: &Resource, home: &Home) -> bool {
    let has_data = resource.status().is_some_and(|status| status.database.is_some());
    home.owner == Some(resource.uid) || has_data
}

/// What is there is of a platform of the same name that ended.
fn earlier(resource: &Arc<Resource>, home: &Home, name: &str, now: Timestamp) -> Stage {
    let Some(stone) = &home.deleted else {
        // Deleted and made again before we saw either: it is deleted first.
        return Stage::Delete(None);
    };
    let notes = resource.metadata().annotations.as_ref();
    let is_wished = notes.and_then(|notes| notes.get(UNDELETE)).is_some_and(|wish| wish == "true");
    let is_theirs = may_have_back(resource, home);
    let is_wanted = is_wished && is_theirs;
    let mut free_after = None;
    if !is_wanted || stone.purging {
        // A new blueprint of its name keeps nothing any longer.
        match ended(home, stone, name, now) {
            stage @ Stage::Purge(_) => return stage,
            Stage::Wait(left) => free_after = Some(left),
            _ => {}
        }
    }
    match &resource.blueprint {
        Err(unreadable) => refuse_unreadable(resource, unreadable, free_after),
        Ok(_) if is_wanted => Stage::Undelete(resource.clone()),
        Ok(_) => {
            let why = if is_theirs { kept(stone, name) } else { kept_for_others(stone) };
            Stage::Refuse(resource.clone(), "NameKept", why, free_after)
        }
    }
}

/// Whether a blueprint is of the organization that the deleted platform belongs to. One that
/// belonged to none is anybody's who may make blueprints, as it was before.
fn may_have_back(resource: &Resource, home: &Home) -> bool {
    // On its way back already: whose it is was looked at before.
    if home.owner == Some(resource.uid) {
        return true;
    }
    let account = resource.status().and_then(|status| status.account.as_ref());
    let theirs = account.map(|account| account.organization.as_str());
    home.organization.as_deref().is_none_or(|of| theirs == Some(of))
}

/// What becomes of a platform that was deleted, where nobody wants it back.
fn ended(home: &Home, stone: &Tombstone, name: &str, now: Timestamp) -> Stage {
    if stone.purging || home.purge.as_deref() == Some(name) {
        return Stage::Purge(stone.clone());
    }
    // One that was on its way back does not go before somebody says so once more.
    if !stone.by_itself || stone.of != home.owner {
        return Stage::Nothing;
    }
    match Duration::try_from(stone.purge_after.duration_since(now)) {
        // Clocks may be set anew meanwhile, and what counts time for queues does not notice.
        Ok(left) if !left.is_zero() => Stage::Wait(left.min(LONGEST_WAIT)),
        _ => Stage::Purge(stone.clone()),
    }
}

fn refuse_unreadable(
    resource: &Arc<Resource>,
    unreadable: &Unreadable,
    again: Option<Duration>,
) -> Stage {
    let why = &unreadable.why;
    let message = format!("this version of the operator cannot read the blueprint: {why}");
    Stage::Refuse(resource.clone(), "Unreadable", message, again)
}

/// Until when what is left of a deleted platform stays.
pub(super) fn kept_until(stone: &Tombstone) -> String {
    if stone.by_itself {
        format!("until {}", stone.purge_after.strftime("%Y-%m-%d %H:%M UTC"))
    } else {
        "until somebody purges it".to_owned()
    }
}

fn kept(stone: &Tombstone, name: &str) -> String {
    let until = kept_until(stone);
    format!(
        "a deleted platform of this name is kept {until}. To bring it back with its data: kubectl \
         annotate pb {name} {UNDELETE}=true. To remove it for good: kubectl annotate namespace \
         tenant-{name} {PURGE}={name}"
    )
}

fn kept_for_others(stone: &Tombstone) -> String {
    let until = kept_until(stone);
    format!(
        "a deleted platform of this name is kept {until} for the organization it belongs to. Choose \
         another name; or, if it is yours, wait until the control plane has confirmed that this \
         blueprint is yours too"
    )
}

#[cfg(test)]
mod tests;
