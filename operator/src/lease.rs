//! One of several operators is in charge: it holds a Lease, whose count of changes is the epoch.
//!
//! Times are reckoned by this machine's own monotonic clock from what it saw itself, so clocks
//! that are set differently, or jump, make nobody give way too late or take over too early. Who
//! is in charge gives way before others may take over. What it still had on its way then is
//! refused: writes to the API server say which state of the object they are about, and work on
//! databases says its epoch.

use std::future::Future;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Client;
use kube::api::{Api, PostParams};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use work::Clock;
use work::sealed::KeyId;

use crate::cluster::{CallError, timed};

/// Who is in charge says so anew in this time.
const RENEWS: Duration = Duration::from_millis(800);
/// Who could not say so for this time is not in charge any more.
const GIVES_WAY: Duration = Duration::from_millis(2_500);
/// Who was not heard to say so for this time is not in charge any more.
const LASTS: Duration = Duration::from_millis(3_500);
/// What was begun may come to its end in this time when this process is to stop.
const LAST_TURNS: Duration = Duration::from_secs(10);

/// The annotation of the Lease by which it is known which key the passwords of platforms are made
/// from.
const ROOT_KEY: &str = "soulfra.io/root-key";

/// How often somebody has taken over.
pub type Epoch = i32;

/// The Lease of one operator.
pub struct Charge {
    api: Api<Lease>,
    name: String,
    me: String,
    key: Option<String>,
    clock: Clock,
}

/// A Lease that is held.
struct Held {
    lease: Lease,
    epoch: Epoch,
    since: Instant,
}

impl Charge {
    /// The Lease `name` in a namespace; `me` is another one in each process.
    pub fn new(client: Client, namespace: &str, name: &str, me: &str, clock: Clock) -> Self {
        let api = Api::namespaced(client, namespace);
        Self { api, name: name.to_owned(), me: me.to_owned(), key: None, clock }
    }

    /// The same with the key that passwords are made from. Where those before had another one, it
    /// never takes over: it would give every platform passwords that its database does not know.
    pub fn with_key(self, key: KeyId) -> Self {
        Self { key: Some(key.to_string()), ..self }
    }

    /// Does the work whenever this process is in charge, until told to stop. The token ends when
    /// it is no longer, and the work is dropped where it stands.
    pub async fn lead<W: Future<Output = ()>>(
        &self,
        stop: &CancellationToken,
        work: impl Fn(Epoch, CancellationToken) -> W,
    ) {
        while let Some(held) = stop.run_until_cancelled(Box::pin(self.take())).await {
            let epoch = held.epoch;
            tracing::info!(epoch, "this operator is in charge");
            let last_turns = stop.child_token();
            let mut lost = std::pin::pin!(self.keep(held));
            let mut work = std::pin::pin!(work(epoch, last_turns.clone()));
            tokio::select! {
                () = &mut lost => tracing::warn!(epoch, "this operator is no longer in charge"),
                () = &mut work => {}
                () = stop.cancelled() => {
                    tokio::select! {
                        () = &mut lost => {}
                        _ = tokio::time::timeout(LAST_TURNS, &mut work) => {}
                    }
                }
            }
        }
        self.give_up().await;
    }

    /// Waits until nobody else is in charge, and takes over.
    async fn take(&self) -> Held {
        let fields = format!("metadata.name={}", self.name);
        let config = watcher::Config::default().fields(&fields).timeout(60);
        let mut events = std::pin::pin!(watcher(self.api.clone(), config).default_backoff());
        let mut found: Option<Lease> = None;
        let mut free_at = Instant::now() + LASTS;
        loop {
            let event = tokio::time::timeout_at(free_at, events.next()).await;
            match event {
                Ok(Some(Ok(Event::Apply(lease) | Event::InitApply(lease)))) => {
                    let holder =
                        lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
                    let is_free =
                        holder.is_none_or(|holder| holder.is_empty() || holder == self.me);
                    found = Some(lease);
                    if !is_free {
                        free_at = Instant::now() + LASTS;
                        continue;
                    }
                }
                Ok(Some(Ok(Event::Delete(_)))) => found = None,
                // Listed, and nothing among it: nobody was ever in charge.
                Ok(Some(Ok(Event::InitDone))) if found.is_none() => {}
                Ok(Some(Ok(Event::Init))) => {
                    found = None;
                    continue;
                }
                Ok(Some(Ok(Event::InitDone))) => continue,
                Ok(Some(Err(error))) => {
                    tracing::warn!(%error, "the lease cannot be watched");
                    continue;
                }
                Ok(None) => {
                    tokio::time::sleep(RENEWS).await;
                    continue;
                }
                // Not heard of for long enough.
                Err(_) => {}
            }
            match self.claim(found.clone()).await {
                Ok(held) => return held,
                Err(error) => {
                    tracing::debug!(%error, "the lease was not taken");
                    if matches!(error, CallError::Missing(_)) {
                        found = None;
                    }
                    free_at = Instant::now() + LASTS;
                }
            }
        }
    }

    async fn claim(&self, found: Option<Lease>) -> Result<Held, CallError> {
        let since = Instant::now();
        if let (Some(found), Some(ours)) = (&found, &self.key) {
            let notes = found.metadata.annotations.as_ref();
            if let Some(theirs) = notes.and_then(|it| it.get(ROOT_KEY)).filter(|it| *it != ours) {
                tracing::error!(
                    ours,
                    theirs,
                    "passwords of platforms are made from another root key: give this operator that \
                     one. If it is lost, and all passwords are to be made anew: kubectl annotate \
                     lease {} {ROOT_KEY}-",
                    self.name
                );
                return Err(CallError::Conflict("the root key".to_owned()));
            }
        }
        let before = found.as_ref().and_then(|lease| lease.spec.as_ref());
        let epoch = before.and_then(|spec| spec.lease_transitions).unwrap_or(0) + 1;
        let now = MicroTime(self.clock.now());
        let spec = LeaseSpec {
            holder_identity: Some(self.me.clone()),
            lease_duration_seconds: i32::try_from(LASTS.as_secs()).ok(),
            lease_transitions: Some(epoch),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            ..LeaseSpec::default()
        };
        let is_new = found.is_none();
        let mut metadata = found.map(|found| found.metadata).unwrap_or_default();
        if let Some(key) = &self.key {
            metadata.annotations.get_or_insert_default().insert(ROOT_KEY.to_owned(), key.clone());
        }
        metadata.name = Some(self.name.clone());
        let lease = Lease { metadata, spec: Some(spec) };
        let lease = if is_new {
            timed("the lease", self.api.create(&PostParams::default(), &lease)).await?
        } else {
            self.replace(lease).await?
        };
        Ok(Held { lease, epoch, since })
    }

    /// Ends when this process is not in charge any more.
    async fn keep(&self, held: Held) {
        let Held { mut lease, mut since, .. } = held;
        loop {
            tokio::time::sleep_until(since + RENEWS).await;
            let asked = Instant::now();
            if asked > since + GIVES_WAY {
                return;
            }
            if let Some(spec) = &mut lease.spec {
                spec.renew_time = Some(MicroTime(self.clock.now()));
            }
            let renewed = tokio::time::timeout_at(since + GIVES_WAY, self.replace(lease.clone()));
            match renewed.await {
                Ok(Ok(renewed)) => (lease, since) = (renewed, asked),
                // Somebody else wrote it.
                Ok(Err(CallError::Conflict(_) | CallError::Missing(_))) | Err(_) => return,
                Ok(Err(error)) => {
                    tracing::debug!(%error, "the lease was not renewed yet");
                    tokio::time::sleep(RENEWS / 8).await;
                }
            }
        }
    }

    async fn replace(&self, lease: Lease) -> Result<Lease, CallError> {
        timed("the lease", self.api.replace(&self.name, &PostParams::default(), &lease)).await
    }

    /// Lets others take over at once.
    async fn give_up(&self) {
        let Ok(mut lease) = timed("the lease", self.api.get(&self.name)).await else { return };
        let Some(spec) = &mut lease.spec else { return };
        if spec.holder_identity.as_deref() == Some(self.me.as_str()) {
            spec.holder_identity = Some(String::new());
            if let Err(error) = self.replace(lease).await {
                tracing::warn!(%error, "the lease was not given up: others wait until it ends");
            }
        }
    }
}
