//! What files say of platforms, and changing them: it waits for disks, so nobody does it who serves.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use blueprint::{BlueprintName, BlueprintSpec, PlatformBlueprint, templates};
use control_plane::cluster::{ClusterError, Made, Version, Watched, Writer, is_of, version};
use jiff::Timestamp;
use tokio::sync::Notify;
use uuid::Uuid;

use super::AGAIN;
use crate::failure::{Failure, Kind};
use crate::folder::{self, Folder};
use crate::home::Home;
use crate::host::records::{self, Kept};
use crate::host::resources::{self, Resource, Starts};
use crate::host::{WeakHost, seen, unexpected};

/// The platforms of this machine, as files and what is kept beside them say.
pub struct Files {
    pub(super) home: Home,
    pub(super) kept: Kept,
    /// Weak, because the host holds the console, and that one this.
    pub(super) host: WeakHost,
    pub(super) seen: RwLock<Option<BTreeMap<String, PlatformBlueprint>>>,
    pub(super) troubles: Mutex<BTreeMap<String, Trouble>>,
    pub(super) watched: Watched,
    pub(super) more: Notify,
}

/// Why one does not run.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// What happened, in words.
    pub what: String,
    pub(super) since: Instant,
}

impl Files {
    /// All that are there.
    pub(super) fn all(&self) -> Result<Vec<(BlueprintName, Resource)>, Failure> {
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

    pub(super) fn is_deleted(&self, name: &BlueprintName) -> Result<bool, Failure> {
        let kept = resources::find(&self.home, name.as_str())?;
        Ok(kept.is_some_and(|kept| kept.deleted_at.is_some()))
    }

    /// What is kept of one that is there is otherwise from now on.
    pub(super) fn rewrite(
        &self,
        name: &BlueprintName,
        change: impl FnOnce(Resource) -> Resource,
    ) -> Result<(), Failure> {
        let _one = resources::one_at_a_time();
        let Some(there) = self.there(name)? else { return Ok(()) };
        resources::keep(&self.home, name, &change(there))
    }

    pub(super) fn names(&self) -> Result<Vec<BlueprintName>, Failure> {
        let names = records::names(&self.home)?;
        Ok(names.into_iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// One as its file and what is kept beside it say; `None` where there is none, or it was deleted. What
    /// somebody changed in the file counts from here on. Whoever asks changes them alone.
    pub(super) fn there(&self, name: &BlueprintName) -> Result<Option<Resource>, Failure> {
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
    pub(super) fn write(&self, name: &BlueprintName, spec: &BlueprintSpec) -> Result<(), Failure> {
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
        let template = template.ok_or_else(|| unexpected("find a template"))?;
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

    pub(super) fn made(
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

    pub(super) fn changed(
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

    pub(super) fn handed_over(
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

    pub(super) fn nudged(
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

    pub(super) fn deleted(&self, name: &BlueprintName, seen: Version) -> Result<(), ClusterError> {
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

    pub(super) fn of_uid(&self, name: &BlueprintName, uid: Uuid) -> Result<Resource, ClusterError> {
        let there = self.there(name)?.filter(|there| there.uid == uid);
        there.ok_or(ClusterError::Missing)
    }

    /// With what was seen of it last.
    pub(super) fn shown(&self, name: &BlueprintName, resource: &Resource) -> PlatformBlueprint {
        let status = self.last_seen(name);
        let same = status.filter(|it| version(it).is_some_and(|it| it.uid == resource.uid));
        seen::shown(name, resource, same.and_then(|it| it.status))
    }

    pub(super) fn show(&self, now: BTreeMap<String, PlatformBlueprint>) {
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
    pub(super) fn last_seen(&self, name: &BlueprintName) -> Option<PlatformBlueprint> {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        seen.as_ref()?.get(name.as_str()).cloned()
    }

    pub(super) fn is_due(&self, name: &BlueprintName) -> bool {
        self.trouble(name).is_none_or(|trouble| trouble.since.elapsed() >= AGAIN)
    }

    pub(super) fn trouble(&self, name: &BlueprintName) -> Option<Trouble> {
        self.troubles().get(name.as_str()).cloned()
    }

    pub(super) fn forget_trouble(&self, name: &BlueprintName) {
        self.troubles().remove(name.as_str());
    }

    pub(super) fn troubles(&self) -> MutexGuard<'_, BTreeMap<String, Trouble>> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
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
