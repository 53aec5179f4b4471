//! Platforms that sleep: the test plays an edge, which says who is used and wakes who sleeps, and
//! what makes pods.

use std::sync::Arc;

use blueprint::PlatformBlueprint;
use blueprint::status::Phase;
use certificates::claims::Zones;
use certificates::served::{self, Speaker};
use jiff::{SignedDuration, Timestamp};
use kube::api::{Patch, PatchParams, PostParams};
use operator::databases::Server;
use operator::domains::Register;
use serde_json::json;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};
use uuid::Uuid;
use work::Clock;

use crate::house::{House, admin, said};

pub(crate) const RUNTIME: &str = "runtime";

/// An installation that looks after names, and one edge of it.
pub(crate) struct Fleet {
    pub(crate) house: House,
    register: Arc<Register>,
    pub(crate) db: PgPool,
    database: String,
    speaker: Speaker,
}

impl Fleet {
    pub(crate) async fn open() -> Self {
        let database = format!("fleet_{}", Uuid::new_v4().simple());
        let zones = Zones {
            own: vec!["platforms.example".to_owned()],
            targets: "edge.platforms.example".to_owned(),
            addresses: Vec::new(),
        };
        let clock = Clock::fixed(Clock::System.now());
        let register = Register::new(admin(), &database, zones, "none", None, clock.clone());
        let house = House::with_names_at(register.clone(), clock, 2).await;
        let db = register.open().await.unwrap();
        let speaker = Speaker { edge: Uuid::new_v4(), wakes: true };
        Self { house, register, db, database, speaker }
    }

    fn now(&self) -> Timestamp {
        self.house.clock.now()
    }

    /// The edge says that it is there, and that these platforms are used.
    pub(crate) async fn says(&self, visited: &[Uuid]) {
        let now = self.now();
        let uses: Vec<_> = visited.iter().map(|uid| (*uid, now)).collect();
        let mut conn = self.db.acquire().await.unwrap();
        served::note_uses(&mut conn, self.speaker, &uses, now).await.unwrap();
    }

    /// Time passes, and the platform has a turn.
    async fn passes(&self, minutes: i64, name: &str) {
        self.house.clock.advance(SignedDuration::from_mins(minutes));
        self.says(&[]).await;
        self.turn(name);
    }

    pub(crate) fn turn(&self, name: &str) {
        self.house.driver.memory.forget(name);
        self.house.queue.push(name);
    }

    /// As an edge does.
    async fn wakes(&self, name: &str, copies: i32) {
        let api = self.house.deployments(name);
        let mut scale = api.get_scale(RUNTIME).await.unwrap();
        let spec = scale.spec.get_or_insert_default();
        assert_eq!(spec.replicas.unwrap_or(0), 0, "it sleeps");
        spec.replicas = Some(copies);
        let by = PostParams { field_manager: Some("soulfra-edge".into()), ..PostParams::default() };
        api.replace_scale(RUNTIME, &by, &scale).await.unwrap();
    }

    async fn until_asleep(&self, name: &str) -> PlatformBlueprint {
        let asleep = self.house.until(name, "asleep", |it| phase(it) == Some(Phase::Sleeping));
        let blueprint = asleep.await;
        assert_eq!(self.copies(name).await, 0);
        self.house.serve(name).await;
        blueprint
    }

    /// Awake, and all of it serves.
    async fn until_awake(&self, name: &str, copies: i32) {
        self.house
            .until(name, "awake", |it| {
                let runtime = it.status.as_ref().and_then(|status| status.runtime.as_ref());
                runtime.is_some_and(|runtime| runtime.awake)
            })
            .await;
        self.house.until_known(name, |it| wanted(it) == Some(copies)).await;
        self.house.serve(name).await;
        self.house
            .until(name, "serving", |it| said(it, "RuntimeReady") == ("True", "Serving"))
            .await;
    }

    pub(crate) async fn copies(&self, name: &str) -> i32 {
        let deployment = self.house.deployments(name).get(RUNTIME).await.unwrap();
        deployment.spec.unwrap().replicas.unwrap()
    }

    /// What edges are told: whether it sleeps, and to how many copies it wakes.
    pub(crate) async fn told(&self, uid: Uuid) -> Option<(bool, u16)> {
        let mut conn = self.db.acquire().await.unwrap();
        let all = served::all(&mut conn).await.unwrap().platforms;
        let sleeps = all.into_iter().find(|platform| platform.uid == uid)?.sleeps?;
        Some((sleeps.asleep, sleeps.copies))
    }

    /// The platform's own database, as its pods have it.
    async fn data(&self, blueprint: &PlatformBlueprint) -> PgConnection {
        let database = blueprint.status.as_ref().unwrap().database.clone().unwrap();
        let name = blueprint.platform_name().unwrap();
        let number = database.passwords.map_or(0, |passwords| passwords.number);
        let server = Server::Shared(database.server);
        let access = self.house.driver.databases.access(&server, &name, number).unwrap();
        database::tenant::connect_options(&access.app).unwrap().connect().await.unwrap()
    }

    pub(crate) async fn close(self) {
        drop(self.house);
        drop(self.register);
        self.db.close().await;
        let sql = format!("DROP DATABASE {} WITH (FORCE)", self.database);
        let mut conn = admin().connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
    }
}

fn phase(blueprint: &PlatformBlueprint) -> Option<Phase> {
    blueprint.status.as_ref()?.phase
}

pub(crate) fn wanted(tenant: &operator::seen::Tenant) -> Option<i32> {
    tenant.rollout(RUNTIME).map(|rollout| rollout.wanted)
}

pub(crate) fn uid(blueprint: &PlatformBlueprint) -> Uuid {
    blueprint.metadata.uid.as_ref().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn a_platform_that_nobody_uses_sleeps_until_a_visitor_or_its_work_wakes_it() {
    let fleet = Fleet::open().await;
    let house = &fleet.house;
    let name = house.name("a");
    let runtime = json!({"scaleToZeroAfter": "15m", "replicas": {"min": 2, "max": 2}});
    house.apply(&name, |it| it["spec"]["runtime"] = runtime).await;
    let made = house.until_made(&name).await;
    let it = uid(&made);
    // From the start it has as many copies as its blueprint says.
    fleet.until_awake(&name, 2).await;
    assert_eq!(fleet.told(it).await, Some((false, 2)));

    // No edge says anything: nobody knows whether it is used.
    house.clock.advance(SignedDuration::from_mins(60));
    house.settle(&name).await;
    assert_eq!(fleet.copies(&name).await, 2);

    // It is used, and stays awake.
    fleet.says(&[it]).await;
    fleet.passes(14, &name).await;
    fleet.says(&[it]).await;
    fleet.passes(14, &name).await;
    house.settle(&name).await;
    assert_eq!((fleet.copies(&name).await, fleet.told(it).await), (2, Some((false, 2))));

    // Nobody uses it.
    fleet.passes(2, &name).await;
    let asleep = fleet.until_asleep(&name).await;
    assert_eq!(said(&asleep, "RuntimeReady"), ("True", "Sleeping"));
    assert_eq!(fleet.told(it).await, Some((true, 2)));
    house.settle(&name).await;
    fleet.turn(&name);
    assert_eq!(house.settle(&name).await, 0, "and stays so");

    // A visitor comes.
    fleet.wakes(&name, 2).await;
    fleet.until_awake(&name, 2).await;
    house.settle(&name).await;
    assert_eq!(fleet.told(it).await, Some((false, 2)));

    // What it has to do soon keeps it awake.
    let mut data = fleet.data(&made).await;
    let soon = fleet.now() + SignedDuration::from_mins(20);
    let word = json!({"say": "good morning"});
    work::outbox::push_at(&mut data, "mail", "one", &word, soon).await.unwrap();
    fleet.passes(16, &name).await;
    house.settle(&name).await;
    assert_eq!(fleet.copies(&name).await, 2, "its work is due in four minutes");
    // What it has to do later wakes it.
    let later = fleet.now() + SignedDuration::from_mins(120);
    sqlx::query("update work.outbox set not_before = $1::timestamptz")
        .bind(later.to_string())
        .execute(&mut data)
        .await
        .unwrap();
    fleet.passes(1, &name).await;
    fleet.until_asleep(&name).await;
    fleet.passes(110, &name).await;
    house.settle(&name).await;
    assert_eq!(fleet.copies(&name).await, 0, "its work is due in nine minutes");
    fleet.passes(10, &name).await;
    fleet.until_awake(&name, 2).await;
    drop(data);
    fleet.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn copies_are_never_fewer_than_said_when_it_may_sleep_from_now_on_or_not_any_more() {
    let fleet = Fleet::open().await;
    let house = &fleet.house;
    let name = house.name("a");
    let runtime = |it: &mut serde_json::Value, runtime| it["spec"]["runtime"] = runtime;
    let three = json!({"min": 3, "max": 3});
    house.apply(&name, |it| runtime(it, json!({"replicas": three}))).await;
    let it = uid(&house.until_made(&name).await);
    fleet.until_awake(&name, 3).await;
    assert_eq!(fleet.told(it).await, None);
    let least = Arc::new(std::sync::atomic::AtomicI32::new(3));
    let seen = house.seen.clone();
    let (watched, lowest) = (name.clone(), least.clone());
    let watching = tokio::spawn(async move {
        loop {
            let now = wanted(&seen.of(&watched)).unwrap_or(3);
            lowest.fetch_min(now, std::sync::atomic::Ordering::SeqCst);
            tokio::task::yield_now().await;
        }
    });
    house
        .apply(&name, |it| runtime(it, json!({"replicas": three, "scaleToZeroAfter": "1h"})))
        .await;
    house.until_made(&name).await;
    house.settle(&name).await;
    assert_eq!((fleet.copies(&name).await, fleet.told(it).await), (3, Some((false, 3))));
    // Whoever looked once a millisecond saw no fewer.
    house.apply(&name, |it| runtime(it, json!({"replicas": three}))).await;
    house.until_made(&name).await;
    house.settle(&name).await;
    watching.abort();
    assert_eq!((fleet.copies(&name).await, fleet.told(it).await), (3, None));
    assert_eq!(least.load(std::sync::atomic::Ordering::SeqCst), 3);

    // One that sleeps is suspended and taken up again.
    house
        .apply(&name, |it| runtime(it, json!({"replicas": three, "scaleToZeroAfter": "15m"})))
        .await;
    house.until_made(&name).await;
    fleet.says(&[it]).await;
    fleet.passes(16, &name).await;
    fleet.until_asleep(&name).await;
    let suspended = |is: bool| json!({"spec": {"suspended": is}});
    let (by, api) = (PatchParams::default(), house.blueprints());
    api.patch(&name, &by, &Patch::Merge(&suspended(true))).await.unwrap();
    house.until(&name, "suspended", |it| phase(it) == Some(Phase::Suspended)).await;
    assert_eq!(fleet.told(it).await, None, "nobody wakes it");
    api.patch(&name, &by, &Patch::Merge(&suspended(false))).await.unwrap();
    house.until(&name, "asleep again", |it| phase(it) == Some(Phase::Sleeping)).await;
    house.settle(&name).await;
    assert_eq!(fleet.told(it).await, Some((true, 3)), "a visitor wakes it");

    // Where it is to sleep no more, and an autoscaler counts, which wakes nobody.
    let counted = json!({"min": 3, "max": 5});
    house.apply(&name, |it| runtime(it, json!({"replicas": counted}))).await;
    fleet.until_awake(&name, 3).await;
    let sleeps = json!({"replicas": three, "scaleToZeroAfter": "15m"});
    house.apply(&name, |it| runtime(it, sleeps)).await;
    house.until_made(&name).await;
    fleet.says(&[]).await;
    fleet.turn(&name);
    house.settle(&name).await;
    fleet.passes(16, &name).await;
    fleet.until_asleep(&name).await;

    // One that is awake is, too.
    fleet.wakes(&name, 3).await;
    fleet.until_awake(&name, 3).await;
    api.patch(&name, &by, &Patch::Merge(&suspended(true))).await.unwrap();
    house.until(&name, "suspended", |it| phase(it) == Some(Phase::Suspended)).await;
    house.serve(&name).await;
    api.patch(&name, &by, &Patch::Merge(&suspended(false))).await.unwrap();
    fleet.until_awake(&name, 3).await;
    fleet.close().await;
}
