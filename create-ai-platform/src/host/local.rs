//! This machine as a cluster: blueprints are files in their folders, platforms run in this process.
//!
//! ```text
//! console -> change the file, keep its generation -> this loop: starts, stops -> what is seen
//! a person ->  change the file ---------------------^
//! ```

mod files;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use blueprint::status::Account;
use blueprint::{BlueprintName, BlueprintSpec, PlatformBlueprint};
use control_plane::cluster::{
    CONTROL_PLANE, Cluster, ClusterError, Made, Version, Watched, Writer, writer,
};
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::sync::watch::Receiver;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::files::Files;
pub use self::files::Trouble;
use super::records;
use super::resources::{self, Resource, Starts};
use super::{Host, seen};
use crate::failure::Failure;
use crate::folder::Folder;

/// Files and platforms are looked at so often, whether anybody said that something changed or not.
const LOOKS: Duration = Duration::from_secs(1);
/// What could not be started is tried again after this time.
const AGAIN: Duration = Duration::from_secs(30);

/// The platforms of this machine.
#[derive(Clone)]
pub struct Local(Arc<Files>);

impl Local {
    /// The platforms of this host.
    pub fn of(host: &Host) -> Self {
        Self(Arc::new(Files {
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
        let all = self.aside(Files::all).await??;
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
        let (all, running) = (self.aside(Files::all).await??, host.running().await);
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
        let (all, running) = (self.aside(Files::all).await??, host.running().await);
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
        work: impl FnOnce(&Files) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let inner = self.0.clone();
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.map_err(|error| super::unexpected(&format!("look at platforms: {error}")))
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
        Box::pin(conformance::conforms(&Local::of(&host), "one", "other")).await;
        host.end().await;
    }
}
