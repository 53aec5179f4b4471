//! What is known of all platforms: blueprints and what is there of them, from watches and from
//! the answers to our own writes.
//!
//! Older news never takes the place of newer: a watch that lags behind our own writes changes
//! nothing, and an answer that lags behind a watch brings nothing back that went meanwhile. Of
//! objects only what decisions need is kept, about a hundred bytes each.

pub mod facts;
pub mod owned;
pub mod watch;

mod listed;
mod news;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use facts::{Facts, Home, Rollout, Tombstone};
pub use listed::Listed;
pub use news::{Child, ChildId, News, Resource, Tenant, Unreadable, Version};
pub use owned::Digest;

/// What is known of all platforms.
#[derive(Debug, Default)]
pub struct Seen(Mutex<Inner>);

/// Whose, and which object of it; none: the blueprint.
type Heard = (Box<str>, Option<Box<str>>);

#[derive(Debug, Default)]
struct Inner {
    /// In the order of their names: the same happens in each run of a test.
    tenants: BTreeMap<Box<str>, Tenant>,
    /// Heard of, by us or by a watch, since a listing began.
    listings: HashMap<Listed, Vec<Heard>>,
    /// Listings that came to their end.
    ended: u64,
    /// What was listed at least once.
    listed: HashSet<Listed>,
    /// What went last, in the order in which we heard of it.
    gone: HashMap<Gone, Version>,
    gone_in_order: VecDeque<Gone>,
    /// What the API server does not know, or not yet.
    unknown: BTreeSet<Listed>,
    /// Watches that broke off since the start.
    broken: u64,
}

/// Whose, and which object of it; none: the blueprint.
type Gone = (Box<str>, Option<ChildId>);

/// News that are older than so many removals are not on their way any more.
const REMEMBERED: usize = 4_096;

impl Seen {
    /// Takes in what was heard; true where it was not known yet.
    pub fn hear(&self, news: News) -> bool {
        self.lock().hear(news)
    }

    /// Whether all there is was heard of.
    pub fn is_known(&self) -> bool {
        let inner = self.lock();
        Listed::all().iter().all(|sort| inner.listed.contains(sort))
    }

    /// What was not listed yet since the start.
    pub fn missing(&self) -> Vec<Listed> {
        let inner = self.lock();
        Listed::all().into_iter().filter(|sort| !inner.listed.contains(sort)).collect()
    }

    /// Whether all blueprints were heard of: from then on new platforms have their turns.
    pub fn are_blueprints_known(&self) -> bool {
        self.lock().listed.contains(&Listed::Blueprints)
    }

    /// How many listings came to their end: see [`Seen::hear_answer`].
    pub fn listings_ended(&self) -> u64 {
        self.lock().ended
    }

    /// Takes in the answer to a write of ours. One that was on its way while a listing ended may
    /// be about what went before that listing, which nobody would tell us: the watch brings it,
    /// if it is there.
    pub fn hear_answer(&self, news: News, ended_before: u64) {
        let mut inner = self.lock();
        if inner.ended == ended_before {
            inner.hear(news);
        }
    }

    /// All there is of a sort is about to be listed.
    pub fn listing_begins(&self, listed: Listed) {
        self.lock().listings.insert(listed, Vec::new());
    }

    /// All there is of a sort was listed: what was not among it is gone. Returns whose it was.
    pub fn listing_ends(&self, listed: Listed) -> Vec<Box<str>> {
        let mut inner = self.lock();
        inner.unknown.remove(&listed);
        let Some(mut heard) = inner.listings.remove(&listed) else { return Vec::new() };
        inner.ended += 1;
        inner.listed.insert(listed);
        heard.sort_unstable();
        let is_there = |tenant: &str, name: Option<&str>| {
            heard.binary_search_by(|(t, n)| (&**t, n.as_deref()).cmp(&(tenant, name))).is_ok()
        };
        let mut gone = Vec::new();
        for (name, tenant) in &mut inner.tenants {
            let before = (tenant.resource.is_some(), tenant.children.len());
            match listed {
                Listed::Blueprints if !is_there(name, None) => tenant.resource = None,
                Listed::Blueprints => {}
                Listed::Children(..) => tenant
                    .children
                    .retain(|id, _| !listed.has(id) || is_there(name, Some(&id.name))),
            }
            if before != (tenant.resource.is_some(), tenant.children.len()) {
                gone.push(name.clone());
            }
        }
        for name in &gone {
            inner.forget_if_empty(name);
        }
        gone
    }

    /// The API server does not know this sort: there are none, until it was listed after all.
    pub fn note_unknown(&self, listed: Listed) {
        self.lock().unknown.insert(listed);
    }

    /// What the API server does not know, or not yet.
    pub fn unknown(&self) -> Vec<Listed> {
        self.lock().unknown.iter().copied().collect()
    }

    /// A watch was broken off.
    pub fn watch_broke(&self) {
        self.lock().broken += 1;
    }

    /// Watches that were broken off since the start.
    pub fn watches_broken(&self) -> u64 {
        self.lock().broken
    }

    /// What is known of one platform.
    pub fn of(&self, tenant: &str) -> Tenant {
        self.lock().tenants.get(tenant).cloned().unwrap_or_default()
    }

    /// Looks at what is known of one platform, briefly: everybody else waits meanwhile.
    pub fn look<T>(&self, tenant: &str, look: impl FnOnce(Option<&Tenant>) -> T) -> T {
        look(self.lock().tenants.get(tenant))
    }

    /// Looks at each platform, briefly: everybody else waits meanwhile.
    pub fn look_at_all(&self, mut look: impl FnMut(&str, &Tenant)) {
        for (name, tenant) in &self.lock().tenants {
            look(name, tenant);
        }
    }

    /// The names of all platforms, also of those of which only remains are there.
    pub fn names(&self) -> Vec<Box<str>> {
        self.lock().tenants.keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn hear(&mut self, news: News) -> bool {
        for (listed, heard) in &mut self.listings {
            match (&news, listed) {
                (News::Blueprint(tenant, _), Listed::Blueprints) => {
                    heard.push((tenant.clone(), None));
                }
                (News::Child(tenant, id, _), listed) if listed.has(id) => {
                    heard.push((tenant.clone(), Some(id.name.clone())));
                }
                _ => {}
            }
        }
        self.take_in(news)
    }

    fn take_in(&mut self, news: News) -> bool {
        if self.went_since(&news) {
            return false;
        }
        match news {
            News::Blueprint(name, resource) => {
                let tenant = self.tenants.entry(name).or_default();
                let known = tenant.resource.as_ref();
                let is_new = known.is_none_or(|known| known.version < resource.version);
                if is_new {
                    tenant.resource = Some(resource);
                }
                is_new
            }
            News::NoBlueprint(name, version) => {
                self.remember_gone((name.clone(), None), version);
                let Some(tenant) = self.tenants.get_mut(&name) else { return false };
                let went = tenant.resource.take_if(|known| known.version <= version).is_some();
                self.forget_if_empty(&name);
                went
            }
            News::Child(name, id, child) => {
                let children = &mut self.tenants.entry(name).or_default().children;
                let known = children.get(&id);
                let is_new = known.is_none_or(|known| known.version < child.version);
                if is_new {
                    children.insert(id, child);
                }
                is_new
            }
            News::NoChild(name, id, version) => {
                self.remember_gone((name.clone(), Some(id.clone())), version);
                let Some(tenant) = self.tenants.get_mut(&name) else { return false };
                let known = tenant.children.get(&id);
                let went = known.is_some_and(|known| known.version <= version);
                if went {
                    tenant.children.remove(&id);
                }
                self.forget_if_empty(&name);
                went
            }
        }
    }

    /// Whether what is said to be there went after that.
    fn went_since(&self, news: &News) -> bool {
        let (what, version) = match news {
            News::Blueprint(name, resource) => ((name.clone(), None), resource.version),
            News::Child(name, id, child) => ((name.clone(), Some(id.clone())), child.version),
            News::NoBlueprint(..) | News::NoChild(..) => return false,
        };
        self.gone.get(&what).is_some_and(|went| version <= *went)
    }

    fn remember_gone(&mut self, what: Gone, version: Version) {
        if let Some(known) = self.gone.get_mut(&what) {
            *known = version.max(*known);
        } else {
            self.gone.insert(what.clone(), version);
            self.gone_in_order.push_back(what);
        }
        if self.gone_in_order.len() > REMEMBERED
            && let Some(oldest) = self.gone_in_order.pop_front()
        {
            self.gone.remove(&oldest);
        }
    }

    fn forget_if_empty(&mut self, name: &str) {
        let is_empty = |tenant: &Tenant| tenant.resource.is_none() && tenant.children.is_empty();
        if self.tenants.get(name).is_some_and(is_empty) {
            self.tenants.remove(name);
        }
    }
}

#[cfg(test)]
mod tests;
