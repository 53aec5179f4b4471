//! Writes of one turn: what differs is applied, what is too much is removed, and each answer is
//! what is known from then on.

use std::collections::BTreeSet;
use std::time::Duration;

use blueprint::status::AdminLinkStatus;
use futures::{StreamExt as _, stream};
use plan::{Object, Objects, SecretKey, Secrets};
use serde_json::{Value, json};

use super::memory::Stamp;
use super::names::Names;
use super::{Done, Driver, Failure};
use crate::cluster::{At, CallError, DELETION_MANAGER, MANAGER, SCALE_MANAGER, Write};
use crate::kind::Kind;
use crate::seen::facts::{DELETED, PURGE, PURGED};
use crate::seen::owned::digest_of_wanted;
use crate::seen::{Child, ChildId, Digest, News, Resource, Tenant, Tombstone};

/// A turn of a platform: what is known of it, and what was done.
pub(super) struct Turn<'a> {
    driver: &'a Driver,
    pub(super) name: &'a str,
    pub(super) tenant: Tenant,
    pub(super) done: Done,
    /// Something was left undone that the next turn is to try, whatever it is for.
    pub(super) is_unsettled: bool,
    /// How its admin link stands, as the status is to say it.
    pub(super) admin_link: Option<AdminLinkStatus>,
    /// What was found out about its names, where that was looked at.
    pub(super) names: Option<Names>,
    /// They were looked at in vain.
    pub(super) are_names_away: bool,
    /// When it began, as the memory of turns has it.
    pub(super) began: Stamp,
    /// Listings that had ended when it began.
    listings: u64,
}

/// An object as it is to be, with its digest.
pub(super) struct Filled {
    pub(super) id: ChildId,
    pub(super) object: Value,
    pub(super) digest: Digest,
}

impl Filled {
    /// With its secrets in it.
    pub(super) fn of(object: &Object, secrets: &Secrets) -> Result<Self, plan::MissingSecret> {
        let id = object.id();
        // All that is planned is known: a test goes through every kind.
        let kind = Kind::of(id.api_version, id.kind).unwrap_or(Kind::ConfigMap);
        let object = object.filled(secrets)?;
        let digest = digest_of_wanted(&object);
        Ok(Self { id: ChildId { kind, name: id.name.as_str().into() }, object, digest })
    }

    /// All of them.
    pub(super) fn all(
        objects: &Objects,
        secrets: &Secrets,
    ) -> Result<Vec<Self>, plan::MissingSecret> {
        objects.iter().map(|object| Self::of(object, secrets)).collect()
    }
}

/// When an object is written: after those that it needs, beside all others of its rank.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rank {
    /// What everything else is in.
    Home,
    /// What limits pods, or is read by them: those made before it would not be counted.
    Ground,
    /// Pods, and what is about them.
    Pods,
}

impl Rank {
    const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Namespace => Self::Home,
            Kind::ResourceQuota
            | Kind::LimitRange
            | Kind::NetworkPolicy
            | Kind::ServiceAccount
            | Kind::Secret
            | Kind::ConfigMap
            | Kind::PersistentVolumeClaim => Self::Ground,
            Kind::DatabaseCluster
            | Kind::Deployment
            | Kind::Service
            | Kind::PodDisruptionBudget
            | Kind::HorizontalPodAutoscaler
            | Kind::ListenerSet
            | Kind::HttpRoute => Self::Pods,
        }
    }
}

fn text_of(stone: &Tombstone) -> String {
    // Plain values: there is nothing to fail.
    serde_json::to_string(stone).unwrap_or_default()
}

/// The Secret that holds the admin link.
const LINK: &str = SecretKey::AdminLink.place().0;

fn at(child: &Child) -> At {
    At { uid: child.uid, version: child.version }
}

impl<'a> Turn<'a> {
    pub(super) fn new(driver: &'a Driver, name: &'a str, tenant: Tenant) -> Self {
        let listings = driver.seen.listings_ended();
        let status = tenant.resource.as_ref().and_then(|resource| resource.status());
        let admin_link = status.and_then(|status| status.admin_link.clone());
        Self {
            driver,
            name,
            tenant,
            done: Done::default(),
            is_unsettled: false,
            admin_link,
            names: None,
            are_names_away: false,
            began: driver.memory.stamp(name),
            listings,
        }
    }

    /// Takes in an answer, here and for everybody.
    fn learn(&mut self, news: News) {
        self.done.writes += 1;
        match &news {
            News::Blueprint(_, resource) => self.tenant.resource = Some(resource.clone()),
            News::NoBlueprint(..) => self.tenant.resource = None,
            News::Child(_, id, child) => {
                self.tenant.children.insert(id.clone(), child.clone());
            }
            News::NoChild(_, id, _) => {
                self.tenant.children.remove(id);
            }
        }
        self.driver.seen.hear_answer(news, self.listings);
    }

    /// Keeps the blueprint from going unseen, or lets it go.
    pub(super) async fn hold(&mut self, resource: &Resource, held: bool) -> Result<(), Failure> {
        let at = At { uid: resource.uid, version: resource.version };
        let news = self.driver.cluster.hold(self.name, at, held).await?;
        self.learn(news);
        Ok(())
    }

    /// Applies what differs: what others need first, and several at once of one rank.
    pub(super) async fn apply(&mut self, wanted: &[Filled]) -> Result<(), Failure> {
        for rank in [Rank::Home, Rank::Ground, Rank::Pods] {
            let (driver, name) = (self.driver, self.name);
            let differs = wanted.iter().filter(|filled| Rank::of(filled.id.kind) == rank);
            let writes: Vec<_> = differs
                .filter_map(|filled| {
                    let Filled { id, object, .. } = filled;
                    let known = self.tenant.children.get(id);
                    let is_right = known.is_some_and(|known| self.is_as_wanted(known, filled));
                    let at = known.map(at);
                    let write = Write { tenant: name, id, object, manager: MANAGER, at };
                    (!is_right)
                        .then_some(async move { (filled, driver.cluster.apply(write).await) })
                })
                .collect();
            let mut failed = None;
            let mut writing = stream::iter(writes).buffer_unordered(driver.writes_at_once);
            // Those under way are heard to their end, whatever becomes of one of them.
            while let Some((filled, done)) = writing.next().await {
                match done {
                    Ok(news) => self.learn_written(filled, news),
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
            if let Some(error) = failed {
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Takes in what the API server made of what was applied.
    fn learn_written(&mut self, filled: &Filled, news: News) {
        if let News::Child(_, id, child) = &news
            && child.digest != filled.digest
        {
            // The API server writes some value in another way than we do. Known once, it is
            // no difference.
            tracing::debug!(tenant = self.name, object = %id, "is written in another way");
            self.driver.memory.same(self.name, id, filled.digest, child.digest);
        }
        self.learn(news);
    }

    fn is_as_wanted(&self, known: &Child, filled: &Filled) -> bool {
        known.digest == filled.digest
            || self.driver.memory.are_same(self.name, &filled.id, filled.digest, known.digest)
    }

    async fn write(
        &self,
        id: &ChildId,
        object: &Value,
        manager: &'static str,
    ) -> Result<News, CallError> {
        let at = self.tenant.children.get(id).map(at);
        let write = Write { tenant: self.name, id, object, manager, at };
        self.driver.cluster.apply(write).await
    }

    /// Whether a Secret is to be written.
    pub(super) fn lacks(&self, wanted: &[Filled], secret: &str) -> bool {
        let filled = wanted.iter().find(|it| it.id.kind == Kind::Secret && *it.id.name == *secret);
        filled.is_some_and(|filled| {
            let known = self.tenant.children.get(&filled.id);
            !known.is_some_and(|known| self.is_as_wanted(known, filled))
        })
    }

    /// Removes what has our mark and is not wanted any more. What holds data stays; and the admin
    /// link, as long as it may be good.
    pub(super) async fn prune(
        &mut self,
        wanted: &[Filled],
        link_is_open: bool,
    ) -> Result<(), Failure> {
        let wanted: BTreeSet<&ChildId> = wanted.iter().map(|filled| &filled.id).collect();
        let superfluous: Vec<_> = self
            .tenant
            .children
            .iter()
            .filter(|(id, child)| !wanted.contains(id) && !id.kind.holds_data() && !child.going)
            .filter(|(id, _)| !(link_is_open && id.kind == Kind::Secret && *id.name == *LINK))
            .map(|(id, child)| (id.clone(), at(child)))
            .collect();
        for (id, at) in superfluous {
            match self.driver.cluster.remove(self.name, &id, at).await? {
                Some(news) => self.learn(news),
                None => self.done.writes += 1,
            }
        }
        Ok(())
    }

    /// Stops a platform's pods, and notes on the namespace what is to become of it. This needs
    /// neither a plan nor a database. The note goes last: who has it is stopped.
    pub(super) async fn mark_deleted(&mut self, stone: &Tombstone) -> Result<(), Failure> {
        let deployments: Vec<_> = self
            .tenant
            .children
            .iter()
            .filter(|(id, child)| id.kind == Kind::Deployment && !child.going)
            .filter(|(id, _)| self.tenant.rollout(&id.name).is_none_or(|it| it.wanted != 0))
            .map(|(id, _)| id.clone())
            .collect();
        // Before pods end: whoever starts others meanwhile is refused.
        for id in self.of_kind(Kind::ResourceQuota) {
            self.overrule(&id, json!({"hard": {"pods": "0"}})).await?;
        }
        for id in deployments {
            self.overrule(&id, json!({"replicas": 0})).await?;
        }
        self.note_on_home(json!({DELETED: text_of(stone)})).await
    }

    /// Takes back what [`Turn::mark_deleted`] noted.
    pub(super) async fn unmark_deleted(&mut self) -> Result<(), Failure> {
        for kind in [Kind::ResourceQuota, Kind::Deployment] {
            for id in self.of_kind(kind) {
                self.overrule(&id, Value::Null).await?;
            }
        }
        self.note_on_home(json!({})).await
    }

    /// Forgets that somebody typed the name: what was wished of a platform before it came back, or
    /// before it was deleted, is not wished of what it is now.
    pub(super) async fn forget_wish(&mut self, stone: Option<&Tombstone>) -> Result<(), Failure> {
        if self.tenant.home().is_none_or(|(_, home)| home.purge.is_none()) {
            return Ok(());
        }
        // A note of somebody else's goes when it was made ours.
        let notes = stone.map_or_else(|| json!({}), |stone| json!({DELETED: text_of(stone)}));
        let mut ours = notes.clone();
        ours[PURGE] = json!("");
        self.note_on_home(ours).await?;
        self.note_on_home(notes).await
    }

    /// The platform's objects of a kind.
    fn of_kind(&self, kind: Kind) -> Vec<ChildId> {
        self.tenant.children.keys().filter(|id| id.kind == kind).cloned().collect()
    }

    /// Says something of an object that counts more than the plan; nothing: the plan counts again.
    async fn overrule(&mut self, id: &ChildId, spec: Value) -> Result<(), Failure> {
        self.say(id, spec, DELETION_MANAGER).await
    }

    /// Has so many copies of a Deployment run, where the plan leaves that open.
    pub(super) async fn scale(&mut self, deployment: &str, copies: i32) -> Result<(), Failure> {
        let id = ChildId { kind: Kind::Deployment, name: deployment.into() };
        self.say(&id, json!({"replicas": copies}), SCALE_MANAGER).await?;
        // What was told by now, people and edges, is of before.
        self.is_unsettled = true;
        self.done.look_again(Duration::ZERO);
        Ok(())
    }

    async fn say(
        &mut self,
        id: &ChildId,
        spec: Value,
        manager: &'static str,
    ) -> Result<(), Failure> {
        let kind = id.kind.resource();
        let mut object = json!({
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {"name": id.name, "namespace": self.namespace()},
        });
        if !spec.is_null() {
            object["spec"] = spec;
        }
        let news = self.write(id, &object, manager).await?;
        self.learn(news);
        Ok(())
    }

    async fn note_on_home(&mut self, notes: Value) -> Result<(), Failure> {
        let namespace = self.namespace();
        let id = ChildId { kind: Kind::Namespace, name: namespace.as_str().into() };
        let object = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": namespace, "annotations": notes},
        });
        let news = self.write(&id, &object, DELETION_MANAGER).await?;
        self.learn(news);
        Ok(())
    }

    /// Notes on the namespace that its data goes. Whoever brought the platform back meanwhile wrote
    /// there, and this is refused.
    pub(super) async fn mark_purging(&mut self, stone: &Tombstone) -> Result<(), Failure> {
        let mut notes = json!({DELETED: text_of(stone)});
        if let Some(uid) = self.tenant.home().and_then(|(_, home)| home.purged) {
            notes[PURGED] = json!(uid.to_string());
        }
        self.note_on_home(notes).await
    }

    /// Notes on the namespace that it may be deleted, this one and none of its name after it.
    pub(super) async fn mark_purged(&mut self, stone: &Tombstone) -> Result<(), Failure> {
        let Some((child, home)) = self.tenant.home() else { return Ok(()) };
        let uid = child.uid;
        if home.purged == Some(uid) {
            return Ok(());
        }
        self.note_on_home(json!({DELETED: text_of(stone), PURGED: uid.to_string()})).await
    }

    /// Removes the namespace, and everything in it.
    pub(super) async fn remove_home(&mut self) -> Result<(), Failure> {
        let id = ChildId { kind: Kind::Namespace, name: self.namespace().as_str().into() };
        let Some(at) = self.tenant.children.get(&id).map(at) else { return Ok(()) };
        match self.driver.cluster.remove(self.name, &id, at).await? {
            Some(news) => self.learn(news),
            None => self.done.writes += 1,
        }
        Ok(())
    }

    /// Writes our part of the status.
    pub(super) async fn write_status(
        &mut self,
        resource: &Resource,
        status: &Value,
    ) -> Result<(), Failure> {
        let at = At { uid: resource.uid, version: resource.version };
        let news = self.driver.cluster.status(self.name, at, status).await?;
        self.learn(news);
        Ok(())
    }

    fn namespace(&self) -> String {
        format!("tenant-{}", self.name)
    }
}
