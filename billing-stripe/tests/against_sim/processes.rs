//! Several processes of ours at one Stripe: they keep to what it takes together, and whichever is killed wherever
//! it is, nothing is lost and nothing done twice.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{Request, State as Kept};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use billing::rail::limits::Limits;
use billing::rail::runner::Runner;
use billing::rail::webhook::Looker;
use jiff::{SignedDuration, Timestamp};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stripe_sim::Limits as Bounds;
use work::Clock;

use crate::books::Keeper;
use crate::rig::{LIMITS, Rig, client, from_environment};
use crate::shop::{Shop, usd};
use crate::storm::Chance;

/// What a process of ours is told.
const DATABASE: &str = "SOULFRA_RAIL_DATABASE";
const STRIPE: &str = "SOULFRA_RAIL_STRIPE";
/// The second at which its clock stands; by the machine's where there is none.
const SECOND: &str = "SOULFRA_RAIL_SECOND";

#[expect(clippy::disallowed_methods, reason = "a process is told by its environment where all is")]
fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Ends with whoever started it.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process that sends and looks until it is killed.
async fn process(db: &PgPool, url: &str, clock: Option<Timestamp>) -> Process {
    let name: String = sqlx::query_scalar("select current_database()").fetch_one(db).await.unwrap();
    let mut process = Command::new(std::env::current_exe().unwrap());
    process.args(["--exact", "processes::of_another_test", "--ignored"]);
    process.env(DATABASE, name).env(STRIPE, url);
    match clock {
        Some(at) => process.env(SECOND, at.as_second().to_string()),
        None => process.env_remove(SECOND),
    };
    process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Process(process.spawn().unwrap())
}

#[tokio::test]
#[ignore = "what the other tests here start as processes of their own"]
async fn of_another_test() {
    let (Some(name), Some(url)) = (told(DATABASE), told(STRIPE)) else { return };
    let options: PgConnectOptions = told("DATABASE_URL").unwrap().parse().unwrap();
    let db = PgPoolOptions::new().max_connections(6).connect_with(options.database(&name)).await;
    let (db, rail) = (db.unwrap(), client(&url));
    let clock = told(SECOND).map(|second| second.parse().unwrap());
    let clock = clock.map(|second| Clock::fixed(Timestamp::from_second(second).unwrap()));
    let limits = if clock.is_some() { LIMITS } else { Limits::STRIPE };
    let clock = clock.unwrap_or(Clock::System);
    let runner = Runner { db: db.clone(), rail: rail.clone(), limits, clock: clock.clone() };
    let looker = Looker { db, rail, books: Arc::new(Keeper), limits, clock };
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    loop {
        tick.tick().await;
        let (sent, seen) = Box::pin(futures::future::join(runner.turn(), looker.turn())).await;
        sent.unwrap();
        seen.unwrap();
    }
}

#[sqlx::test(migrations = false)]
async fn processes_that_are_killed_in_the_middle_lose_and_double_nothing(db: PgPool) {
    let seed = from_environment("SOULFRA_SEED", 20_261_123);
    let kills = from_environment("SOULFRA_KILLS", 12);
    let mut chance = Chance(seed);
    let rig = Rig::start(&db, seed).await;
    let shop = Shop::open(&rig).await;
    let who = shop.customer(&rig, "ada", None).await;
    let (mut sales, mut in_the_middle) = (Vec::new(), 0);
    for kill in 0..kills {
        for number in 0..8 {
            let name = format!("{kill} {number}");
            let (sale, _) = shop.sale(&rig, &name, (&who, "pm_card_visa"), usd("10.00"));
            rig.decide(std::slice::from_ref(&sale)).await;
            sales.push(sale.id);
        }
        rig.sim.deliver().await;
        let killed = process(&db, &rig.url, Some(rig.clock.now())).await;
        let begun = Instant::now();
        while rig.under_way().await == 0 && begun.elapsed().as_secs() < 20 {
            tokio::task::yield_now().await;
        }
        for _ in 0..chance.below(6) {
            rig.under_way().await;
        }
        drop(killed);
        in_the_middle += u64::from(rig.under_way().await > 0);
        // Who has it gone may be seen by others only when its lease has run out.
        rig.wait(200);
        if kill % 5 == 4 {
            // What twelve in a row die over is given up: one in a while lives.
            rig.drain().await;
        }
    }
    rig.drain().await;
    for sale in &sales {
        assert!(rig.is_settled(*sale).await, "{}", rig.cause(*sale).await);
    }
    rig.is_at_rest().await;
    let things = rig.agrees().await;
    let payouts = rig.all("/v1/payouts", None).await.len();
    assert_eq!(things, 3 * sales.len() + payouts);
    assert!(
        in_the_middle * 2 >= kills,
        "{in_the_middle} of {kills} were in the middle of something"
    );
    println!(
        "counted: {kills} processes killed, {in_the_middle} of them in the middle of sending, {} sales and their \
         transfers done once each, seed {seed}",
        sales.len()
    );
}

/// When each request came, what it asked for, and how it was answered.
type Came = Arc<Mutex<Vec<(Instant, String, u16)>>>;

async fn noted(Kept(came): Kept<Came>, request: Request, next: Next) -> Response {
    let at = Instant::now();
    // Which object it is about is of no concern: Stripe bounds each sort of request.
    let path: Vec<_> = request.uri().path().split('/').filter(|part| !part.contains('_')).collect();
    let line = format!("{} {}", request.method(), path.join("/"));
    let answer = next.run(request).await;
    came.lock().unwrap().push((at, line, answer.status().as_u16()));
    answer
}

/// The most that came within any one second.
fn most_in_a_second(came: &mut [Instant]) -> usize {
    came.sort();
    let mut first = 0;
    let within = came.iter().enumerate().map(|(last, at)| {
        while at.duration_since(came[first]) >= Duration::from_secs(1) {
            first += 1;
        }
        last + 1 - first
    });
    within.max().unwrap_or_default()
}

#[sqlx::test(migrations = false)]
async fn two_processes_together_are_never_told_that_they_ask_too_often(db: PgPool) {
    let backlog = from_environment("SOULFRA_BACKLOG", 60);
    let rig = Rig::start(&db, 30).await;
    let shop = Shop::open(&rig).await;
    let who = shop.customer(&rig, "ada", None).await;
    for number in 0..backlog {
        let card = (&who, "pm_card_visa");
        let (sale, _) = shop.sale(&rig, &number.to_string(), card, usd("10.00"));
        rig.decide(std::slice::from_ref(&sale)).await;
    }
    // From now on by the machine's clock, and as often as Stripe allows with real money.
    let passed = Clock::System.now().as_second() - rig.clock.now().as_second();
    rig.wait(passed);
    let operations = stripe_sim::operations().map(|name| (name.to_owned(), Limits::STRIPE.each));
    let bounds = Bounds { all: Some(Limits::STRIPE.all), operations: operations.collect() };
    rig.sim.limits(bounds);
    let came = Came::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = rig.sim.router().layer(from_fn_with_state(came.clone(), noted));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let (sim, clock) = (rig.sim.clone(), rig.clock.clone());
    let by_the_machine = tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        loop {
            tick.tick().await;
            let late = Clock::System.now().as_second() - sim.now();
            if late > 0 {
                sim.advance(late);
                clock.advance(SignedDuration::from_secs(late));
            }
        }
    });
    let begun = Instant::now();
    let processes = [process(&db, &url, None).await, process(&db, &url, None).await];
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    let drained = loop {
        tick.tick().await;
        rig.sim.deliver().await;
        let done = u64::try_from(rig.settled().await).unwrap();
        if done >= 3 * backlog && rig.sim.undelivered() == 0 && rig.told().await == 0 {
            break begun.elapsed();
        }
        assert!(begun.elapsed().as_secs() < 30 + backlog, "{done} are done");
    };
    drop(processes);
    by_the_machine.abort();
    let came = came.lock().unwrap().clone();
    let refused: Vec<_> = came.iter().filter(|(.., status)| *status == 429).collect();
    let mut all: Vec<_> = came.iter().map(|(at, ..)| *at).collect();
    let mut each: BTreeMap<&str, Vec<Instant>> = BTreeMap::new();
    for (at, line, _) in &came {
        each.entry(line).or_default().push(*at);
    }
    let each = each.iter_mut().map(|(line, came)| (most_in_a_second(came), *line)).max().unwrap();
    println!(
        "counted: a backlog of {backlog} sales, their {} transfers and all events of them drained in {:.1} s by two \
         processes: {} requests, {} answered 429, at most {} within a second of 100 and {} of 25 ({})",
        2 * backlog,
        drained.as_secs_f64(),
        came.len(),
        refused.len(),
        most_in_a_second(&mut all),
        each.0,
        each.1,
    );
    assert!(refused.is_empty(), "{refused:?}");
    rig.sim.limits(Bounds::default());
    assert_eq!(
        rig.agrees().await as u64,
        3 * backlog + rig.all("/v1/payouts", None).await.len() as u64
    );
}
