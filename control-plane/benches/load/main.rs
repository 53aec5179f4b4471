//! What the API and the console cost: `cargo bench -p control-plane --bench load -- [PLATFORMS]`, beside
//! the API server of `SOULFRA_TEST_KUBECONFIG` and the Postgres of `DATABASE_URL`. Each line: what, how
//! much, unit, N, spread.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "this is a bench")]

mod asked;
#[expect(dead_code, reason = "the other bench listens")]
mod world;

use std::time::{Duration, Instant};

use asked::Kind;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use world::World;

/// Requests in a second.
const RATE: u32 = 200;
/// For so long.
const FOR: Duration = Duration::from_mins(1);
/// Pages that are held against one another.
const PAGES: usize = 2_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let words = std::env::args().skip(1).find(|word| word != "--bench");
    let platforms = words.map_or(10_000, |word| word.parse().unwrap());
    let world = World::open(platforms).await;

    // Alone, and by turns.
    let (mut few, mut many, mut fleet) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..PAGES {
        // Who comes first after a page of the console finds less in the caches.
        let of_two = [(Kind::AllOfTen, &mut few), (Kind::TenOfAll, &mut many)];
        let by_turns: Vec<_> =
            if number % 2 == 0 { of_two.into() } else { of_two.into_iter().rev().collect() };
        for (kind, times) in by_turns {
            times.push(world.timed(kind, number).await);
        }
        fleet.push(world.timed(Kind::Console, number).await);
    }
    row("list of 10 platforms, p95", percentile(&few, 95), "ms", PAGES, &spread(&few));
    row("10 of all platforms, p95", percentile(&many, 95), "ms", PAGES, &spread(&many));
    for of_hundred in [50, 95] {
        let ratio = percentile(&many, of_hundred) / percentile(&few, of_hundred);
        row(&format!("10 of all to a list of 10, p{of_hundred}"), ratio, "x", PAGES, "");
    }
    row("fleet page of the console, p95", percentile(&fleet, 95), "ms", PAGES, &spread(&fleet));

    let mut all = Vec::new();
    for (kind, times) in mixed(&world).await {
        row(&format!("{kind:?}, p95"), percentile(&times, 95), "ms", times.len(), &spread(&times));
        all.extend(times);
    }
    row("all kinds, p95", percentile(&all, 95), "ms", all.len(), &spread(&all));
    row("all kinds, p99", percentile(&all, 99), "ms", all.len(), "");
}

/// So many a second, whether those before have ended or not.
async fn mixed(world: &World) -> Vec<(Kind, Vec<f64>)> {
    let count = RATE * u32::try_from(FOR.as_secs()).unwrap();
    let begun = Instant::now();
    let every = Duration::from_secs(1) / RATE;
    let mut under_way = FuturesUnordered::new();
    let mut times: Vec<(Kind, Vec<f64>)> = Kind::ALL.map(|kind| (kind, Vec::new())).into();
    let mut keep = |kind: Kind, time: f64| {
        times.iter_mut().find(|(known, _)| *known == kind).unwrap().1.push(time);
    };
    for number in 0..count {
        let due = begun + every * number;
        let kind = Kind::of(number);
        // What waited for its turn here has waited: it counts from when it was due.
        under_way.push(async move {
            tokio::time::sleep_until(due.into()).await;
            world.ask(kind, number as usize).await;
            (kind, due.elapsed().as_secs_f64() * 1e3)
        });
    }
    while let Some((kind, time)) = under_way.next().await {
        keep(kind, time);
    }
    times.retain(|(_, times)| !times.is_empty());
    times
}

fn row(what: &str, value: f64, unit: &str, n: usize, spread: &str) {
    println!("{what}\t{value:.3}\t{unit}\t{n}\t{spread}");
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

fn percentile(values: &[f64], of_hundred: usize) -> f64 {
    sorted(values)[(values.len() * of_hundred).div_ceil(100) - 1]
}

fn spread(values: &[f64]) -> String {
    let values = sorted(values);
    format!(
        "{:.2} to {:.2}, median {:.2}",
        values[0],
        values[values.len() - 1],
        values[values.len() / 2]
    )
}
