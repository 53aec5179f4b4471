//! What many names cost an edge: `cargo bench -p edge --bench names -- [NAMES]`, with the Postgres
//! of `DATABASE_URL`. The edge is the real program, in a process of its own. Each line: what, how
//! much, unit, N, spread.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "this is a bench"
)]

#[expect(dead_code, reason = "the other bench uses the rest")]
mod fleet;
#[expect(dead_code, reason = "the other bench uses the rest")]
mod process;
#[path = "../../../operator/benches/fleet/times.rs"]
mod times;
mod visitor;

use std::time::{Duration, Instant};

use fleet::Fleet;
use process::Edge;
use times::{many, median, p99, row, spread};
use visitor::Visitor;

/// Names that get their certificate while all others are there.
const ISSUED: usize = 500;
/// Names that are asked for once after a start, and once more.
const COLD: usize = 2_000;
/// Starts with all names on the disk.
const STARTS: usize = 5;
/// Visitors at once where only memory is looked at.
const AT_ONCE: usize = 64;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let words = std::env::args().skip(1).find(|word| word != "--bench");
    let names = words.map_or(100_000, |word| word.parse().unwrap());
    let fleet = Fleet::make(names).await;
    let folder = tempfile::tempdir().unwrap();
    let visitor = Visitor::new(&fleet.root);

    let begun = Instant::now();
    let mut edge = Edge::start(&fleet, folder.path()).await;
    edge.until_known(names).await;
    let read = begun.elapsed().as_secs_f64();
    row("first start, all names read from the database", read, "s", 1, format!("{names} names"));

    served_once(&edge, &visitor, names).await;
    row("resident after all were served once", edge.resident_mib(), "MiB", 1, "");

    let mut starts = Vec::new();
    for at in 0..STARTS {
        edge.end().await;
        let begun = Instant::now();
        edge = Edge::start(&fleet, folder.path()).await;
        visitor.until_served(&edge, &fleet::name(at * 7), |_| true).await;
        starts.push(begun.elapsed().as_secs_f64());
    }
    row(
        "start with all on the disk, until one is served",
        median(&starts),
        "s",
        STARTS,
        spread(&starts),
    );

    let (cold, warm) = cold_and_warm(&edge, &visitor, names).await;
    row("cold name, connected and shaken hands, p99", p99(&cold), "ms", cold.len(), spread(&cold));
    row("the same name again, p99", p99(&warm), "ms", warm.len(), spread(&warm));

    let issued = issued_to_served(&fleet, &edge, &visitor, names).await;
    row("issued to served, p99", p99(&issued), "ms", issued.len(), spread(&issued));
    row("resident at the end", edge.resident_mib(), "MiB", 1, "");
    edge.end().await;
    fleet.remove().await;
}

/// Every name once, by many visitors.
async fn served_once(edge: &Edge, visitor: &Visitor, names: usize) {
    let begun = Instant::now();
    let mut visits = tokio::task::JoinSet::new();
    for from in 0..AT_ONCE {
        let (visitor, at) = (visitor.clone(), edge.https);
        visits.spawn(async move {
            for number in (from..names).step_by(AT_ONCE) {
                visitor.visit(at, &fleet::name(number)).await.expect("it is served");
            }
        });
    }
    visits.join_all().await;
    let rate = many(names) / begun.elapsed().as_secs_f64();
    row(
        "full handshakes a second, every name once",
        rate,
        "/s",
        names,
        "visitors on the same cores",
    );
}

/// How long it takes for names that nobody asked for since the start, and for the same again; in
/// milliseconds.
async fn cold_and_warm(edge: &Edge, visitor: &Visitor, names: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    // Far apart, and none of those that the start was measured with.
    let step = (names / COLD).max(1);
    for number in (1..names).step_by(step).take(COLD) {
        let name = fleet::name(number);
        for times in [&mut cold, &mut warm] {
            let begun = Instant::now();
            visitor.visit(edge.https, &name).await.expect("it is served");
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
    }
    (cold, warm)
}

/// From the commit of a certificate until it is what a visitor is met with; in milliseconds.
async fn issued_to_served(fleet: &Fleet, edge: &Edge, visitor: &Visitor, names: usize) -> Vec<f64> {
    let mut times = Vec::new();
    for number in 0..ISSUED {
        let name = fleet::name((number * 11 + 3) % names);
        let serial = fleet.renew(&name).await;
        let begun = Instant::now();
        visitor.until_served(edge, &name, |served| served == serial).await;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    times
}
