//! A cluster in memory, which does what the API server does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use blueprint::status::Account;
use blueprint::{BlueprintName, BlueprintSpec, BlueprintStatus, PlatformBlueprint};
use control_plane::cluster::{
    CONTROL_PLANE, Cluster, ClusterError, MANAGED_BY, Made, PLATFORM, RECHECK, UNDELETE, Version,
    Watched, Writer, is_of, uid, version, writer,
};
use jiff::Timestamp;
use tokio::sync::watch::Receiver;
use uuid::Uuid;

/// The cluster.
#[derive(Default)]
pub(crate) struct Played {
    there: Mutex<BTreeMap<String, PlatformBlueprint>>,
    /// It does not answer; what was asked for last is done all the same, where this says so.
    silent: Mutex<Silent>,
    watched: Watched,
}

/// Whether it answers.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Silent {
    /// It does.
    #[default]
    No,
    /// It neither does anything nor answers.
    Dead,
    /// It does what it is asked, and its answers are lost.
    Mute,
    /// Whoever asks it for something waits, and nothing comes.
    Hung,
}

impl Played {
    pub(crate) fn be(&self, silent: Silent) {
        *self.silent.lock().unwrap() = silent;
    }

    /// Somebody makes one by other means.
    pub(crate) fn by_kubectl(&self, blueprint: PlatformBlueprint) {
        let mut made = blueprint;
        made.metadata.uid = Some(Uuid::new_v4().to_string());
        made.metadata.generation = Some(1);
        let name = made.metadata.name.clone().unwrap();
        self.there().insert(name, made);
    }

    /// Somebody removes one and makes another one under its name.
    pub(crate) fn replaced(&self, name: &str) {
        if let Some(there) = self.there().get_mut(name) {
            there.metadata.uid = Some(Uuid::new_v4().to_string());
        }
    }

    /// An operator says what it saw of one.
    pub(crate) fn seen_as(&self, name: &str, status: BlueprintStatus) {
        if let Some(there) = self.there().get_mut(name) {
            there.status = Some(status);
            there.metadata.resource_version = Some(Uuid::now_v7().to_string());
        }
        self.watched.all_changed();
    }

    /// One that is there.
    pub(crate) fn of(&self, name: &str) -> Option<PlatformBlueprint> {
        self.there().get(name).cloned()
    }

    /// Whether what is there says that it is to be brought back.
    pub(crate) fn undeletes(&self, name: &str) -> bool {
        let notes = self.of(name).and_then(|there| there.metadata.annotations);
        notes.is_some_and(|notes| notes.get(UNDELETE).is_some_and(|wish| wish == "true"))
    }

    fn there(&self) -> MutexGuard<'_, BTreeMap<String, PlatformBlueprint>> {
        self.there.lock().unwrap()
    }

    /// Nothing comes of what is asked of one that hangs.
    async fn hangs(&self) {
        let silent = *self.silent.lock().unwrap();
        if silent == Silent::Hung {
            std::future::pending::<()>().await;
        }
    }

    /// Does it, unless it is dead; tells, unless it is mute.
    fn does<T>(
        &self,
        work: impl FnOnce(&mut BTreeMap<String, PlatformBlueprint>) -> Result<T, ClusterError>,
    ) -> Result<T, ClusterError> {
        let silent = *self.silent.lock().unwrap();
        let unavailable = || ClusterError::Unavailable("no answer".to_owned());
        if silent == Silent::Dead {
            return Err(unavailable());
        }
        let done = work(&mut self.there());
        self.watched.all_changed();
        if silent == Silent::Mute { Err(unavailable()) } else { done }
    }
}

#[async_trait]
impl Cluster for Played {
    async fn get(&self, name: &BlueprintName) -> Result<Option<PlatformBlueprint>, ClusterError> {
        Ok(self.of(name.as_str()))
    }

    fn seen(&self, names: &[BlueprintName]) -> Vec<Option<PlatformBlueprint>> {
        names.iter().map(|name| self.of(name.as_str())).collect()
    }

    fn written_elsewhere(&self) -> Vec<Arc<PlatformBlueprint>> {
        let is_it =
            |it: &&PlatformBlueprint| it.spec.organization.is_some() && writer(it) != CONTROL_PLANE;
        self.there().values().filter(is_it).cloned().map(Arc::new).collect()
    }

    fn watch(&self, name: &BlueprintName) -> Receiver<()> {
        self.watched.watch(name.as_str())
    }

    fn is_known(&self) -> bool {
        true
    }

    async fn create(
        &self,
        name: &BlueprintName,
        (platform, made): (&str, Made),
        spec: &BlueprintSpec,
    ) -> Result<PlatformBlueprint, ClusterError> {
        self.hangs().await;
        self.does(|there| {
            if let Some(before) = there.get(name.as_str()) {
                let annotations = before.metadata.annotations.as_ref();
                let is_of = annotations.and_then(|all| all.get(PLATFORM)).map(String::as_str);
                let is_it = is_of == Some(platform) && before.spec == *spec;
                return if is_it { Ok(before.clone()) } else { Err(ClusterError::Taken) };
            }
            if !blueprint::check(&PlatformBlueprint::new(name.as_str(), spec.clone())).is_empty() {
                return Err(ClusterError::Refused("the schema".to_owned()));
            }
            let mut new = PlatformBlueprint::new(name.as_str(), spec.clone());
            new.metadata.uid = Some(Uuid::new_v4().to_string());
            new.metadata.generation = Some(1);
            new.metadata.resource_version = Some(Uuid::now_v7().to_string());
            new.metadata.labels = Some([(MANAGED_BY.to_owned(), CONTROL_PLANE.to_owned())].into());
            let mut notes = vec![(PLATFORM.to_owned(), platform.to_owned())];
            notes.extend((made == Made::Again).then(|| (UNDELETE.to_owned(), "true".to_owned())));
            new.metadata.annotations = Some(notes.into_iter().collect());
            there.insert(name.to_string(), new.clone());
            Ok(new)
        })
    }

    async fn change(
        &self,
        name: &BlueprintName,
        seen: Version,
        spec: &BlueprintSpec,
    ) -> Result<PlatformBlueprint, ClusterError> {
        self.hangs().await;
        self.does(|there| {
            let it = there.get_mut(name.as_str()).ok_or(ClusterError::Missing)?;
            let now = version(it).unwrap();
            if now.uid != seen.uid {
                return Err(ClusterError::Missing);
            }
            if it.spec == *spec {
                return Ok(it.clone());
            }
            if writer(it) != CONTROL_PLANE {
                return Err(ClusterError::ManagedBy(writer(it).to_owned()));
            }
            if now.generation != seen.generation {
                return Err(ClusterError::Changed);
            }
            it.spec = spec.clone();
            it.metadata.generation = Some(now.generation + 1);
            it.metadata.resource_version = Some(Uuid::now_v7().to_string());
            Ok(it.clone())
        })
    }

    async fn hand_over(
        &self,
        name: &BlueprintName,
        seen: Version,
        (platform, to): (&str, Writer),
    ) -> Result<PlatformBlueprint, ClusterError> {
        self.hangs().await;
        self.does(|there| {
            let it = there.get_mut(name.as_str()).ok_or(ClusterError::Missing)?;
            let now = version(it).filter(|now| now.uid == seen.uid).ok_or(ClusterError::Missing)?;
            if is_of(it, platform) && writer(it) == to.word() {
                return Ok(it.clone());
            }
            if now.generation != seen.generation {
                return Err(ClusterError::Changed);
            }
            let metadata = &mut it.metadata;
            let labels = metadata.labels.get_or_insert_default();
            labels.insert(MANAGED_BY.to_owned(), to.word().to_owned());
            let notes = metadata.annotations.get_or_insert_default();
            notes.insert(PLATFORM.to_owned(), platform.to_owned());
            metadata.resource_version = Some(Uuid::now_v7().to_string());
            Ok(it.clone())
        })
    }

    async fn nudge(
        &self,
        name: &BlueprintName,
        of: Uuid,
        now: Timestamp,
    ) -> Result<PlatformBlueprint, ClusterError> {
        self.hangs().await;
        self.does(|there| {
            let it = there.get_mut(name.as_str()).filter(|it| uid(it) == Some(of));
            let it = it.ok_or(ClusterError::Missing)?;
            let notes = it.metadata.annotations.get_or_insert_default();
            notes.insert(RECHECK.to_owned(), now.to_string());
            it.metadata.resource_version = Some(Uuid::now_v7().to_string());
            Ok(it.clone())
        })
    }

    async fn delete(&self, name: &BlueprintName, seen: Version) -> Result<(), ClusterError> {
        self.hangs().await;
        self.does(|there| {
            let now = there.get(name.as_str()).and_then(version);
            match now.filter(|now| now.uid == seen.uid) {
                Some(now) if now.generation != seen.generation => Err(ClusterError::Changed),
                Some(_) => {
                    there.remove(name.as_str());
                    Ok(())
                }
                None => Ok(()),
            }
        })
    }

    async fn confirm(
        &self,
        name: &BlueprintName,
        uid: Uuid,
        account: &Account,
    ) -> Result<(), ClusterError> {
        self.hangs().await;
        self.does(|there| {
            let it = there.get_mut(name.as_str()).ok_or(ClusterError::Missing)?;
            if version(it).unwrap().uid != uid {
                return Err(ClusterError::Changed);
            }
            it.status.get_or_insert_with(BlueprintStatus::default).account = Some(account.clone());
            it.metadata.resource_version = Some(Uuid::now_v7().to_string());
            Ok(())
        })
    }
}

#[tokio::test]
async fn the_cluster_that_is_played_here_does_what_clusters_do() {
    Box::pin(crate::conformance::conforms(&Played::default(), "one", "other")).await;
}
