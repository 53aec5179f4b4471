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
#[derive(Clone)]
pub struct Local(Arc<Inner>);

struct Inner {
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
        Self(Arc::new(Inner {
            home: host.0.home.clone(),
            kept: host.0.kept.clone(),
            host: host.downgrade(),
            seen: RwLock::default(),
            troubles: Mutex::default(),
            watched: Watched::default(),
            more: Notify::new(),
        }))
    }

    /// Starts what is to run, stops what is not, and sees what became of it, until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(failure) = self.round().await {
                tracing::warn!(why = failure.what, "platforms are not looked at");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.0.more.notified() => {}
                () = tokio::time::sleep(LOOKS) => {}
            }
        }
    }

    /// The names of those that nobody has told the control plane of yet.
    pub async fn unknown(&self) -> Result<Vec<BlueprintName>, Failure> {
        let all = self.aside(Inner::all).await??;
        let unknown = all.into_iter().filter(|(_, there)| there.platform.is_none());
        Ok(unknown.map(|(name, _)| name).collect())
    }

    /// The control plane knows it as this platform from now on.
    pub async fn is(&self, name: &BlueprintName, platform: &str) -> Result<(), Failure> {
        let (name, platform) = (name.clone(), Some(platform.to_owned()));
        self.aside(move |it| it.rewrite(&name, |there| Resource { platform, ..there })).await?
    }

    async fn round(&self) -> Result<(), Failure> {
        let Some(host) = self.0.host.upgrade() else { return Ok(()) };
        let (all, running) = (self.aside(Inner::all).await??, host.running().await);
        for name in running.keys().filter_map(|name| name.parse().ok()) {
            let its = BlueprintName::clone(&name);
            if self.aside(move |it| it.is_deleted(&its)).await?? {
                self.0.forget_trouble(&name);
                host.take_down(name.as_str()).await;
            }
        }
        for (name, there) in &all {
            let is_running = running.contains_key(name.as_str());
            if let Err(failure) = Box::pin(self.see_to(&host, name, there, is_running)).await {
                tracing::warn!(%name, why = failure.what, "it cannot be looked at");
            }
        }
        let (all, running) = (self.aside(Inner::all).await??, host.running().await);
        let shown = all.into_iter().map(|(name, there)| {
            let (runs, trouble) = (running.get(name.as_str()), self.0.trouble(&name));
            (name.to_string(), seen::as_seen(&name, &there, runs, trouble.as_ref()))
        });
        self.0.show(shown.collect());
        Ok(())
    }

    /// Starts or stops one, where that is to be done.
    async fn see_to(
        &self,
        host: &Host,
        name: &BlueprintName,
        there: &Resource,
        is_running: bool,
    ) -> Result<(), Failure> {
        if there.spec.suspended {
            self.0.forget_trouble(name);
            return if is_running { self.stop(host, name).await } else { Ok(()) };
        }
        if is_running || there.starts == Starts::ByCommand || !self.0.is_due(name) {
            return Ok(());
        }
        let Some(record) = records::find(&self.0.home, name.as_str())? else { return Ok(()) };
        match Box::pin(host.add(&Folder::at(&record.folder)?)).await {
            Ok(_) => self.0.forget_trouble(name),
            Err(failure) => {
                tracing::warn!(%name, why = failure.what, "it does not start");
                let trouble = Trouble { what: failure.what, since: Instant::now() };
                self.0.troubles().insert(name.to_string(), trouble);
            }
        }
        Ok(())
    }

    /// What was stopped by its blueprint goes on by it.
    async fn stop(&self, host: &Host, name: &BlueprintName) -> Result<(), Failure> {
        let its = name.clone();
        let starts = Starts::WithHost;
        self.aside(move |it| it.rewrite(&its, |there| Resource { starts, ..there })).await??;
        host.take_down(name.as_str()).await;
        Ok(())
    }

    /// Beside those who serve: files may be slow, and one waits for another.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let inner = self.0.clone();
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.map_err(|error| super::unexpected(&format!("look at platforms: {error}")))
    }
}

impl Inner {
    /// All that are there.
    fn all(&self) -> Result<Vec<(BlueprintName, Resource)>, Failure> {
        let mut all = Vec::new();
        for name in self.names()? {
            let _one = resources::one_at_a_time();
            match self.there(&name) {
                Ok(there) => all.extend(there.map(|there| (name, there))),
                Err(failure) => tracing::warn!(%name, why = failure.what, "it cannot be looked at"),
            }
        }
        Ok(all)
    }

    fn is_deleted(&self, name: &BlueprintName) -> Result<bool, Failure> {
        let kept = resources::find(&self.home, name.as_str())?;
        Ok(kept.is_some_and(|kept| kept.deleted_at.is_some()))
    }

    /// What is kept of one that is there is otherwise from now on.
    fn rewrite(
        &self,
        name: &BlueprintName,
        change: impl FnOnce(Resource) -> Resource,
    ) -> Result<(), Failure> {
        let _one = resources::one_at_a_time();
        let Some(there) = self.there(name)? else { return Ok(()) };
        resources::keep(&self.home, name, &change(there))
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
        let status = self.last_seen(name);
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

    /// As it was seen last.
    fn last_seen(&self, name: &BlueprintName) -> Option<PlatformBlueprint> {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        seen.as_ref()?.get(name.as_str()).cloned()
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
        let name = name.clone();
        let found = self.aside(move |it| {
            let _one = resources::one_at_a_time();
            Ok(it.there(&name)?.map(|there| it.shown(&name, &there)))
        });
        found.await?
    }

    fn seen(&self, names: &[BlueprintName]) -> Vec<Option<PlatformBlueprint>> {
        names.iter().map(|name| self.0.last_seen(name)).collect()
    }

    fn written_elsewhere(&self) -> Vec<Arc<PlatformBlueprint>> {
        let seen = self.0.seen.read().unwrap_or_else(PoisonError::into_inner);
        let all = seen.iter().flat_map(BTreeMap::values);
        let is_it =
            |it: &&PlatformBlueprint| it.spec.organization.is_some() && writer(it) != CONTROL_PLANE;
        all.filter(is_it).cloned().map(Arc::new).collect()
    }

    fn watch(&self, name: &BlueprintName) -> Receiver<()> {
        self.0.watched.watch(name.as_str())
    }

    fn is_known(&self) -> bool {
        self.0.seen.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    async fn create(
        &self,
        name: &BlueprintName,
        (platform, made): (&str, Made),
        spec: &BlueprintSpec,
    ) -> Result<PlatformBlueprint, ClusterError> {
        let (name, platform, spec) = (name.clone(), platform.to_owned(), spec.clone());
        let made = self.aside(move |it| it.made(&name, (&platform, made), &spec)).await??;
        self.0.more.notify_one();
        Ok(made)
    }

    async fn change(
        &self,
        name: &BlueprintName,
        seen: Version,
        spec: &BlueprintSpec,
    ) -> Result<PlatformBlueprint, ClusterError> {
        let (name, spec) = (name.clone(), spec.clone());
        let changed = self.aside(move |it| it.changed(&name, seen, &spec)).await??;
        self.0.more.notify_one();
        Ok(changed)
    }

    async fn hand_over(
        &self,
        name: &BlueprintName,
        seen: Version,
        (platform, to): (&str, Writer),
    ) -> Result<PlatformBlueprint, ClusterError> {
        let (name, platform) = (name.clone(), platform.to_owned());
        self.aside(move |it| it.handed_over(&name, seen, (&platform, to))).await?
    }

    async fn nudge(
        &self,
        name: &BlueprintName,
        uid: Uuid,
        now: Timestamp,
    ) -> Result<PlatformBlueprint, ClusterError> {
        let name = name.clone();
        let nudged = self.aside(move |it| it.nudged(&name, uid, now)).await??;
        self.0.more.notify_one();
        Ok(nudged)
    }

    async fn delete(&self, name: &BlueprintName, seen: Version) -> Result<(), ClusterError> {
        let name = name.clone();
        self.aside(move |it| it.deleted(&name, seen)).await??;
        self.0.more.notify_one();
        Ok(())
    }

    async fn confirm(
        &self,
        name: &BlueprintName,
        uid: Uuid,
        account: &Account,
    ) -> Result<(), ClusterError> {
        let (name, account) = (name.clone(), Some(account.clone()));
        let confirmed = self.aside(move |it| {
            let _one = resources::one_at_a_time();
            let there = it.of_uid(&name, uid)?;
            Ok(resources::keep(&it.home, &name, &Resource { account, ..there })?)
        });
        confirmed.await?
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
