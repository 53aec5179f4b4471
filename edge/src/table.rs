//! Which platform is met under which name: all names, in memory.
//!
//! A name that is not in here is nobody's, and that is known without asking: whoever tries names
//! at random costs the database nothing.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use certificates::served::{Changes, Host, Platform};
use tokio::time::Instant;
use uuid::Uuid;

use crate::room::Room;
use crate::waking::Bed;

/// All names there are.
#[derive(Default)]
pub struct Table(RwLock<Known>);

#[derive(Default)]
struct Known {
    hosts: HashMap<Box<str>, At>,
    platforms: HashMap<Uuid, Entry>,
}

#[derive(Clone, Copy)]
struct At {
    platform: Uuid,
    certificate: Option<Uuid>,
}

struct Entry {
    platform: Arc<Platform>,
    room: Room,
    bed: Bed,
}

/// Who is met under a name.
#[derive(Clone, Debug)]
pub struct Met {
    /// The platform.
    pub platform: Arc<Platform>,
    /// Its room for requests under way.
    pub room: Room,
    /// How it stands, where it may sleep.
    pub bed: Bed,
    /// The certificate of the name; `None` while there is none.
    pub certificate: Option<Uuid>,
}

impl Table {
    /// Who is met under a name in lower case.
    pub fn find(&self, name: &str) -> Option<Met> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let At { platform, certificate } = *known.hosts.get(name)?;
        let Entry { platform, room, bed } = known.platforms.get(&platform)?;
        let (platform, room, bed) = (platform.clone(), room.clone(), bed.clone());
        Some(Met { platform, room, bed, certificate })
    }

    /// The platforms that may sleep and were used since then, and when each was last.
    pub fn used_since(&self, since: Option<Instant>) -> Vec<(Uuid, Instant)> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let sleepers = known.platforms.values().filter(|entry| entry.platform.sleeps.is_some());
        let used = sleepers.filter_map(|entry| Some((entry.platform.uid, entry.room.used()?)));
        used.filter(|(_, at)| since.is_none_or(|since| *at >= since)).collect()
    }

    /// There is this, and nothing else.
    pub fn replace(&self, all: &Changes) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut new = Known::default();
        // Requests under way go on, and count as they did.
        for platform in &all.platforms {
            if let Some(entry) = known.platforms.remove(&platform.uid) {
                new.platforms.insert(platform.uid, entry);
            }
        }
        new.apply(all);
        *known = new;
    }

    /// This changed.
    pub fn apply(&self, changes: &Changes) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).apply(changes);
    }

    /// How many names there are.
    pub fn names(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).hosts.len()
    }
}

impl Known {
    fn apply(&mut self, changes: &Changes) {
        for uid in &changes.gone_platforms {
            self.platforms.remove(uid);
        }
        for platform in &changes.platforms {
            let was = self.platforms.remove(&platform.uid);
            let was_asleep = was.as_ref().is_none_or(|was| is_asleep(&was.platform));
            let (room, bed) = was.map(|entry| (entry.room, entry.bed)).unwrap_or_default();
            if !was_asleep && is_asleep(platform) {
                bed.fell_asleep();
            }
            let platform = Arc::new(platform.clone());
            self.platforms.insert(platform.uid, Entry { platform, room, bed });
        }
        for name in &changes.gone_hosts {
            self.hosts.remove(name.as_str());
        }
        for Host { name, platform, certificate } in &changes.hosts {
            let at = At { platform: *platform, certificate: *certificate };
            self.hosts.insert(name.as_str().into(), at);
        }
    }
}

fn is_asleep(platform: &Platform) -> bool {
    platform.sleeps.as_ref().is_some_and(|sleeps| sleeps.asleep)
}
