//! The API server.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use blueprint::status::Account;
use blueprint::{BlueprintName, BlueprintSpec, PlatformBlueprint};
use futures::StreamExt as _;
use jiff::Timestamp;
use kube::Client;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::json;
use tokio::sync::watch::Receiver;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    CONTROL_PLANE, Cluster, ClusterError, MANAGED_BY, Made, PLATFORM, RECHECK, UNDELETE, Version,
    Watched, Writer, is_going, is_of, uid, version, writer,
};

/// Who we are to the API server's book-keeping of fields.
const MANAGER: &str = "soulfra-control-plane";
/// A call must end within this time.
const DEADLINE: Duration = Duration::from_secs(4);
/// A watch is begun anew after so many seconds.
const TURN: u32 = 120;
/// So often a change is tried where only the status was written meanwhile.
const TRIES: usize = 5;

/// The API server, and what was seen of it.
pub struct Kubernetes {
    client: Client,
    seen: Store<PlatformBlueprint>,
    is_known: Arc<std::sync::atomic::AtomicBool>,
    watched: Arc<Watched>,
}

impl Kubernetes {
    /// By this client; what there is is followed until `stop`.
    pub fn follow(client: Client, stop: CancellationToken) -> Self {
        let (seen, writer) = reflector::store();
        let api: Api<PlatformBlueprint> = Api::all(client.clone());
        let events = watcher(api, watcher::Config::default().timeout(TURN)).default_backoff();
        let events = events.reflect(writer).take_until(stop.cancelled_owned());
        let is_known = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let known = is_known.clone();
        let watched = Arc::new(Watched::default());
        let waiting = watched.clone();
        tokio::spawn(async move {
            let mut events = std::pin::pin!(events);
            while let Some(event) = events.next().await {
                match event {
                    Ok(watcher::Event::InitDone) => {
                        known.store(true, std::sync::atomic::Ordering::Release);
                        waiting.all_changed();
                    }
                    Ok(watcher::Event::Apply(it) | watcher::Event::Delete(it)) => {
                        waiting.changed(it.metadata.name.as_deref().unwrap_or_default());
                    }
                    // Of a list, none is seen before all are.
                    Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => {}
                    Err(error) => tracing::warn!(%error, "blueprints are not followed"),
                }
            }
        });
        Self { client, seen, is_known, watched }
    }

    fn api(&self) -> Api<PlatformBlueprint> {
        Api::all(self.client.clone())
    }

    /// The one of this name; `None` where there is none.
    async fn live(&self, name: &BlueprintName) -> Result<Option<PlatformBlueprint>, ClusterError> {
        timed(self.api().get_opt(name.as_str())).await
    }

    /// This one in its place, where nobody wrote it since.
    async fn replace(
        &self,
        name: &BlueprintName,
        with: &PlatformBlueprint,
    ) -> Result<PlatformBlueprint, ClusterError> {
        let by = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        timed(self.api().replace(name.as_str(), &by, with)).await
    }
}

#[async_trait]
impl Cluster for Kubernetes {
    async fn get(&self, name: &BlueprintName) -> Result<Option<PlatformBlueprint>, ClusterError> {
        match self.live(name).await {
            Err(ClusterError::Unavailable(_)) if self.is_known() => {
                Ok(self.seen(std::slice::from_ref(name)).pop().flatten())
            }
            live => live,
        }
    }

    fn seen(&self, names: &[BlueprintName]) -> Vec<Option<PlatformBlueprint>> {
        let seen = |name: &BlueprintName| {
            self.seen.get(&ObjectRef::new(name.as_str())).map(|found| (*found).clone())
        };
        names.iter().map(seen).collect()
    }

    fn written_elsewhere(&self) -> Vec<Arc<PlatformBlueprint>> {
        let is_it = |it: &PlatformBlueprint| {
            it.spec.organization.is_some() && writer(it) != CONTROL_PLANE && !is_going(it)
        };
        self.seen.state().into_iter().filter(|it| is_it(it)).collect()
    }

    fn watch(&self, name: &BlueprintName) -> Receiver<()> {
        self.watched.watch(name.as_str())
    }

    fn is_known(&self) -> bool {
        self.is_known.load(std::sync::atomic::Ordering::Acquire)
    }

    async fn create(
        &self,
        name: &BlueprintName,
        (platform, made): (&str, Made),
        spec: &BlueprintSpec,
    ) -> Result<PlatformBlueprint, ClusterError> {
        let mut new = PlatformBlueprint::new(name.as_str(), spec.clone());
        let label = (MANAGED_BY.to_owned(), CONTROL_PLANE.to_owned());
        new.metadata.labels = Some([label].into());
        let mut notes = vec![(PLATFORM.to_owned(), platform.to_owned())];
        if made == Made::Again {
            notes.push((UNDELETE.to_owned(), "true".to_owned()));
        }
        new.metadata.annotations = Some(notes.into_iter().collect());
        let by = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        match timed(self.api().create(&by, &new)).await {
            // It may have been us, whose answer was lost.
            Err(ClusterError::Taken) => {
                let there = self.live(name).await?.ok_or(ClusterError::Missing)?;
                let is_it = is_of(&there, platform)
                    && there.spec == *spec
                    && there.metadata.deletion_timestamp.is_none();
                if is_it { Ok(there) } else { Err(ClusterError::Taken) }
            }
            made => made,
        }
    }

    async fn change(
        &self,
        name: &BlueprintName,
        seen: Version,
        spec: &BlueprintSpec,
    ) -> Result<PlatformBlueprint, ClusterError> {
        for _ in 0..TRIES {
            let mut there = self.live(name).await?.ok_or(ClusterError::Missing)?;
            let now = version(&there).ok_or(ClusterError::Missing)?;
            if now.uid != seen.uid {
                return Err(ClusterError::Missing);
            }
            if there.spec == *spec {
                return Ok(there);
            }
            if writer(&there) != CONTROL_PLANE {
                return Err(ClusterError::ManagedBy(writer(&there).to_owned()));
            }
            if now.generation != seen.generation {
                return Err(ClusterError::Changed);
            }
            there.spec = spec.clone();
            match self.replace(name, &there).await {
                // Its status may have been written meanwhile, which is no matter.
                Err(ClusterError::Changed) => {}
                changed => return changed,
            }
        }
        Err(ClusterError::Unavailable("it changes without a pause".to_owned()))
    }

    async fn hand_over(
        &self,
        name: &BlueprintName,
        seen: Version,
        (platform, to): (&str, Writer),
    ) -> Result<PlatformBlueprint, ClusterError> {
        for _ in 0..TRIES {
            let mut there = self.live(name).await?.ok_or(ClusterError::Missing)?;
            let now = version(&there).filter(|now| now.uid == seen.uid && !is_going(&there));
            let now = now.ok_or(ClusterError::Missing)?;
            if is_of(&there, platform) && writer(&there) == to.word() {
                return Ok(there);
            }
            if now.generation != seen.generation {
                return Err(ClusterError::Changed);
            }
            let metadata = &mut there.metadata;
            let labels = metadata.labels.get_or_insert_default();
            labels.insert(MANAGED_BY.to_owned(), to.word().to_owned());
            let notes = metadata.annotations.get_or_insert_default();
            notes.insert(PLATFORM.to_owned(), platform.to_owned());
            match self.replace(name, &there).await {
                Err(ClusterError::Changed) => {}
                handed => return handed,
            }
        }
        Err(ClusterError::Unavailable("it changes without a pause".to_owned()))
    }

    async fn nudge(
        &self,
        name: &BlueprintName,
        of: Uuid,
        now: Timestamp,
    ) -> Result<PlatformBlueprint, ClusterError> {
        for _ in 0..TRIES {
            let mut there = self.live(name).await?.ok_or(ClusterError::Missing)?;
            if uid(&there) != Some(of) || is_going(&there) {
                return Err(ClusterError::Missing);
            }
            let notes = there.metadata.annotations.get_or_insert_default();
            notes.insert(RECHECK.to_owned(), now.to_string());
            match self.replace(name, &there).await {
                Err(ClusterError::Changed) => {}
                nudged => return nudged,
            }
        }
        Err(ClusterError::Unavailable("it changes without a pause".to_owned()))
    }

    async fn delete(&self, name: &BlueprintName, seen: Version) -> Result<(), ClusterError> {
        for _ in 0..TRIES {
            let Some(there) = self.live(name).await? else { return Ok(()) };
            // Another one of that name is nothing of this one's.
            let now = version(&there).filter(|now| now.uid == seen.uid);
            let is_going = there.metadata.deletion_timestamp.is_some();
            let Some(now) = now.filter(|_| !is_going) else { return Ok(()) };
            if now.generation != seen.generation {
                return Err(ClusterError::Changed);
            }
            let only = Preconditions {
                uid: Some(seen.uid.to_string()),
                resource_version: there.metadata.resource_version,
            };
            let by = DeleteParams { preconditions: Some(only), ..DeleteParams::default() };
            match timed(self.api().delete(name.as_str(), &by)).await {
                // Its status may have been written meanwhile, which is no matter.
                Err(ClusterError::Changed) => {}
                Ok(_) | Err(ClusterError::Missing) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Err(ClusterError::Unavailable("it changes without a pause".to_owned()))
    }

    async fn confirm(
        &self,
        name: &BlueprintName,
        uid: Uuid,
        account: &Account,
    ) -> Result<(), ClusterError> {
        for _ in 0..TRIES {
            let there = self.live(name).await?.ok_or(ClusterError::Missing)?;
            if version(&there).is_none_or(|version| version.uid != uid) {
                return Err(ClusterError::Missing);
            }
            // A uid would not be compared: of who writes a status the API server looks at nothing of
            // `metadata` but this.
            let status = json!({
                "apiVersion": blueprint::API_VERSION, "kind": blueprint::KIND,
                "metadata": {
                    "name": name.as_str(), "resourceVersion": there.metadata.resource_version,
                },
                "status": {"account": account},
            });
            let by = PatchParams::apply(MANAGER).force();
            let (api, patch) = (self.api(), Patch::Apply(&status));
            match timed(api.patch_status(name.as_str(), &by, &patch)).await {
                Err(ClusterError::Changed) => {}
                confirmed => return confirmed.map(drop),
            }
        }
        Err(ClusterError::Unavailable("it changes without a pause".to_owned()))
    }
}

/// In time, and as an error of ours.
async fn timed<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, ClusterError> {
    let late = || format!("no answer within {} s", DEADLINE.as_secs());
    let answer = tokio::time::timeout(DEADLINE, call).await;
    let answer = answer.map_err(|_| ClusterError::Unavailable(late()))?;
    answer.map_err(|error| match error {
        kube::Error::Api(status) => match (status.code, status.reason.as_str()) {
            (404, _) => ClusterError::Missing,
            (409, "AlreadyExists") => ClusterError::Taken,
            (409, _) => ClusterError::Changed,
            (400 | 403 | 422, _) => ClusterError::Refused(status.message.clone()),
            _ => ClusterError::Unavailable(status.message.clone()),
        },
        error => ClusterError::Unavailable(error.to_string()),
    })
}
