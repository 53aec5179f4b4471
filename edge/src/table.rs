//! Which platform is met under which name: all names, in memory.
//!
//! A name that is not in here is nobody's, and that is known without asking: whoever tries names
//! at random costs the database nothing.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use certificates::served::{Changes, Host, Platform};
use uuid::Uuid;

/// All names there are.
#[derive(Default)]
pub struct Table(RwLock<Known>);

#[derive(Default)]
struct Known {
    hosts: HashMap<Box<str>, At>,
    platforms: HashMap<Uuid, Arc<Platform>>,
}

#[derive(Clone, Copy)]
struct At {
    platform: Uuid,
    certificate: Option<Uuid>,
}

/// Who is met under a name.
#[derive(Clone, Debug)]
pub struct Met {
    /// The platform.
    pub platform: Arc<Platform>,
    /// The certificate of the name; `None` while there is none.
    pub certificate: Option<Uuid>,
}

impl Table {
    /// Who is met under a name in lower case.
    pub fn find(&self, name: &str) -> Option<Met> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let At { platform, certificate } = *known.hosts.get(name)?;
        Some(Met { platform: known.platforms.get(&platform)?.clone(), certificate })
    }

    /// There is this, and nothing else.
    pub fn replace(&self, all: &Changes) {
        let mut known = Known::default();
        known.apply(all);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = known;
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
            self.platforms.insert(platform.uid, Arc::new(platform.clone()));
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
