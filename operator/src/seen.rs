//! What is known of all platforms: blueprints and what is there of them, from watches and from
//! the answers to our own writes.
//!
//! Older news never takes the place of newer: a watch that lags behind our own writes changes
//! nothing, and an answer that lags behind a watch brings nothing back that went meanwhile. Of
//! objects only what decisions need is kept, about a hundred bytes each.

pub mod facts;
pub mod owned;
pub mod watch;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use blueprint::PlatformBlueprint;
use blueprint::status::BlueprintStatus;
use kube::api::ObjectMeta;
use uuid::Uuid;

pub use facts::{Facts, Home, Rollout, Tombstone};
pub use owned::Digest;

use crate::kind::Kind;

/// The API server's count of changes, by which older and newer are told apart.
pub type Version = u64;

/// An object of a platform: its kind, and its name in the platform's namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChildId {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: Box<str>,
}

impl std::fmt::Display for ChildId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind.word(), self.name)
    }
}

/// An object that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// Which one of those that had its name.
    pub uid: Uuid,
    /// When it changed last.
    pub version: Version,
    /// What of it is ours.
    pub digest: Digest,
    /// It is to go, and waits for somebody.
    pub going: bool,
    /// What else decisions need of it.
    pub facts: Facts,
}

/// A blueprint as the API server has it.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Which one of those that had its name.
    pub uid: Uuid,
    /// When it changed last.
    pub version: Version,
    /// What it says, or what can be known of it all the same.
    pub blueprint: Result<PlatformBlueprint, Box<Unreadable>>,
}

/// A blueprint that this version of the operator cannot read.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// What stands against it, and where.
    pub why: String,
    /// What every object says of itself.
    pub metadata: ObjectMeta,
    /// What was seen of it before.
    pub status: Option<BlueprintStatus>,
}

impl Resource {
    /// What every object says of itself.
    pub fn metadata(&self) -> &ObjectMeta {
        match &self.blueprint {
            Ok(blueprint) => &blueprint.metadata,
            Err(unreadable) => &unreadable.metadata,
        }
    }

    /// What was seen of it before.
    pub fn status(&self) -> Option<&BlueprintStatus> {
        match &self.blueprint {
            Ok(blueprint) => blueprint.status.as_ref(),
            Err(unreadable) => unreadable.status.as_ref(),
        }
    }
}

/// What is known of one platform.
#[derive(Clone, Debug, Default)]
pub struct Tenant {
    /// Its blueprint, where there is one.
    pub resource: Option<Arc<Resource>>,
    /// What is there of it, its namespace among it.
    pub children: BTreeMap<ChildId, Child>,
}

impl Tenant {
    /// Its namespace.
    pub fn home(&self) -> Option<(&Child, &Home)> {
        self.children.values().find_map(|child| match &child.facts {
            Facts::Home(home) => Some((child, home.as_ref())),
            _ => None,
        })
    }

    /// How far a Deployment is.
    pub fn rollout(&self, name: &str) -> Option<&Rollout> {
        let id = ChildId { kind: Kind::Deployment, name: name.into() };
        match &self.children.get(&id)?.facts {
            Facts::Rollout(rollout) => Some(rollout.as_ref()),
            _ => None,
        }
    }
}

/// Something heard of.
#[derive(Clone, Debug)]
pub enum News {
    /// A blueprint is there.
    Blueprint(Box<str>, Arc<Resource>),
    /// A blueprint went.
    NoBlueprint(Box<str>, Version),
    /// An object is there.
    Child(Box<str>, ChildId, Child),
    /// An object went.
    NoChild(Box<str>, ChildId, Version),
}

impl News {
    /// Whom it is about.
    pub fn tenant(&self) -> &str {
        match self {
            Self::Blueprint(tenant, _)
            | Self::NoBlueprint(tenant, _)
            | Self::Child(tenant, ..)
            | Self::NoChild(tenant, ..) => tenant,
        }
    }
}

/// What is listed anew at once: blueprints, or the objects of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Listed {
    /// Blueprints.
    Blueprints,
    /// Objects of a kind; of one name only, where only that may be read.
    Children(Kind, Option<&'static str>),
}

impl std::fmt::Display for Listed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Blueprints => f.write_str("PlatformBlueprint"),
            Self::Children(kind, None) => f.write_str(kind.word()),
            Self::Children(kind, Some(name)) => write!(f, "{} {name}", kind.word()),
        }
    }
}

impl Listed {
    /// Everything that is watched. Of Secrets only those that are ours by name: the right to read
    /// them goes no further.
    pub fn all() -> Vec<Self> {
        let mut secrets: Vec<_> = plan::SecretKey::ALL.map(|key| key.place().0).into();
        secrets.dedup();
        let secrets = secrets.into_iter().map(|name| Self::Children(Kind::Secret, Some(name)));
        let kinds = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Secret);
        let kinds = kinds.map(|kind| Self::Children(kind, None));
        std::iter::once(Self::Blueprints).chain(kinds).chain(secrets).collect()
    }

    /// Whether an object is of this sort.
    fn has(self, id: &ChildId) -> bool {
        match self {
            Self::Blueprints => false,
            Self::Children(kind, name) => {
                kind == id.kind && name.is_none_or(|name| *name == *id.name)
            }
        }
    }
}

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
    pub fn is_unknown(&self, listed: Listed) {
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
mod tests {
    use serde_json::Value;

    use super::*;

    fn id(name: &str) -> ChildId {
        ChildId { kind: Kind::ConfigMap, name: name.into() }
    }

    fn child(version: Version) -> Child {
        let digest = Digest::of(&Value::Null);
        Child { uid: Uuid::nil(), version, digest, going: false, facts: Facts::None }
    }

    fn there(name: &str, version: Version) -> News {
        News::Child("a".into(), id(name), child(version))
    }

    #[test]
    fn older_news_changes_nothing() {
        let seen = Seen::default();
        assert!(seen.hear(there("x", 5)));
        assert!(!seen.hear(there("x", 4)));
        assert!(!seen.hear(there("x", 5)), "the same again");
        assert!(!seen.hear(News::NoChild("a".into(), id("x"), 4)));
        assert_eq!(seen.of("a").children[&id("x")].version, 5);
        assert!(seen.hear(News::NoChild("a".into(), id("x"), 6)));
        assert!(seen.names().is_empty(), "nothing is kept of who is not there");
    }

    #[test]
    fn an_answer_that_comes_after_the_removal_brings_nothing_back() {
        let seen = Seen::default();
        seen.hear(there("x", 5));
        seen.hear(News::NoChild("a".into(), id("x"), 7));
        assert!(!seen.hear(there("x", 6)));
        assert!(seen.names().is_empty());
        assert!(seen.hear(there("x", 8)), "made anew");
    }

    #[test]
    fn a_listing_as_of_before_a_removal_does_not_bring_it_back() {
        let seen = Seen::default();
        let listed = Listed::Children(Kind::ConfigMap, None);
        seen.hear(there("x", 5));
        seen.hear(News::NoChild("a".into(), id("x"), 7));
        seen.listing_begins(listed);
        seen.hear(there("x", 5));
        seen.listing_ends(listed);
        assert!(seen.names().is_empty());
    }

    #[test]
    fn what_a_listing_lacks_is_gone_unless_it_was_made_meanwhile() {
        let seen = Seen::default();
        for name in ["kept", "gone"] {
            seen.hear(there(name, 1));
        }
        let listed = Listed::Children(Kind::ConfigMap, None);
        seen.listing_begins(listed);
        seen.hear(there("kept", 1));
        seen.hear(there("made by us", 9));
        assert_eq!(seen.listing_ends(listed), ["a".into()]);
        let names: Vec<_> = seen.of("a").children.into_keys().map(|id| id.name).collect();
        assert_eq!(names, ["kept".into(), "made by us".into()]);
        assert!(seen.listing_ends(listed).is_empty(), "a listing that never began");
    }
}
