//! An operator of one test: it watches everything, and works on the platforms of its test alone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use blueprint::PlatformBlueprint;
use database::Admin;
use jiff::SignedDuration;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Client, Config, ResourceExt as _};
use operator::cluster::Kubernetes;
use operator::databases::Postgres;
use operator::domains::Domains;
use operator::kind::Kind;
use operator::queue::{Ended, Queue};
use operator::reconcile::{Driver, KEPT_FOR, Memory, WRITES_AT_ONCE};
use operator::seen::watch::watch;
use operator::seen::{Child, ChildId, Listed, News, Seen, Tenant};
use plan::Installation;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use work::Clock;
use work::sealed::RootKey;

/// Anything that was asked for is there within this time.
pub(crate) const SOON: Duration = Duration::from_mins(2);

pub(crate) const INSTALLATION: &str = include_str!("installation.json");
const BLUEPRINT: &str = include_str!("../../../blueprint/fixtures/small.yaml");

/// How many turns each platform had.
type Turns = Arc<Mutex<BTreeMap<String, usize>>>;

pub(crate) struct House {
    pub(crate) client: Client,
    pub(crate) driver: Arc<Driver>,
    pub(crate) clock: Clock,
    pub(crate) seen: Arc<Seen>,
    pub(crate) queue: Arc<Queue>,
    prefix: String,
    /// Turns of each platform that workers gave.
    turns: Turns,
    /// End with the test, and not before.
    tasks: Mutex<JoinSet<()>>,
}

impl House {
    /// Opens it; `workers` turns at once, none for a test that gives turns itself.
    pub(crate) async fn open(workers: usize) -> Self {
        Self::with(serde_json::from_str(INSTALLATION).unwrap(), workers).await
    }

    pub(crate) async fn with(installation: Installation, workers: usize) -> Self {
        Self::of(installation, client().await, None, now(), workers).await
    }

    /// The same, whose operator is another one than the test is itself.
    pub(crate) async fn driven_by(operator: Client, workers: usize) -> Self {
        let installation = serde_json::from_str(INSTALLATION).unwrap();
        Self::of(installation, operator, None, now(), workers).await
    }

    /// The same, in an installation that looks after names.
    pub(crate) async fn with_names(domains: Arc<dyn Domains>, workers: usize) -> Self {
        Self::with_names_at(domains, now(), workers).await
    }

    /// The same, where names are looked after by the same clock.
    pub(crate) async fn with_names_at(
        domains: Arc<dyn Domains>,
        clock: Clock,
        workers: usize,
    ) -> Self {
        let installation = serde_json::from_str(INSTALLATION).unwrap();
        Self::of(installation, client().await, Some(domains), clock, workers).await
    }

    async fn of(
        installation: Installation,
        operator: Client,
        domains: Option<Arc<dyn Domains>>,
        clock: Clock,
        workers: usize,
    ) -> Self {
        let client = client().await;
        define(&client).await;
        let prefix = format!("t{}", &Uuid::new_v4().simple().to_string()[..8]);
        let (seen, queue) = (Arc::new(Seen::default()), Arc::new(Queue::default()));
        let key = Arc::new(RootKey::from_bytes([7; 32]));
        let driver = Arc::new(Driver {
            cluster: Arc::new(Kubernetes::new(operator.clone(), "test")),
            databases: Arc::new(databases("none")),
            domains,
            seen: seen.clone(),
            installation,
            key,
            clock: clock.clone(),
            writes_at_once: WRITES_AT_ONCE,
            memory: Memory::default(),
        });
        let mut tasks = JoinSet::new();
        let (listed, mut all) = tokio::sync::mpsc::unbounded_channel();
        let sorts = Listed::all();
        for sort in &sorts {
            let (queue, prefix) = (queue.clone(), prefix.clone());
            let changed = move |name: &str| {
                if name.starts_with(&prefix) {
                    queue.push(name);
                }
            };
            let listed = listed.clone();
            let listed = move |sort| {
                let _ = listed.send(sort);
            };
            let stop = CancellationToken::new();
            tasks.spawn(watch(operator.clone(), seen.clone(), *sort, changed, listed, stop));
        }
        let mut missing: std::collections::HashSet<_> = sorts.into_iter().collect();
        while !missing.is_empty() {
            let listed = tokio::time::timeout(SOON, all.recv()).await;
            missing.remove(&listed.expect("everything is listed in time").unwrap());
        }
        let turns = Turns::default();
        for _ in 0..workers {
            let (queue, driver, turns) = (queue.clone(), driver.clone(), turns.clone());
            tasks.spawn(async move {
                loop {
                    let name = queue.next().await;
                    *turns.lock().unwrap().entry(name.to_string()).or_default() += 1;
                    let ended = driver.turn(&name).await;
                    queue.ended(&name, ended);
                }
            });
        }
        Self { client, driver, clock, seen, queue, prefix, turns, tasks: Mutex::new(tasks) }
    }

    /// An operator that knows of one platform what this one knows now, hears of nothing more, and
    /// acts when its time as a deleted one is over.
    pub(crate) fn stale(&self, name: &str) -> Driver {
        let seen = Arc::new(Seen::default());
        for sort in Listed::all() {
            seen.listing_begins(sort);
            seen.listing_ends(sort);
        }
        let Tenant { resource, children } = self.seen.of(name);
        let resource = resource.map(|resource| News::Blueprint(name.into(), resource));
        let children = children.into_iter().map(|(id, child)| News::Child(name.into(), id, child));
        for news in resource.into_iter().chain(children) {
            seen.hear(news);
        }
        Driver {
            cluster: Arc::new(Kubernetes::new(self.client.clone(), "stale")),
            databases: Arc::new(databases("none")),
            domains: self.driver.domains.clone(),
            seen,
            installation: self.driver.installation.clone(),
            key: self.driver.key.clone(),
            clock: Clock::fixed(self.clock.now() + SignedDuration::try_from(KEPT_FOR).unwrap()),
            writes_at_once: WRITES_AT_ONCE,
            memory: Memory::default(),
        }
    }

    /// A name of this test.
    pub(crate) fn name(&self, word: &str) -> String {
        format!("{}-{word}", self.prefix)
    }

    pub(crate) fn blueprints(&self) -> Api<PlatformBlueprint> {
        Api::all(self.client.clone())
    }

    pub(crate) fn deployments(&self, name: &str) -> Api<Deployment> {
        Api::namespaced(self.client.clone(), &format!("tenant-{name}"))
    }

    pub(crate) fn namespaces(&self) -> Api<Namespace> {
        Api::all(self.client.clone())
    }

    /// Applies a blueprint as `kubectl apply` does, changed by `change`.
    pub(crate) async fn apply(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut blueprint = serde_json::to_value(example(name)).unwrap();
        change(&mut blueprint);
        let parameters = PatchParams::apply("kubectl").force();
        self.blueprints().patch(name, &parameters, &Patch::Apply(&blueprint)).await.unwrap();
    }

    pub(crate) async fn delete(&self, name: &str) {
        self.blueprints().delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Waits until a blueprint is as it should be; what it is else is told.
    pub(crate) async fn until(
        &self,
        name: &str,
        what: &str,
        is_so: impl Fn(&PlatformBlueprint) -> bool + Send + Sync,
    ) -> PlatformBlueprint {
        let is = |it: Option<&PlatformBlueprint>| it.is_some_and(&is_so);
        let waits = await_condition(self.blueprints(), name, is);
        if let Ok(found) = tokio::time::timeout(SOON, waits).await {
            return found.unwrap().unwrap();
        }
        let found = self.blueprints().get_opt(name).await.unwrap();
        let status = found.map(|found| serde_json::to_string_pretty(&found.status).unwrap());
        let known = self.seen.of(name).children;
        panic!("not {what} in time: {}; known: {known:#?}", status.unwrap_or_default())
    }

    pub(crate) async fn until_gone(&self, name: &str) {
        let uid = self.blueprints().get(name).await.map(|it| it.uid().unwrap());
        let Ok(uid) = uid else { return };
        let gone = await_condition(self.blueprints(), name, conditions::is_deleted(&uid));
        tokio::time::timeout(SOON, gone).await.expect("the blueprint goes in time").unwrap();
    }

    /// Waits until the database is made and everything was applied.
    pub(crate) async fn until_made(&self, name: &str) -> PlatformBlueprint {
        self.until(name, "made", |it| {
            let status = it.status.as_ref();
            said(it, "DatabaseReady").0 == "True"
                && status.is_some_and(|status| status.runtime.is_some())
                && status.and_then(|it| it.observed_generation) == it.metadata.generation
        })
        .await
    }

    /// Plays what makes pods of a Deployment: all of them serve.
    pub(crate) async fn serve(&self, name: &str) {
        let api = self.deployments(name);
        for deployment in api.list(&ListParams::default()).await.unwrap() {
            let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
            let status = json!({"status": {
                "observedGeneration": deployment.metadata.generation,
                "replicas": wanted, "updatedReplicas": wanted,
                "readyReplicas": wanted, "availableReplicas": wanted,
            }});
            let patch = Patch::Merge(&status);
            let name = deployment.name_any();
            match api.patch_status(&name, &PatchParams::default(), &patch).await {
                // It went meanwhile.
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                patched => _ = patched.unwrap(),
            }
        }
    }

    /// Turns until one has nothing to write any more; how many writes there were.
    pub(crate) async fn settle(&self, name: &str) -> u32 {
        let (mut writes, begun) = (0, Instant::now());
        while begun.elapsed() < SOON {
            match self.driver.reconcile(name).await {
                Ok(done) if done.writes == 0 => return writes,
                Ok(done) => writes += done.writes,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        panic!("{name} does not come to rest");
    }

    /// One turn, which must go well: its writes.
    pub(crate) async fn turn(&self, name: &str) -> u32 {
        match self.driver.turn(name).await {
            Ended::Still { .. } => {}
            Ended::Failed { .. } => panic!("the turn of {name} failed"),
        }
        self.driver.reconcile(name).await.unwrap().writes
    }

    /// Waits until something is known.
    pub(crate) async fn until_known(
        &self,
        name: &str,
        is_so: impl Fn(&operator::seen::Tenant) -> bool,
    ) {
        let waits = async {
            while !is_so(&self.seen.of(name)) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let known = tokio::time::timeout(SOON, waits).await;
        assert!(known.is_ok(), "not known in time: {:#?}", self.seen.of(name));
    }

    /// The turns that a platform had so far.
    pub(crate) fn turns_of(&self, name: &str) -> usize {
        self.turns.lock().unwrap().get(name).copied().unwrap_or_default()
    }

    /// Waits until nobody has a turn any more, for a second; nobody may have panicked.
    pub(crate) async fn until_still(&self) {
        let sum = || self.turns.lock().unwrap().values().sum::<usize>();
        let still = async {
            let mut before = usize::MAX;
            while before != sum() {
                before = sum();
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::time::timeout(SOON, still).await.expect("turns come to an end");
        assert!(self.tasks.lock().unwrap().try_join_next().is_none(), "nobody has ended");
    }

    pub(crate) fn child(&self, name: &str, kind: Kind, child: &str) -> Option<Child> {
        self.seen.of(name).children.remove(&ChildId { kind, name: child.into() })
    }
}

/// A clock that stands still.
fn now() -> Clock {
    Clock::fixed(Clock::System.now())
}

/// The server `db-1`. Who takes charge does so under a name, so that tests keep only each other
/// away that want to.
pub(crate) fn databases(fence: &str) -> Postgres {
    let key = Arc::new(RootKey::from_bytes([7; 32]));
    let servers = BTreeMap::from([("db-1".to_owned(), admin())]);
    Postgres::new(servers, tenant_runtime::SCHEMA, key, fence)
}

/// What was said of a condition: its status and reason.
pub(crate) fn said<'a>(blueprint: &'a PlatformBlueprint, kind: &str) -> (&'a str, &'a str) {
    let conditions = blueprint.status.as_ref().map(|status| status.conditions.as_slice());
    let found = conditions.unwrap_or_default().iter().find(|it| it.type_ == kind);
    found.map_or(("", ""), |it| (it.status.as_str(), it.reason.as_str()))
}

pub(crate) fn example(name: &str) -> PlatformBlueprint {
    let mut blueprint = blueprint::read(BLUEPRINT).unwrap();
    blueprint.metadata.name = Some(name.to_owned());
    blueprint
}

#[expect(clippy::disallowed_methods, reason = "the suite says where they are")]
pub(crate) fn told(variable: &str) -> String {
    std::env::var(variable).expect("cargo xtask test --suite cluster")
}

pub(crate) fn admin() -> Admin {
    Admin::from_url(&told("DATABASE_URL").into()).unwrap()
}

pub(crate) async fn client() -> Client {
    client_of(config().await)
}

pub(crate) async fn config() -> Config {
    let file = Kubeconfig::read_from(told("SOULFRA_TEST_KUBECONFIG")).unwrap();
    Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap()
}

pub(crate) fn client_of(config: Config) -> Client {
    api_server::client(config).unwrap()
}

/// Waits until a policy refuses what is only tried: it is in force a while after it was made.
pub(crate) async fn until_refused<T>(tried: impl AsyncFn() -> kube::Result<T>) {
    let refused = async {
        loop {
            match tried().await {
                Err(kube::Error::Api(status)) if status.code == 403 => return,
                Err(error) => panic!("refused in another way: {error}"),
                Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(SOON, refused).await.expect("the policy is in force in time");
}

/// Defines what a blueprint is, once in a run.
pub(crate) async fn define(client: &Client) {
    static DEFINED: OnceCell<()> = OnceCell::const_new();
    DEFINED
        .get_or_init(|| async {
            let api: Api<CustomResourceDefinition> = Api::all(client.clone());
            let crd = blueprint::crd();
            let name = crd.name_any();
            let parameters = PatchParams::apply("test").force();
            api.patch(&name, &parameters, &Patch::Apply(&crd)).await.unwrap();
            let established = await_condition(api, &name, conditions::is_crd_established());
            tokio::time::timeout(SOON, established).await.unwrap().unwrap();
        })
        .await;
}
