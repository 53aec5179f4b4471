//! What a fleet costs: `cargo bench -p operator --bench fleet -- [PLATFORMS]`, against the API
//! server of `SOULFRA_TEST_KUBECONFIG` and the Postgres of `DATABASE_URL`. Each line: what, how
//! much, unit, N, spread.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "this is a bench")]

mod bare;
mod restart;
mod stranger;
mod times;
mod world;

use std::time::{Duration, Instant};

use times::{many, p99, row};
use world::World;

/// Platforms in each batch whose times are compared.
const BATCH: usize = 200;
/// Rounds of provisioning, by the operator and by a bare client, one after the other.
const ROUNDS: usize = 5;
/// Platforms in each of those.
const ROUND: usize = 60;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.first().map(String::as_str) {
        Some("restart") => restart::measure().await,
        Some(word) => fleet(word.parse().unwrap()).await,
        None => fleet(10_000).await,
    }
}

async fn fleet(platforms: usize) {
    let world = World::open().await;
    world.make(10).await;

    let few = one_after_the_other(&world).await;
    let again = one_after_the_other(&world).await;
    provisioning(&world).await;
    noisy(&world).await;

    let begun = Instant::now();
    let missing = platforms.saturating_sub(world.count());
    world.make(missing).await;
    row(
        "platforms made in all",
        many(missing),
        "",
        format!("{:.1} s", begun.elapsed().as_secs_f64()),
        "",
    );

    let many = one_after_the_other(&world).await;
    row("children of a platform", world.children(), "", 1, "");
    row("all applied, p99, at 10", p99(&few), "ms", BATCH, times::spread(&few));
    row("the same again", p99(&again), "ms", BATCH, times::spread(&again));
    row("all applied, p99, at all", p99(&many), "ms", BATCH, times::spread(&many));
    row("the same again to the first", p99(&again) / p99(&few), "x", BATCH, "");
    row("at all to at 10", p99(&many) / p99(&few), "x", BATCH, "");

    stranger::passes(&world).await;
    restart::in_another_process();
}

/// How long each of a batch takes until everything of it was applied.
async fn one_after_the_other(world: &World) -> Vec<f64> {
    let mut times = Vec::new();
    for _ in 0..BATCH {
        times.push(world.make_one().await.as_secs_f64() * 1e3);
    }
    times
}

async fn provisioning(world: &World) {
    let (mut ours, mut bare, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        world.make(ROUND).await;
        let operator = many(ROUND) / begun.elapsed().as_secs_f64();
        let client = bare::apply(world, ROUND).await;
        ours.push(operator);
        bare.push(client);
        ratios.push(operator / client);
    }
    row("provisioned by the operator", times::median(&ours), "/s", ROUNDS, times::spread(&ours));
    row("the same objects, bare", times::median(&bare), "/s", ROUNDS, times::spread(&bare));
    row("to bare", times::median(&ratios), "x", ROUNDS, times::spread(&ratios));
}

/// One platform that fails without end and changes a hundred times a second beside the others.
async fn noisy(world: &World) {
    let quiet = one_after_the_other(world).await;
    let control = one_after_the_other(world).await;
    let noise = world.noise(Duration::from_millis(10)).await;
    let beside = one_after_the_other(world).await;
    let changes = noise.stop().await;
    row("changes of one that fails", changes, "", 1, "");
    row("others' p99 beside it to quiet", p99(&beside) / p99(&quiet), "x", BATCH, "");
    let spread = p99(&control) / p99(&quiet);
    row("quiet to quiet", spread, "x", BATCH, "");
    let spread = spread.max(1.0 / spread);
    row(
        "others' p99 beside it to that spread",
        p99(&beside) / p99(&quiet) / spread,
        "x",
        BATCH,
        "",
    );
}
