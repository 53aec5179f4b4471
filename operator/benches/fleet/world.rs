//! An operator as it runs, and blueprints for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use blueprint::{BlueprintName, PlatformBlueprint};
use database::Admin;
use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Client, Config, ResourceExt as _};
use operator::cluster::{At, CallError, Cluster, Found, Kubernetes, OwnDatabase, Told, Write};
use operator::databases::{
    Access, AdminLink, DatabaseError, Databases, Made, Postgres, Server, Tables,
};
use operator::lease::Epoch;
use operator::reconcile::{Driver, Memory, WRITES_AT_ONCE};
use operator::run::Fleet;
use operator::seen::{ChildId, News, Resource, Seen};
use secrecy::SecretString;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use work::Clock;
use work::sealed::RootKey;

const INSTALLATION: &str = include_str!("../../tests/on_kubernetes/installation.json");
const BLUEPRINT: &str = include_str!("../../../blueprint/fixtures/small.yaml");
/// Databases that are really made; the rest are said to be there.
const REAL: usize = 500;
const WORKERS: usize = 16;
/// A platform of which nothing can be written.
const FAILS: &str = "noisy";

pub(crate) struct World {
    pub(crate) client: Client,
    pub(crate) driver: Arc<Driver>,
    pub(crate) calls: Arc<Counted>,
    made: AtomicUsize,
    stop: CancellationToken,
    /// Ends the workers alone.
    rest: CancellationToken,
    workers: Mutex<Option<JoinHandle<()>>>,
}

impl World {
    pub(crate) async fn open() -> Self {
        let client = client().await;
        define(&client).await;
        let (driver, calls, fleet) = operator(&client);
        let stop = CancellationToken::new();
        tokio::spawn(fleet.clone().watch(client.clone(), stop.clone()));
        while !driver.seen.is_known() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let rest = stop.child_token();
        let (working, told) = (driver.clone(), rest.clone());
        let workers = tokio::spawn(async move { fleet.work(working, WORKERS, told).await });
        let made = AtomicUsize::new(driver.seen.names().len());
        Self { client, driver, calls, made, stop, rest, workers: Some(workers).into() }
    }

    /// From now on nothing is done but what is asked for by name; watches go on.
    pub(crate) async fn rest(&self) {
        self.rest.cancel();
        if let Some(workers) = self.workers.lock().await.take() {
            workers.await.unwrap();
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }

    fn next(&self) -> String {
        name(self.made.fetch_add(1, Ordering::SeqCst))
    }

    /// Makes so many, as fast as they can be made.
    pub(crate) async fn make(&self, count: usize) {
        let names: Vec<_> = (0..count).map(|_| self.next()).collect();
        let made = futures::stream::iter(names).for_each_concurrent(64, |name| async move {
            apply(&self.client, &example(&name)).await;
            self.until_applied(&name, Duration::from_millis(10)).await;
        });
        made.await;
    }

    /// Makes one, and says how long it took until all of it was applied.
    pub(crate) async fn make_one(&self) -> Duration {
        let name = self.next();
        let begun = Instant::now();
        apply(&self.client, &example(&name)).await;
        self.until_applied(&name, Duration::from_millis(1)).await;
        begun.elapsed()
    }

    async fn until_applied(&self, name: &str, pause: Duration) {
        while !self.is_applied(name) {
            tokio::time::sleep(pause).await;
        }
    }

    fn is_applied(&self, name: &str) -> bool {
        self.driver.seen.look(name, |tenant| {
            let blueprint = tenant.and_then(|it| it.resource.as_ref()?.blueprint.as_ref().ok());
            let status = blueprint.and_then(|it| it.status.as_ref());
            status.is_some_and(|status| status.runtime.is_some())
        })
    }

    /// How many objects a platform has.
    pub(crate) fn children(&self) -> u32 {
        u32::try_from(self.driver.seen.of(&name(0)).children.len()).unwrap()
    }

    /// A platform that fails without end, and also changes so often.
    pub(crate) async fn noise(&self, every: Option<Duration>) -> Noise {
        let mut noisy = example(FAILS);
        apply(&self.client, &noisy).await;
        let (stop, client) = (CancellationToken::new(), self.client.clone());
        let told = stop.clone();
        let task = tokio::spawn(async move {
            let mut changes = 0_u32;
            let Some(every) = every else {
                told.cancelled().await;
                return changes;
            };
            let mut turn = tokio::time::interval(every);
            while told.run_until_cancelled(turn.tick()).await.is_some() {
                noisy.metadata.annotations =
                    Some(BTreeMap::from([("change".to_owned(), changes.to_string())]));
                apply(&client, &noisy).await;
                changes += 1;
            }
            changes
        });
        Noise { stop, task }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(crate) struct Noise {
    stop: CancellationToken,
    task: JoinHandle<u32>,
}

impl Noise {
    pub(crate) async fn stop(self) -> u32 {
        self.stop.cancel();
        self.task.await.unwrap()
    }
}

/// An operator that has not begun yet.
pub(crate) fn operator(client: &Client) -> (Arc<Driver>, Arc<Counted>, Arc<Fleet>) {
    let seen = Arc::new(Seen::default());
    let key = Arc::new(RootKey::from_bytes([7; 32]));
    let admin = Admin::from_url(&told("DATABASE_URL").into()).unwrap();
    let servers = BTreeMap::from([("db-1".to_owned(), admin)]);
    let postgres = Postgres::new(servers, tenant_runtime::SCHEMA, key.clone(), "bench");
    let calls = Arc::new(Counted { to: Kubernetes::new(client.clone(), "bench"), count: 0.into() });
    let mut installation: plan::Installation = serde_json::from_str(INSTALLATION).unwrap();
    installation.fleet.servers[0].most = 100_000;
    let driver = Arc::new(Driver {
        cluster: calls.clone(),
        databases: Arc::new(Partly { postgres, made: 0.into() }),
        domains: None,
        seen: seen.clone(),
        installation,
        key,
        clock: Clock::System,
        writes_at_once: WRITES_AT_ONCE,
        memory: Memory::default(),
    });
    (driver, calls, Fleet::new(seen))
}

pub(crate) fn name(number: usize) -> String {
    format!("platform-{number}")
}

pub(crate) fn example(name: &str) -> PlatformBlueprint {
    let mut blueprint = blueprint::read(BLUEPRINT).unwrap();
    blueprint.metadata.name = Some(name.to_owned());
    blueprint
}

async fn apply(client: &Client, blueprint: &PlatformBlueprint) {
    let api: Api<PlatformBlueprint> = Api::all(client.clone());
    let parameters = PatchParams::apply("bench").force();
    api.patch(&blueprint.name_any(), &parameters, &Patch::Apply(blueprint)).await.unwrap();
}

#[expect(clippy::disallowed_methods, reason = "the suite says where they are")]
fn told(variable: &str) -> String {
    std::env::var(variable).unwrap()
}

pub(crate) async fn client() -> Client {
    let file = Kubeconfig::read_from(told("SOULFRA_TEST_KUBECONFIG")).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(file, &options).await.unwrap();
    api_server::client(config).unwrap()
}

async fn define(client: &Client) {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let crd = blueprint::crd();
    let parameters = PatchParams::apply("bench").force();
    api.patch(&crd.name_any(), &parameters, &Patch::Apply(&crd)).await.unwrap();
    let name = crd.name_any();
    await_condition(api, &name, conditions::is_crd_established()).await.unwrap();
}

/// Calls to the API server beside watches are counted.
pub(crate) struct Counted {
    to: Kubernetes,
    count: AtomicUsize,
}

impl Counted {
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    fn one(&self) -> &Kubernetes {
        self.count.fetch_add(1, Ordering::SeqCst);
        &self.to
    }
}

#[async_trait]
impl Cluster for Counted {
    async fn home(&self, tenant: &str) -> Result<Found, CallError> {
        self.one().home(tenant).await
    }

    async fn blueprint(&self, name: &str) -> Result<Option<News>, CallError> {
        self.one().blueprint(name).await
    }

    async fn own_database(&self, tenant: &str) -> Result<Option<OwnDatabase>, CallError> {
        self.one().own_database(tenant).await
    }

    async fn apply(&self, write: Write<'_>) -> Result<News, CallError> {
        if write.tenant == FAILS {
            let why = "it always fails".to_owned();
            return Err(CallError::Unavailable { why, after: None });
        }
        self.one().apply(write).await
    }

    async fn remove(&self, tenant: &str, id: &ChildId, at: At) -> Result<Option<News>, CallError> {
        self.one().remove(tenant, id, at).await
    }

    async fn status(
        &self,
        name: &str,
        at: At,
        status: &serde_json::Value,
    ) -> Result<News, CallError> {
        self.one().status(name, at, status).await
    }

    async fn hold(&self, name: &str, at: At, held: bool) -> Result<News, CallError> {
        self.one().hold(name, at, held).await
    }

    async fn tell(&self, name: &str, about: &Resource, told: Told) {
        self.one().tell(name, about, told).await;
    }
}

/// Some databases are real, and the rest are said to be there.
struct Partly {
    postgres: Postgres,
    made: AtomicUsize,
}

#[async_trait]
impl Databases for Partly {
    async fn take_charge(&self, _: Epoch) {}

    fn schema_version(&self) -> i64 {
        self.postgres.schema_version()
    }

    fn name_of(&self, name: &BlueprintName) -> String {
        self.postgres.name_of(name)
    }

    fn access(
        &self,
        server: &Server,
        name: &BlueprintName,
        number: u32,
    ) -> Result<Access, DatabaseError> {
        self.postgres.access(server, name, number)
    }

    async fn ensure(
        &self,
        server: &Server,
        name: &BlueprintName,
        number: u32,
        tables: Tables,
    ) -> Result<Made, DatabaseError> {
        if self.made.fetch_add(1, Ordering::SeqCst) < REAL {
            return self.postgres.ensure(server, name, number, tables).await;
        }
        Ok(Made { version: self.schema_version(), number })
    }

    async fn close_old(
        &self,
        server: &Server,
        name: &BlueprintName,
        number: u32,
    ) -> Result<(), DatabaseError> {
        self.postgres.close_old(server, name, number).await
    }

    async fn is_on(&self, server: &str, name: &BlueprintName) -> Result<bool, DatabaseError> {
        self.postgres.is_on(server, name).await
    }

    /// Of those that are not there, somebody has used it.
    async fn admin_link(
        &self,
        server: &Server,
        name: &BlueprintName,
        link: AdminLink,
    ) -> Result<Option<SecretString>, DatabaseError> {
        let Server::Shared(shared) = server else { return Ok(None) };
        if self.postgres.is_on(shared, name).await? {
            return self.postgres.admin_link(server, name, link).await;
        }
        Ok(None)
    }

    async fn next_due(
        &self,
        server: &Server,
        name: &BlueprintName,
        number: u32,
    ) -> Result<Option<Timestamp>, DatabaseError> {
        self.postgres.next_due(server, name, number).await
    }

    async fn purge(&self, server: &str, name: &BlueprintName) -> Result<(), DatabaseError> {
        self.postgres.purge(server, name).await
    }
}

/// Nothing but names, for annotations of strangers.
pub(crate) fn mark() -> serde_json::Value {
    json!({"metadata": {"annotations": {"stranger": "1"}}})
}
