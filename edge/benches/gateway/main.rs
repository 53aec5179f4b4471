//! The edge beside nginx: `cargo bench -p edge --bench gateway`, with the Postgres of
//! `DATABASE_URL`, nginx and taskset. Each has one worker on the first core; visitors and the one
//! backend of both are on the second. Each line: what, how much, unit, N, spread.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "this is a bench"
)]

#[path = "../names/fleet.rs"]
#[expect(dead_code, reason = "the other bench uses the rest")]
mod fleet;
mod load;
mod nginx;
#[path = "../names/process.rs"]
#[expect(dead_code, reason = "the other bench uses the rest")]
mod process;
#[path = "../../../operator/benches/fleet/times.rs"]
mod times;

use std::process::Command;

use fleet::Fleet;
use load::{Load, Visitors};
use nginx::Nginx;
use process::Edge;
use times::{median, row, spread};

/// Rounds of each measure: the edge and nginx, one after the other.
const ROUNDS: usize = 7;
/// The bodies that are asked for, with what they are called.
const BODIES: [(&str, &str); 2] = [("/1k", "1 KiB"), ("/64k", "64 KiB")];

fn main() {
    // Before there are threads.
    let own = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-cp", "1", &own]).output().unwrap();
    assert!(pinned.status.success(), "taskset: {pinned:?}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let fleet = Fleet::make(10).await;
    let name = fleet::name(0);
    let backend = Nginx::backend();
    let sql = "update certificates.platform set backend = $1";
    sqlx::query(sql).bind(backend.at.to_string()).execute(&fleet.db).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut edge = Edge::start_on("0", &fleet, folder.path()).await;
    edge.until_known(10).await;
    let nginx = Nginx::before(backend.at, &fleet.pair(&name));
    let visitors = Visitors::new(&fleet.root, &name);
    for (path, size) in BODIES {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        // Once for nothing: files, caches and connections are warm then.
        for counted in [false].into_iter().chain([true; ROUNDS]) {
            let edge = visitors.load(edge.https, path, edge.id()).await;
            let nginx = visitors.load(nginx.at, path, nginx.worker()).await;
            if counted {
                ours.push(edge);
                theirs.push(nginx);
            }
        }
        tell(size, &ours, &theirs);
    }
    edge.end().await;
    drop(nginx);
    fleet.remove().await;
}

fn tell(size: &str, ours: &[Load], theirs: &[Load]) {
    let of = |loads: &[Load], what: fn(&Load) -> f64| loads.iter().map(what).collect::<Vec<_>>();
    let both = |what: fn(&Load) -> f64| {
        let pairs = ours.iter().zip(theirs).map(|(ours, theirs)| what(ours) / what(theirs));
        (of(ours, what), of(theirs, what), pairs.collect::<Vec<_>>())
    };
    let (ours, theirs, ratio) = both(|load| load.rate);
    row(&format!("{size}: requests a second, edge"), median(&ours), "/s", ROUNDS, spread(&ours));
    row(
        &format!("{size}: requests a second, nginx"),
        median(&theirs),
        "/s",
        ROUNDS,
        spread(&theirs),
    );
    row(&format!("{size}: edge to nginx"), median(&ratio), "x", ROUNDS, spread(&ratio));
    let (ours, theirs, ratio) = both(|load| load.p99);
    row(&format!("{size}: p99, edge"), median(&ours), "ms", ROUNDS, spread(&ours));
    row(&format!("{size}: p99, nginx"), median(&theirs), "ms", ROUNDS, spread(&theirs));
    row(&format!("{size}: p99, edge to nginx"), median(&ratio), "x", ROUNDS, spread(&ratio));
    let (ours, theirs, _) = both(|load| load.cpu);
    row(
        &format!("{size}: processor time of a request, edge"),
        median(&ours),
        "µs",
        ROUNDS,
        spread(&ours),
    );
    row(
        &format!("{size}: processor time of a request, nginx"),
        median(&theirs),
        "µs",
        ROUNDS,
        spread(&theirs),
    );
}
