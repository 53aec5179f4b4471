//! What the last turns came to, so that one in which nothing changed costs next to nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::apply::Turn;
use super::upgrade::Upgrade;
use super::{Done, Driver};
use crate::seen::{ChildId, Digest, Tenant, Version};

/// What the last turns came to. Losing it costs time and nothing else.
#[derive(Debug, Default)]
pub struct Memory {
    turns: Mutex<HashMap<Box<str>, Remembered>>,
    /// How often all was forgotten.
    forgotten: AtomicU64,
    pub(super) upgrade: Upgrade,
}

#[derive(Debug, Default)]
struct Remembered {
    settled: Option<Settled>,
    /// How often it was to be forgotten.
    forgotten: u64,
    /// What we write and the API server writes in another way.
    same: Vec<(ChildId, Digest, Digest)>,
}

/// Until when something was remembered: what a turn found out before it was to be forgotten is not
/// what the next one wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp(u64, u64);

/// A turn after which all was as it should be.
#[derive(Debug)]
struct Settled {
    resource: (Uuid, Version),
    /// What was known of each object. Any other thing known wants another turn.
    children: Box<[(ChildId, Uuid, Version)]>,
    /// From then on it wants another turn all the same, which was so far away.
    again: Option<(Timestamp, Duration)>,
}

impl Memory {
    /// The next turn of this platform looks at everything.
    pub fn forget(&self, name: &str) {
        let mut memory = self.lock();
        let remembered = memory.entry(name.into()).or_default();
        remembered.settled = None;
        remembered.forgotten += 1;
    }

    /// As of now.
    pub(super) fn stamp(&self, name: &str) -> Stamp {
        self.stamp_of(&self.lock(), name)
    }

    fn stamp_of(&self, memory: &HashMap<Box<str>, Remembered>, name: &str) -> Stamp {
        let forgotten = memory.get(name).map_or(0, |remembered| remembered.forgotten);
        Stamp(self.forgotten.load(Ordering::Relaxed), forgotten)
    }

    /// The next turn of every platform looks at everything.
    pub fn forget_all(&self) {
        let mut memory = self.lock();
        memory.clear();
        self.forgotten.fetch_add(1, Ordering::Relaxed);
    }

    /// Two ways of writing the same.
    pub(super) fn same(&self, name: &str, id: &ChildId, wanted: Digest, live: Digest) {
        let mut memory = self.lock();
        let same = &mut memory.entry(name.into()).or_default().same;
        same.retain(|(known, ..)| known != id);
        same.push((id.clone(), wanted, live));
    }

    /// The objects of a platform that the API server writes in another way than we do.
    pub fn written_in_another_way(&self, name: &str) -> Vec<String> {
        let memory = self.lock();
        let same = memory.get(name).map(|remembered| remembered.same.as_slice());
        same.unwrap_or_default().iter().map(|(id, ..)| id.to_string()).collect()
    }

    pub(super) fn are_same(&self, name: &str, id: &ChildId, wanted: Digest, live: Digest) -> bool {
        let memory = self.lock();
        let Some(remembered) = memory.get(name) else { return false };
        remembered.same.iter().any(|known| known == &(id.clone(), wanted, live))
    }

    /// All is as it can be, until something changes or it is time to look again.
    pub(super) fn settle(&self, name: &str, turn: &Turn<'_>, now: Timestamp) {
        let tenant = &turn.tenant;
        let again = turn.done.again.map(|again| (now.saturating_add(again).unwrap_or(now), again));
        if turn.is_unsettled {
            return;
        }
        let Some(resource) = &tenant.resource else { return };
        let children = tenant.children.iter();
        let children = children.map(|(id, child)| (id.clone(), child.uid, child.version));
        let settled = Settled {
            resource: (resource.uid, resource.version),
            children: children.collect(),
            again,
        };
        let mut memory = self.lock();
        // Under the same lock: what is to be forgotten from here on is forgotten after this.
        if turn.began == self.stamp_of(&memory, name) {
            memory.entry(name.into()).or_default().settled = Some(settled);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Remembered>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Driver {
    /// What a turn comes to before which nothing changed.
    pub(super) fn at_rest(&self, name: &str) -> Option<Done> {
        let memory = self.memory.lock();
        let settled = memory.get(name)?.settled.as_ref()?;
        let is_same = self.seen.look(name, |tenant| {
            let Some(Tenant { resource: Some(resource), children }) = tenant else { return false };
            let known = children.iter().map(|(id, child)| (id, child.uid, child.version));
            let settled_on = settled.children.iter().map(|(id, uid, version)| (id, *uid, *version));
            settled.resource == (resource.uid, resource.version) && known.eq(settled_on)
        });
        if !is_same {
            return None;
        }
        let Some((at, again)) = settled.again else { return Some(Done::default()) };
        let left = Duration::try_from(at.duration_since(self.clock.now())).unwrap_or_default();
        // Where the clock was set back, nobody knows for how long it has been.
        (!left.is_zero() && left <= again).then(|| Done { again: Some(left), ..Done::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_before_something_was_to_be_forgotten_is_not_remembered() {
        let memory = Memory::default();
        let (ours, others) = (memory.stamp("a"), memory.stamp("b"));
        memory.forget("a");
        assert_ne!(memory.stamp("a"), ours);
        assert_eq!(memory.stamp("b"), others);
        let ours = memory.stamp("a");
        memory.forget_all();
        memory.forget("a");
        assert_ne!(memory.stamp("a"), ours);
        assert_ne!(memory.stamp("b"), others);
    }
}
