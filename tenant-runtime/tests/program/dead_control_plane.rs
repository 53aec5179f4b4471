//! Platforms that are awake need nobody who manages them: there is no control plane, no operator and no API server
//! here, and people read pages, sign in and talk all the same. What each program asks is its
//! database and its model server, and that is seen in its connections.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::future::join_all;
use inference::simulator::Simulator;

use crate::common::{number, port_of_server};
use crate::running::{Browser, House, Running};

/// Between two visits to a platform.
const EVERY: Duration = Duration::from_secs(2);
const PASSWORD: &str = "horse staple b";

/// A platform that runs, and its person.
struct Platform {
    house: House,
    runtime: Running,
}

impl Platform {
    async fn new() -> Self {
        let house = House::new(Simulator::saying("Good morning to you.")).await;
        let runtime = house.start();
        runtime.becomes_ready().await;
        let form = [("name", "ada"), ("email", "ada@example.com"), ("password", PASSWORD)];
        let joined = runtime.visitor().post("/signup", &form).await;
        assert_eq!(joined.status, 303, "{}", joined.body);
        Self { house, runtime }
    }

    /// A page, a sign-in, a question and its answer, and out again: how many requests these were. Each is
    /// answered as it should be.
    async fn visit(&self) -> usize {
        let visitor = self.runtime.visitor();
        assert_eq!(visitor.get("/").await.status, 200);
        let form = [("email", "ada@example.com"), ("password", PASSWORD)];
        let entered = visitor.post("/signin", &form).await;
        assert_eq!(entered.status, 303, "{}", entered.body);
        let ada = visitor.with(&entered.cookie());
        assert_eq!(ada.get("/account").await.status, 200);
        self.talk(&ada).await;
        let out = ada.post("/signout", &[]).await;
        assert_eq!(out.status, 303, "{}", out.body);
        7
    }

    async fn talk(&self, ada: &Browser) {
        let sent = ada.post("/agents/guide/talk", &[("text", "hello")]).await;
        assert_eq!(sent.status, 303, "{}", sent.body);
        let page = ada.get(sent.location().split('#').next().unwrap()).await.body;
        let answer = match page.split("data-src=\"").nth(1) {
            Some(rest) => ada.get(rest.split('"').next().unwrap()).await.body,
            // It was there before the page was.
            None => page,
        };
        assert!(answer.contains("Good morning to you."), "{answer}");
    }

    /// Whom the program is connected to, beside its visitors.
    fn asks_nobody_else(&self) {
        let may = BTreeSet::from([self.house.port_of_models(), port_of_server()]);
        let asked = self.runtime.ports_it_asks();
        assert!(asked.is_subset(&may), "{asked:?}, not only {may:?}");
    }
}

// As many platforms as `SOULFRA_PLATFORMS` says, for as long as `SOULFRA_SECONDS` does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn awake_platforms_go_on_without_anybody_who_manages_them() {
    let (count, seconds) = (number("SOULFRA_PLATFORMS", 3), number("SOULFRA_SECONDS", 5));
    let platforms = join_all((0..count).map(|_| Platform::new())).await;
    let over = Instant::now() + Duration::from_secs(seconds);
    let requests = join_all(platforms.iter().map(async |platform| {
        let (mut requests, mut turns) = (0, tokio::time::interval(EVERY));
        while Instant::now() < over {
            turns.tick().await;
            requests += platform.visit().await;
            platform.asks_nobody_else();
        }
        requests
    }));
    let requests: usize = requests.await.into_iter().sum();
    println!("counted: {requests} requests to {count} platforms for {seconds} s, none failed");
}
