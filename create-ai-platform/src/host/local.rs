//! This machine as a cluster: blueprints are files in their folders, platforms run in this process.
//!
//! ```text
//! console -> change the file, keep its generation -> this loop: starts, stops -> what is seen
//! a person ->  change the file ---------------------^
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use blueprint::status::Account;
use blueprint::{BlueprintName, BlueprintSpec, PlatformBlueprint, templates};
use control_plane::cluster::{
    CONTROL_PLANE, Cluster, ClusterError, Made, Version, Watched, Writer, is_of, version, writer,
};
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::sync::watch::Receiver;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::records::{self, Kept};
use super::resources::{self, Resource, Starts};
use super::{Host, WeakHost, seen};
use crate::failure::{Failure, Kind};
use crate::folder::{self, Folder};
use crate::home::Home;

/// Files and platforms are looked at so often, whether anybody said that something changed or not.
const LOOKS: Duration = Duration::from_secs(1);
/// What could not be started is tried again after this time.
const AGAIN: Duration = Duration::from_secs(30);

/// The platforms of this machine.
pub struct Local {
    home: Home,
    kept: Kept,
    /// Weak, because the host holds the console, and that one this.
    host: WeakHost,
    seen: RwLock<Option<BTreeMap<String, PlatformBlueprint>>>,
    troubles: Mutex<BTreeMap<String, Trouble>>,
    watched: Watched,
    more: Notify,
}

/// Why one does not run.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// What happened, in words.
    pub what: String,
    since: Instant,
}

impl Local {
    /// The platforms of this host.
    pub fn of(host: &Host) -> Self {
        Self {
            home: host.0.home.clone(),
            kept: host.0.kept.clone(),
            host: host.downgrade(),
            seen: RwLock::default(),
            troubles: Mutex::default(),
            watched: Watched::default(),
            more: Notify::new(),
        }
    }

    /// Starts what is to run, stops what is not, and sees what became of it, until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            self.round().await;
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.more.notified() => {}
                () = tokio::time::sleep(LOOKS) => {}
            }
        }
    }

    /// The names of those that nobody has told the control plane of yet.
    pub fn unknown(&self) -> Result<Vec<BlueprintName>, Failure> {
        let _one = resources::one_at_a_time();
        let mut unknown = Vec::new();
        for name in self.names()? {
            if self.there(&name)?.is_some_and(|there| there.platform.is_none()) {
                unknown.push(name);
            }
        }
        Ok(unknown)
    }

    /// The control plane knows it as this platform from now on.
    pub fn is(&self, name: &BlueprintName, platform: &str) -> Result<(), Failure> {
        let _one = resources::one_at_a_time();
        let Some(there) = self.there(name)? else { return Ok(()) };
        resources::keep(
            &self.home,
            name,
            &Resource { platform: Some(platform.to_owned()), ..there },
        )
    }

    async fn round(&self) {
        let Some(host) = self.host.upgrade() else { return };
        let names = match self.names() {
            Ok(names) => names,
            Err(failure) => {
                return tracing::warn!(why = failure.what, "platforms are not looked at");
            }
        };
        for name in &names {
            if let Err(failure) = Box::pin(self.see_to(&host, name)).await {
                tracing::warn!(%name, why = failure.what, "it cannot be looked at");
            }
        }
        let running = host.running().await;
        let mut seen = BTreeMap::new();
        for name in names {
            let there = {
                let _one = resources::one_at_a_time();
                self.there(&name)
            };
            if let Ok(Some(there)) = there {
                let shown = seen::as_seen(
                    &name,
                    &there,
                    running.get(name.as_str()),
                    self.trouble(&name).as_ref(),
                );
                seen.insert(name.to_string(), shown);
            }
        }
        self.show(seen);
    }

    /// Starts or stops one, where that is to be done.
    async fn see_to(&self, host: &Host, name: &BlueprintName) -> Result<(), Failure> {
        let (there, is_running) = (
            {
                let _one = resources::one_at_a_time();
                self.there(name)?
            },
            host.running().await.contains_key(name.as_str()),
        );
        let Some(there) = there.filter(|there| !there.spec.suspended) else {
            self.forget_trouble(name);
            if is_running {
                self.starts_with_host(name)?;
                host.take_down(name.as_str()).await;
            }
            return Ok(());
        };
        if is_running || there.starts == Starts::ByCommand || !self.is_due(name) {
            return Ok(());
        }
        let Some(record) = records::find(&self.home, name.as_str())? else { return Ok(()) };
        match Box::pin(host.add(&Folder::at(&record.folder)?)).await {
            Ok(_) => self.forget_trouble(name),
            Err(failure) => {
                tracing::warn!(%name, why = failure.what, "it does not start");
                let trouble = Trouble { what: failure.what, since: Instant::now() };
                self.troubles().insert(name.to_string(), trouble);
            }
        }
        Ok(())
    }

    /// What was stopped by its blueprint goes on by it.
    fn starts_with_host(&self, name: &BlueprintName) -> Result<(), Failure> {
        let _one = resources::one_at_a_time();
        let Some(there) = self.there(name)? else { return Ok(()) };
        resources::keep(&self.home, name, &Resource { starts: Starts::WithHost, ..there })
    }

    fn names(&self) -> Result<Vec<BlueprintName>, Failure> {
        let names = records::names(&self.home)?;
        Ok(names.into_iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// One as its file and what is kept beside it say; `None` where there is none, or it was deleted. What
    /// somebody changed in the file counts from here on. Whoever asks changes them alone.
    fn there(&self, name: &BlueprintName) -> Result<Option<Resource>, Failure> {
        let known = resources::find(&self.home, name.as_str())?;
        let Some(record) = records::find(&self.home, name.as_str())? else {
            // Somebody has destroyed it.
            if known.is_some() {
                resources::forget(&self.home, name.as_str())?;
            }
            return Ok(None);
        };
        if known.as_ref().is_some_and(|known| known.deleted_at.is_some()) {
            return Ok(None);
        }
        let folder = Folder::at(&record.folder)?;
        let described = folder.read().ok().map(|(blueprint, _)| blueprint);
        let described = described
            .filter(|it| it.metadata.name.as_deref() == Some(name.as_str()))
            .map(|it| it.spec);
        let now = match (known, described) {
            // What cannot be read changes nothing: it may be half-edited.
            (Some(known), None) => return Ok(Some(known)),
            (None, None) => return Ok(None),
            (Some(known), Some(spec)) if known.spec == spec => return Ok(Some(known)),
            (Some(known), Some(spec)) => {
                Resource { spec, generation: known.generation + 1, ..known }
            }
            (None, Some(spec)) => Resource {
                uid: Uuid::new_v4(),
                generation: 1,
                spec,
                platform: None,
                released: false,
                recheck: None,
                undeleted: false,
                account: None,
                starts: Starts::ByCommand,
                deleted_at: None,
            },
        };
        resources::keep(&self.home, name, &now)?;
        Ok(Some(now))
    }

    /// Makes the folder, or has the one that there is say this.
    fn write(&self, name: &BlueprintName, spec: &BlueprintSpec) -> Result<(), Failure> {
        let wanted = PlatformBlueprint::new(name.as_str(), spec.clone());
        if let Some(record) = records::find(&self.home, name.as_str())? {
            let folder = Folder::at(&record.folder)?;
            if folder.described().is_some_and(|described| described != *name) {
                return Err(others(&folder));
            }
            let text = match folder.text() {
                Ok(text) => folder::rewrite(&text, &wanted),
                Err(_) => blueprint::write_with_schema_line(&wanted, folder::SCHEMA),
            };
            let file = folder.blueprint_file();
            let written = std::fs::create_dir_all(folder.path())
                .and_then(|()| crate::files::write_whole(&file, text.as_bytes()));
            return written.map_err(|error| Failure::file("write", &file, &error));
        }
        let folders = self.home.folders();
        crate::home::private_folder(&folders)?;
        let folder = Folder::at(&folders.join(name.as_str()))?;
        let named = spec.template.as_ref().and_then(|it| templates::get(&it.name));
        let template = named.or_else(|| templates::get("creator"));
        let template = template.ok_or_else(|| super::unexpected("find a template"))?;
        // One of an earlier try that was cut off says this already; any other is somebody's.
        let is_there = folder.read().is_ok_and(|(there, _)| {
            there.metadata.name.as_deref() == Some(name.as_str()) && there.spec == *spec
        });
        if !is_there && folder.exists() {
            return Err(others(&folder));
        }
        if !is_there {
            folder.create(template, &wanted)?;
        }
        records::remember(&self.home, name, &folder, &self.kept).map(drop)
    }

    fn made(
        &self,
        name: &BlueprintName,
        (platform, made): (&str, Made),
        spec: &BlueprintSpec,
    ) -> Result<PlatformBlueprint, ClusterError> {
        let _one = resources::one_at_a_time();
        if let Some(there) = self.there(name)? {
            let shown = self.shown(name, &there);
            let is_it = is_of(&shown, platform) && there.spec == *spec;
            return if is_it { Ok(shown) } else { Err(ClusterError::Taken) };
        }
        let deleted = resources::find(&self.home, name.as_str())?;
        // The data of what was deleted is another platform's.
        let is_back = made == Made::Again
            && deleted.as_ref().is_some_and(|it| it.platform.as_deref() == Some(platform));
        if deleted.is_some() && !is_back {
            return Err(ClusterError::Taken);
        }
        allowed(name, spec)?;
        self.write(name, spec)?;
        let new = Resource {
            uid: Uuid::new_v4(),
            generation: 1,
            spec: spec.clone(),
            platform: Some(platform.to_owned()),
            released: false,
            recheck: None,
            undeleted: made == Made::Again,
            account: None,
            starts: Starts::WithHost,
            deleted_at: None,
        };
        resources::keep(&self.home, name, &new)?;
        Ok(self.shown(name, &new))
    }

    fn changed(
        &self,
        name: &BlueprintName,
        seen: Version,
        spec: &BlueprintSpec,
    ) -> Result<PlatformBlueprint, ClusterError> {
        let _one = resources::one_at_a_time();
        let there = self.of_uid(name, seen.uid)?;
        if there.spec == *spec {
            return Ok(self.shown(name, &there));
        }
        if there.released {
            return Err(ClusterError::ManagedBy(Writer::Kubectl.word().to_owned()));
        }
        if there.generation != seen.generation {
            return Err(ClusterError::Changed);
        }
        allowed(name, spec)?;
        self.write(name, spec)?;
        let now = Resource { spec: spec.clone(), generation: there.generation + 1, ..there };
        resources::keep(&self.home, name, &now)?;
        Ok(self.shown(name, &now))
    }

    fn handed_over(
        &self,
        name: &BlueprintName,
        seen: Version,
        (platform, to): (&str, Writer),
    ) -> Result<PlatformBlueprint, ClusterError> {
        let _one = resources::one_at_a_time();
        let there = self.of_uid(name, seen.uid)?;
        let (platform, released) = (Some(platform.to_owned()), to == Writer::Kubectl);
        if (&there.platform, there.released) == (&platform, released) {
            return Ok(self.shown(name, &there));
        }
        if there.generation != seen.generation {
            return Err(ClusterError::Changed);
        }
        let now = Resource { platform, released, ..there };
        resources::keep(&self.home, name, &now)?;
        Ok(self.shown(name, &now))
    }

    fn nudged(
        &self,
        name: &BlueprintName,
        uid: Uuid,
        now: Timestamp,
    ) -> Result<PlatformBlueprint, ClusterError> {
        let _one = resources::one_at_a_time();
        let now = Resource { recheck: Some(now), ..self.of_uid(name, uid)? };
        resources::keep(&self.home, name, &now)?;
        self.forget_trouble(name);
        Ok(self.shown(name, &now))
    }

    fn deleted(&self, name: &BlueprintName, seen: Version) -> Result<(), ClusterError> {
        let _one = resources::one_at_a_time();
        let there = match self.of_uid(name, seen.uid) {
            Ok(there) => there,
            Err(ClusterError::Missing) => return Ok(()),
            Err(error) => return Err(error),
        };
        if there.generation != seen.generation {
            return Err(ClusterError::Changed);
        }
        let deleted_at = Some(work::Clock::System.now());
        Ok(resources::keep(&self.home, name, &Resource { deleted_at, ..there })?)
    }

    fn of_uid(&self, name: &BlueprintName, uid: Uuid) -> Result<Resource, ClusterError> {
        let there = self.there(name)?.filter(|there| there.uid == uid);
        there.ok_or(ClusterError::Missing)
    }

    /// With what was seen of it last.
    fn shown(&self, name: &BlueprintName, resource: &Resource) -> PlatformBlueprint {
        let status = self.seen(std::slice::from_ref(name)).pop().flatten();
        let same = status.filter(|it| version(it).is_some_and(|it| it.uid == resource.uid));
        seen::shown(name, resource, same.and_then(|it| it.status))
    }

    fn show(&self, now: BTreeMap<String, PlatformBlueprint>) {
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        let before = seen.take().unwrap_or_default();
        let names = before.keys().chain(now.keys());
        let changed = names.filter(|name| before.get(*name) != now.get(*name));
        let changed: Vec<_> = changed.cloned().collect();
        // Whoever is told finds it.
        *seen = Some(now);
        drop(seen);
        for name in changed {
            self.watched.changed(&name);
        }
    }

    fn is_due(&self, name: &BlueprintName) -> bool {
        self.trouble(name).is_none_or(|trouble| trouble.since.elapsed() >= AGAIN)
    }

    fn trouble(&self, name: &BlueprintName) -> Option<Trouble> {
        self.troubles().get(name.as_str()).cloned()
    }

    fn forget_trouble(&self, name: &BlueprintName) {
        self.troubles().remove(name.as_str());
    }

    fn troubles(&self) -> MutexGuard<'_, BTreeMap<String, Trouble>> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Cluster for Local {
    async fn get(&self, name: &BlueprintName) -> Result<Option<PlatformBlueprint>, ClusterError> {
        let there = {
            let _one = resources::one_at_a_time();
            self.there(name)?
        };
        Ok(there.map(|there| self.shown(name, &there)))
    }

    fn seen(&self, names: &[BlueprintName]) -> Vec<Option<PlatformBlueprint>> {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        let seen = |name: &BlueprintName| seen.as_ref()?.get(name.as_str()).cloned();
        names.iter().map(seen).collect()
    }

    fn written_elsewhere(&self) -> Vec<Arc<PlatformBlueprint>> {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        let all = seen.iter().flat_map(BTreeMap::values);
        let is_it =
            |it: &&PlatformBlueprint| it.spec.organization.is_some() && writer(it) != CONTROL_PLANE;
        all.filter(is_it).cloned().map(Arc::new).collect()
    }

    fn watch(&self, name: &BlueprintName) -> Receiver<()> {
        self.watched.watch(name.as_str())
    }

    fn is_known(&self) -> bool {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    async fn create(
        &self,
        name: &BlueprintName,
        of: (&str, Made),
        spec: &BlueprintSpec,
    ) -> Result<PlatformBlueprint, ClusterError> {
        let made = self.made(name, of, spec)?;
        self.more.notify_one();
        Ok(made)
    }

    async fn change(
        &self,
        name: &BlueprintName,
        seen: Version,
        spec: &BlueprintSpec,
    ) -> Result<PlatformBlueprint, ClusterError> {
        let changed = self.changed(name, seen, spec)?;
        self.more.notify_one();
        Ok(changed)
    }

    async fn hand_over(
        &self,
        name: &BlueprintName,
        seen: Version,
        to: (&str, Writer),
    ) -> Result<PlatformBlueprint, ClusterError> {
        self.handed_over(name, seen, to)
    }

    async fn nudge(
        &self,
        name: &BlueprintName,
        uid: Uuid,
        now: Timestamp,
    ) -> Result<PlatformBlueprint, ClusterError> {
        let nudged = self.nudged(name, uid, now)?;
        self.more.notify_one();
        Ok(nudged)
    }

    async fn delete(&self, name: &BlueprintName, seen: Version) -> Result<(), ClusterError> {
        self.deleted(name, seen)?;
        self.more.notify_one();
        Ok(())
    }

    async fn confirm(
        &self,
        name: &BlueprintName,
        uid: Uuid,
        account: &Account,
    ) -> Result<(), ClusterError> {
        let _one = resources::one_at_a_time();
        let there = self.of_uid(name, uid)?;
        Ok(resources::keep(
            &self.home,
            name,
            &Resource { account: Some(account.clone()), ..there },
        )?)
    }
}

/// What is in a folder is not overwritten by something else.
fn others(folder: &Folder) -> Failure {
    Failure::new(
        Kind::Blueprint,
        format!("{} describes something else", folder.blueprint_file().display()),
        "Move that folder away, or give it back the name it had.",
    )
}

/// Not what breaks a rule.
fn allowed(name: &BlueprintName, spec: &BlueprintSpec) -> Result<(), ClusterError> {
    let problems = blueprint::check(&PlatformBlueprint::new(name.as_str(), spec.clone()));
    if problems.is_empty() {
        return Ok(());
    }
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    Err(ClusterError::Refused(problems.join("; ")))
}

impl From<Failure> for ClusterError {
    fn from(failure: Failure) -> Self {
        match failure.kind {
            Kind::Name => Self::Taken,
            Kind::Blueprint => Self::Refused(failure.what),
            _ => Self::Unavailable(failure.what),
        }
    }
}

#[cfg(test)]
#[path = "../../../control-plane/tests/api/conformance.rs"]
mod conformance;

#[cfg(test)]
mod tests {
    use super::super::tests::host;
    use super::*;

    #[tokio::test]
    async fn this_machine_does_what_every_cluster_does() {
        let nowhere = "postgres://nobody@127.0.0.1:1/none".to_owned().into();
        let (_place, host) = host(database::Admin::from_url(&nowhere).unwrap()).await;
        conformance::conforms(&Local::of(&host), "one", "other").await;
        host.end().await;
    }
}
