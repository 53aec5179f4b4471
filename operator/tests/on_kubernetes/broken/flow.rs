//! What people do to a platform, and an operator that does what follows.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use database::Admin;
use faults::api::{self, Upstream};
use faults::postgres;
use kube::Config;
use operator::cluster::Kubernetes;
use operator::databases::Postgres;
use operator::reconcile::{Driver, Memory, ROTATE, UNDELETE};
use serde_json::json;
use sqlx::postgres::PgConnectOptions;

use crate::house::{self, House};

/// What people do to a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Create,
    Update,
    Upgrade,
    Suspend,
    Delete,
    Undelete,
    /// The passwords of the database change, and old ones are closed.
    Rotate,
}

/// Where all of it happens. Watches go to the API server itself: what they miss is another test.
pub(super) struct World {
    pub(super) house: House,
    pub(super) server: SocketAddr,
}

impl World {
    pub(super) async fn open() -> Self {
        let house = House::open(0).await;
        let options: PgConnectOptions = house::told("DATABASE_URL").parse().unwrap();
        let at = (options.get_host(), options.get_port());
        let server = tokio::net::lookup_host(at).await.unwrap().next().unwrap();
        Self { house, server }
    }

    pub(super) fn upstream() -> Upstream {
        let file = PathBuf::from(house::told("SOULFRA_TEST_KUBECONFIG"));
        Upstream::of_kubeconfig(&file).unwrap()
    }

    /// What was there before.
    pub(super) async fn prepare(&self, flow: Flow, name: &str) {
        if flow == Flow::Create {
            return;
        }
        self.house.apply(name, |_| {}).await;
        self.house.until_known(name, |it| it.resource.is_some()).await;
        self.house.settle(name).await;
        if flow == Flow::Undelete {
            self.delete(name).await;
            self.house.settle(name).await;
            self.house.until_known(name, |it| it.resource.is_none()).await;
        }
    }

    async fn delete(&self, name: &str) {
        self.house.delete(name).await;
        let goes = |it: &operator::seen::Tenant| {
            let blueprint = it.resource.as_ref().and_then(|it| it.blueprint.as_ref().ok());
            blueprint.is_none_or(|it| it.metadata.deletion_timestamp.is_some())
        };
        self.house.until_known(name, goes).await;
    }

    /// What somebody does.
    pub(super) async fn act(&self, flow: Flow, name: &str) {
        let version = |it: &operator::seen::Tenant| it.resource.as_ref().map(|it| it.version);
        let before = version(&self.house.seen.of(name));
        match flow {
            Flow::Upgrade => return,
            Flow::Create => self.house.apply(name, |_| {}).await,
            Flow::Update => {
                let change = |it: &mut serde_json::Value| {
                    it["spec"]["identity"]["displayName"] = json!("Haven");
                    it["spec"]["runtime"] = json!({"replicas": {"min": 2, "max": 4}});
                };
                self.house.apply(name, change).await;
            }
            Flow::Suspend => {
                self.house.apply(name, |it| it["spec"]["suspended"] = json!(true)).await;
            }
            Flow::Delete => return self.delete(name).await,
            Flow::Rotate => {
                let notes = json!({ROTATE: "now"});
                self.house.apply(name, |it| it["metadata"]["annotations"] = notes).await;
            }
            Flow::Undelete => {
                let notes = json!({UNDELETE: "true"});
                self.house.apply(name, |it| it["metadata"]["annotations"] = notes).await;
            }
        }
        self.house.until_known(name, |it| version(it) > before).await;
    }

    /// Whether the flow came to its end.
    pub(super) fn is_through(&self, flow: Flow, name: &str) -> bool {
        let known = self.house.seen.of(name);
        let is_deleted = known.home().is_some_and(|(_, home)| home.deleted.is_some());
        if flow == Flow::Delete {
            return is_deleted && known.resource.is_none();
        }
        let blueprint = known.resource.as_ref().and_then(|it| it.blueprint.as_ref().ok());
        let database = blueprint.and_then(|it| it.status.as_ref()?.database.as_ref());
        let passwords = database.and_then(|it| it.passwords.as_ref());
        let asked = (flow == Flow::Rotate).then_some("now");
        !is_deleted
            && passwords.is_some_and(|it| it.asked.as_deref() == asked && !it.old_are_good)
            && blueprint.is_some_and(|it| {
                let seen = it.status.as_ref().and_then(|status| status.observed_generation);
                house::said(it, "DatabaseReady").0 == "True" && seen == it.metadata.generation
            })
    }

    /// An operator that knows what is there, and nothing of what was before.
    pub(super) fn driver(
        &self,
        flow: Flow,
        api: &api::Proxy,
        postgres: &postgres::Proxy,
    ) -> Driver {
        let client = api_server::client(Config::new(api.url().parse().unwrap())).unwrap();
        let options: PgConnectOptions = house::told("DATABASE_URL").parse().unwrap();
        let at = postgres.address();
        let admin = Admin::new(options.host(&at.ip().to_string()).port(at.port()));
        let servers = BTreeMap::from([("db-1".to_owned(), admin)]);
        let like = &self.house.driver;
        let databases = Postgres::new(servers, tenant_runtime::SCHEMA, like.key.clone(), "none");
        let mut installation = like.installation.clone();
        // Nobody uses what is made here, so old passwords need not stay good for a while.
        installation.passwords.overlap_minutes = 0;
        if flow == Flow::Upgrade {
            installation.version = semver::Version::new(1, 5, 0);
            // The platforms of other tests do not have to be well first.
            installation.upgrades_at_once = true;
        }
        Driver {
            cluster: Arc::new(Kubernetes::new(client, "test")),
            databases: Arc::new(databases),
            domains: None,
            seen: like.seen.clone(),
            installation,
            key: like.key.clone(),
            clock: like.clock.clone(),
            writes_at_once: 1,
            memory: Memory::default(),
        }
    }
}
