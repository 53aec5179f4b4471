//! The control plane behind a database that something is wrong with, and those who ask.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use blueprint::PlanName;
use control_plane::pool::pool;
use faults::postgres::Proxy;
use futures::future::join_all;
use serde_json::json;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

use crate::Rig;
use crate::played::Silent;
use crate::rig::{Answer, Caller, written};

/// Nobody waits longer, and once all is well again it is so for everybody after no more.
pub(crate) const SOON: Duration = Duration::from_secs(5);
/// Who ask at once: more than there are connections.
const AT_ONCE: usize = 24;

pub(crate) struct World {
    rig: Rig,
    pub(crate) proxy: Proxy,
    /// Past all that is wrong.
    pub(crate) direct: PgPool,
    key: String,
    platform: String,
    /// The names of keys that were said to be made.
    made: Mutex<Vec<String>>,
}

/// What came of those who asked while something was wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) answered: usize,
    pub(crate) put_off: usize,
    pub(crate) longest: Duration,
}

impl World {
    pub(crate) async fn new(database: PgConnectOptions) -> Self {
        let direct = PgPool::connect_with(database.clone()).await.unwrap();
        Box::pin(Self::of(database, direct)).await
    }

    /// One that uses the database as this user.
    pub(crate) async fn of(database: PgConnectOptions, direct: PgPool) -> Self {
        let address = format!("{}:{}", database.get_host(), database.get_port());
        let server: SocketAddr = address.parse().unwrap();
        let proxy = Proxy::before(server).await.unwrap();
        let through = database.host("127.0.0.1").port(proxy.address().port());
        let rig = Rig::new(pool(through)).await;
        let admitted = rig.admitted("acme", PlanName::Business, None).await;
        let key = admitted.key.expose().to_owned();
        let made = rig
            .caller(Some(&key))
            .send("POST", "/v1/platforms", &[], written("harbour", "Harbour"))
            .await;
        let platform = format!("/v1/platforms/{}", made.body["id"].as_str().unwrap());
        let world = Self { rig, proxy, direct, key, platform, made: Mutex::default() };
        world.is_well().await;
        world
    }

    pub(crate) fn cluster_is(&self, silent: Silent) {
        self.rig.cluster.be(silent);
    }

    /// That a key is used is to be written down again.
    pub(crate) fn later(&self) {
        self.rig.clock.advance(jiff::SignedDuration::from_mins(2));
    }

    fn caller(&self) -> Caller<'_> {
        self.rig.caller(Some(&self.key))
    }

    fn looks(&self) -> [String; 6] {
        let platform = &self.platform;
        [
            "/v1/organization".to_owned(),
            "/v1/platforms".to_owned(),
            platform.clone(),
            format!("{platform}/blueprint"),
            "/v1/keys".to_owned(),
            "/v1/audit".to_owned(),
        ]
    }

    /// Many look.
    pub(crate) async fn many_look(&self) -> Seen {
        let looks = self.looks();
        let caller = self.caller();
        seen(join_all((0..AT_ONCE).map(|number| {
            let (path, caller) = (looks[number % looks.len()].clone(), caller.clone());
            timed(async move { caller.get(&path).await })
        })))
        .await
    }

    /// Many do something, of which some is told to be done.
    pub(crate) async fn many_write(&self, what: &str) -> Seen {
        let caller = self.caller();
        seen(join_all((0..AT_ONCE).map(|number| {
            let caller = caller.clone();
            let name = format!("{what} {number}");
            timed(async move {
                match number % 4 {
                    0 => {
                        let slug = format!("p-{}-{number}", what.replace(' ', "-"));
                        let blueprint = written(&slug, "Quay");
                        let headers = [("idempotency-key", slug.as_str())];
                        caller.send("POST", "/v1/platforms", &headers, blueprint).await
                    }
                    1 => caller.post(&format!("{}/suspend", self.platform), &json!({})).await,
                    _ => {
                        let wanted = json!({"name": name, "scopes": ["audit:read"]});
                        let answer = caller.post("/v1/keys", &wanted).await;
                        if answer.status == 201 {
                            self.made.lock().unwrap().push(name);
                        }
                        answer
                    }
                }
            })
        })))
        .await
    }

    /// Many make a platform; nobody looks whether it is done.
    pub(crate) async fn many_make(&self) {
        let caller = self.caller();
        let made =
            (0..AT_ONCE).map(|number| {
                let (caller, slug) = (caller.clone(), format!("hung-{number}"));
                timed(async move {
                    caller.send("POST", "/v1/platforms", &[], written(&slug, "Quay")).await
                })
            });
        seen(join_all(made)).await;
    }

    /// All who look are shown something, soon; and all that was said to be done is.
    pub(crate) async fn is_well(&self) -> Duration {
        let begun = Instant::now();
        loop {
            let seen = self.many_look().await;
            if seen.put_off == 0 {
                break;
            }
            assert!(begun.elapsed() < SOON, "{seen:?}");
        }
        let after = begun.elapsed();
        assert!(after < SOON, "{after:?}");
        let kept = "select name from control.api_key";
        let kept: Vec<String> = sqlx::query_scalar(kept).fetch_all(&self.direct).await.unwrap();
        for name in self.made.lock().unwrap().iter() {
            assert!(kept.contains(name), "{name} is lost");
        }
        after
    }

    /// How many were said to be made.
    pub(crate) fn made(&self) -> usize {
        self.made.lock().unwrap().len()
    }
}

async fn timed(answer: impl Future<Output = Answer>) -> (Answer, Duration) {
    let begun = Instant::now();
    (answer.await, begun.elapsed())
}

async fn seen(answers: impl Future<Output = Vec<(Answer, Duration)>>) -> Seen {
    let mut seen = Seen::default();
    for (answer, took) in answers.await {
        seen.longest = seen.longest.max(took);
        assert!(took < SOON, "{took:?} {answer:?}");
        if answer.status == 503 {
            assert!(!answer.header("retry-after").is_empty(), "{answer:?}");
            seen.put_off += 1;
        } else {
            assert!(answer.status.is_success(), "{answer:?}");
            seen.answered += 1;
        }
    }
    seen
}
