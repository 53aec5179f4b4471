//! Certificates by the thousand: `cargo bench -p edge --bench issuing -- [NAMES [NAMES WITH KILLS]]`,
//! with the Postgres of `DATABASE_URL` and Pebble's programs where the tests have them. The
//! authority looks at the real edge over plain HTTP; edge, authority, database and whoever orders
//! are processes of their own. Each line: what, how much, unit, N, spread.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "this is a bench"
)]

mod controller;
#[path = "../names/fleet.rs"]
#[expect(dead_code, reason = "the other benches use the rest")]
mod fleet;
#[path = "../names/process.rs"]
#[expect(dead_code, reason = "the other benches use the rest")]
mod process;
#[path = "../../../certificates/tests/with_pebble/proxy.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod proxy;
#[path = "../../../certificates/tests/with_pebble/rig.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod rig;
#[path = "../../../operator/benches/fleet/times.rs"]
#[expect(dead_code, reason = "the other benches use the rest")]
mod times;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use certificates::served;
use sqlx::PgPool;
use uuid::Uuid;
use work::sealed::RootKey;

use controller::{Controller, ROLE};
use fleet::{Fleet, SEAL};
use process::Edge;
use proxy::{Fault, Proxy};
use rig::{Looks, Rig};
use times::{many, row};

/// Whoever orders is killed so often.
const KILLED: Duration = Duration::from_secs(30);
/// So long nothing may happen: an order that was cut off is taken again after two minutes.
const PATIENCE: Duration = Duration::from_mins(4);
/// How often it is counted.
const LOOKS: Duration = Duration::from_millis(250);
/// Of so many calls one is answered with 503.
const FAILS: usize = 20;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [role, url, directory, root] = &words[..]
        && role == ROLE
    {
        return controller::run(url, directory, Path::new(root)).await;
    }
    let count = |at: usize, default| words.get(at).map_or(default, |word| word.parse().unwrap());
    let (names, with_kills) = (count(0, 6_000), count(1, 10_000));
    if names > 0 {
        Box::pin(an_hour(names)).await;
    }
    if with_kills > 0 {
        Box::pin(killed(with_kills)).await;
    }
}

/// A fleet without certificates, its edge, and an authority.
struct Scene {
    fleet: Fleet,
    edge: Edge,
    rig: Rig,
    root: PathBuf,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// Of a hundred nonces so many are refused.
    async fn open(names: usize, nonces: &str) -> Self {
        let fleet = Fleet::claimed(names).await;
        let folder = tempfile::tempdir().unwrap();
        let edge = Edge::start(&fleet, folder.path()).await;
        // Each platform has a name of its own beside those.
        edge.until_known(names).await;
        let refuses = [("PEBBLE_WFE_NONCEREJECT", nonces)];
        let rig = Rig::start(Looks::at(edge.http.port()), &refuses).await;
        let root = folder.path().join("root.pem");
        std::fs::write(&root, &rig.root).unwrap();
        Self { fleet, edge, rig, root, _folder: folder }
    }

    async fn close(mut self) {
        self.edge.end().await;
        self.fleet.remove().await;
    }
}

async fn an_hour(names: usize) {
    let scene = Scene::open(names, "5").await;
    // It changes nothing, and keeps Pebble from standing still.
    let proxy = Proxy::before(&scene.rig).await;
    let directory = proxy.authority("pebble").directory;
    let begun = Instant::now();
    let controller = Controller::start(&scene.fleet, &directory, &scene.root);
    until_all(&scene.fleet.db, names, |_| {}).await;
    let rate = many(names) / begun.elapsed().as_secs_f64() * 3_600.0;
    let spread = "12 under way at once, 5 % of nonces refused, proven at the edge over HTTP";
    row("certificates an hour, one authority", rate, "", names, spread);
    drop(controller);
    Box::pin(scene.close()).await;
}

async fn killed(names: usize) {
    let scene = Scene::open(names, "15").await;
    let proxy = Proxy::before(&scene.rig).await;
    let mut calls = 0;
    proxy.follow(move |_| {
        calls += 1;
        if calls % FAILS == 0 { Fault::Answer(503) } else { Fault::None }
    });
    let directory = proxy.authority("pebble").directory;
    let begun = Instant::now();
    let (mut controller, mut since, mut kills) = (None, Instant::now(), 0_usize);
    until_all(&scene.fleet.db, names, |_| {
        if since.elapsed() >= KILLED || controller.is_none() {
            if let Some(running) = controller.take() {
                Controller::kill(running);
                kills += 1;
            }
            controller = Some(Controller::start(&scene.fleet, &directory, &scene.root));
            since = Instant::now();
        }
    })
    .await;
    drop(controller);
    let took = begun.elapsed().as_secs();
    let spread = format!("{kills} kills in {took} s, 15 % of nonces refused, 5 % of calls 503");
    let (without, useless) = looked_at(&scene.fleet.db, names).await;
    let finalized = proxy.done("/finalize-order/");
    let twice = finalized.checked_sub(names).expect("each of them was asked for once at least");
    row("with kills: names without a certificate in the end", many(without), "", names, &spread);
    row("with kills: certificates ordered twice", many(twice), "", names, &spread);
    let what = "with kills: certificates whose key does not open or fit";
    row(what, many(useless), "", names, &spread);
    Box::pin(scene.close()).await;
}

/// Waits until so many names have a certificate.
async fn until_all(db: &PgPool, names: usize, mut meanwhile: impl FnMut(usize)) {
    let sql = "select count(*) from certificates.certificate where replaced_at is null";
    let (mut had, mut since) = (0, Instant::now());
    loop {
        let has: i64 = sqlx::query_scalar(sql).fetch_one(db).await.unwrap();
        let has = usize::try_from(has).unwrap();
        if has == names {
            return;
        }
        if has > had {
            (had, since) = (has, Instant::now());
        }
        assert!(since.elapsed() < PATIENCE, "nothing happens at {has} of {names}");
        meanwhile(has);
        tokio::time::sleep(LOOKS).await;
    }
}

/// How many names have no certificate, and how many one that is of no use.
async fn looked_at(db: &PgPool, names: usize) -> (usize, usize) {
    let sql = "select id from certificates.certificate where replaced_at is null";
    let ids: Vec<Uuid> = sqlx::query_scalar(sql).fetch_all(db).await.unwrap();
    let (root, mut useless) = (RootKey::from_bytes(SEAL), 0);
    let mut conn = db.acquire().await.unwrap();
    for some in ids.chunks(500) {
        for issued in served::issued(&mut conn, some).await.unwrap() {
            let fits = issued.open(&root).is_ok_and(|pair| pair.keys_match().is_ok());
            useless += usize::from(!fits);
        }
    }
    (names.saturating_sub(ids.len()), useless)
}
