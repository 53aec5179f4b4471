//! What it costs that many listen to platforms: `cargo bench -p control-plane --bench streams -- [LISTENERS]`,
//! beside the API server of `SOULFRA_TEST_KUBECONFIG` and the Postgres of `DATABASE_URL`. Each line: what, how
//! much, unit, N, spread.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "this is a bench")]

#[path = "../load/asked.rs"]
#[expect(dead_code, reason = "the other bench asks for more")]
mod asked;
mod listeners;
#[path = "../load/world.rs"]
#[expect(dead_code, reason = "the other bench asks for more")]
mod world;

use std::time::{Duration, SystemTime};

use listeners::{Listeners, listen};
use world::World;

/// Platforms that are listened to.
const PLATFORMS: usize = 100;
/// Between two changes.
const PAUSE: Duration = Duration::from_millis(100);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let words: Vec<_> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [word, server, count] = &words[..]
        && word == "listen"
    {
        return listen(server.parse().unwrap(), count.parse().unwrap()).await;
    }
    let count = words.first().map_or(10_000, |word| word.parse().unwrap());
    web::open_files::raise();
    let world = World::open(PLATFORMS).await;
    let before = memory();
    let (server, key, platforms) = world.listened_to();
    let ids: Vec<_> = platforms.iter().map(ToString::to_string).collect();
    let listeners = tokio::task::spawn_blocking(move || Listeners::new(server, &key, count, &ids))
        .await
        .unwrap();
    let each = (memory() - before) / f64::from(u32::try_from(count).unwrap());
    println!("memory of an idle stream\t{each:.1}\tKiB\t{count}\t");

    let mut changed = Vec::new();
    for (number, id) in platforms.iter().enumerate() {
        // Heard by the last one after it was asked for.
        changed.push(SystemTime::now());
        world.change(*id, PLATFORMS + number).await;
        tokio::time::sleep(PAUSE).await;
    }
    let heard = tokio::task::spawn_blocking(move || listeners.heard(PLATFORMS)).await.unwrap();
    let mut took: Vec<_> = heard
        .iter()
        .zip(changed)
        .map(|(heard, changed)| heard.duration_since(changed).unwrap().as_secs_f64() * 1e3)
        .collect();
    took.sort_by(f64::total_cmp);
    let (median, last) = (took[took.len() / 2], took[took.len() - 1]);
    println!("a change until its last listener heard, median\t{median:.1}\tms\t{PLATFORMS}\t");
    println!("a change until its last listener heard, longest\t{last:.1}\tms\t{PLATFORMS}\t");
}

/// What this process holds, in KiB.
fn memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}
