//! What those who mean ill cost all others: `cargo bench -p edge --bench abuse`, with the Postgres of
//! `DATABASE_URL`, nginx and taskset. The edge is alone on the first core; the backend, calm visitors
//! and those who mean ill are on the second, each in a process of its own. Each line: what, how
//! much, unit, N, spread.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "this is a bench"
)]

#[path = "../names/fleet.rs"]
#[expect(dead_code, reason = "the other benches use the rest")]
mod fleet;
mod frames;
#[path = "../gateway/nginx.rs"]
#[expect(dead_code, reason = "the other benches use the rest")]
mod nginx;
#[path = "../names/process.rs"]
#[expect(dead_code, reason = "the other benches use the rest")]
mod process;
mod slow;
#[path = "../../../operator/benches/fleet/times.rs"]
#[expect(dead_code, reason = "the other benches use the rest")]
mod times;
mod visitors;

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fleet::Fleet;
use nginx::Nginx;
use process::Edge;
use times::{median, p99, row, spread};
use visitors::Visitors;

/// Connections that are slow.
const SLOW: usize = 10_000;
/// Connections that send frames without end.
const FLOODS: usize = 64;
/// Rounds of each: alone, and beside those who mean ill.
const ROUNDS: usize = 3;
/// So long those who mean ill are at it before it is measured.
const LEAD: Duration = Duration::from_secs(20);

/// The word that begins what one who means ill is told on its command line.
const ROLE: &str = "ill";

fn main() {
    // Before there are threads.
    let own = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-cp", "1", &own]).output().unwrap();
    assert!(pinned.status.success(), "taskset: {pinned:?}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let words: Vec<String> =
            std::env::args().skip(1).filter(|word| word != "--bench").collect();
        match &words[..] {
            [role, ill, at, name, root] if role == ROLE => {
                let visitors = Visitors::new(&std::fs::read_to_string(root).unwrap(), name);
                be_ill(ill, at.parse().unwrap(), &visitors).await;
            }
            _ => Box::pin(measure()).await,
        }
    });
}

/// What they do, until they are killed.
async fn be_ill(ill: &str, at: SocketAddr, visitors: &Visitors) {
    match ill {
        "slow" => slow::be(SLOW, at, visitors).await,
        "resets" => frames::be(frames::Flood::Resets, FLOODS, at, visitors).await,
        "empty" => frames::be(frames::Flood::Empty, FLOODS, at, visitors).await,
        "pings" => frames::be(frames::Flood::Pings, FLOODS, at, visitors).await,
        other => panic!("nobody is {other}"),
    }
}

async fn measure() {
    let fleet = Fleet::make(10).await;
    let name = fleet::name(0);
    let backend = Nginx::backend();
    let sql = "update certificates.platform set backend = $1";
    sqlx::query(sql).bind(backend.at.to_string()).execute(&fleet.db).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root.pem");
    std::fs::write(&root, &fleet.root).unwrap();
    let mut edge = Edge::start_on("0", &fleet, folder.path()).await;
    edge.until_known(10).await;
    let visitors = Visitors::new(&fleet.root, &name);
    // Once for nothing: files, caches and connections are warm then.
    visitors.round(edge.https).await;
    let kinds = [
        ("slow", "10,000 slow connections"),
        ("resets", "streams reset at once"),
        ("empty", "empty frames"),
        ("pings", "pings"),
    ];
    for (ill, what) in kinds {
        let (mut ratios, mut memory, mut both) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let alone = p99(&visitors.round(edge.https).await);
            let before = edge.resident_mib();
            let running = Ill::start(ill, edge.https, &name, &root);
            tokio::time::sleep(LEAD).await;
            let beside = p99(&visitors.round(edge.https).await);
            memory.push(edge.resident_mib() - before);
            drop(running);
            ratios.push(beside / alone);
            both.extend([alone, beside]);
        }
        let n = ROUNDS.to_string();
        let said = format!("{}; p99 in ms, alone and beside in turns: {both:.2?}", spread(&ratios));
        row(&format!("{what}: p99 of others, to alone"), median(&ratios), "x", &n, said);
        let what = format!("{what}: memory more");
        row(&what, median(&memory), "MiB", &n, spread(&memory));
    }
    edge.end().await;
    fleet.remove().await;
}

/// The process of those who mean ill. Calm visitors, who are on the same core, go first: it is the
/// edge that is asked whether it serves them.
struct Ill(Child);

impl Ill {
    fn start(ill: &str, at: SocketAddr, name: &str, root: &std::path::Path) -> Self {
        let mut program = Command::new("nice");
        program.args(["-n", "19"]).arg(std::env::current_exe().unwrap());
        program.args([ROLE, ill, &at.to_string(), name]).arg(root).stdin(Stdio::null());
        Self(program.spawn().unwrap())
    }
}

impl Drop for Ill {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
