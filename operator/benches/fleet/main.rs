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
        Some("noisy") => noisy(&World::open().await).await,
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

async fn one_after_the_other(world: &World) -> Vec<f64> {
    batch(world, BATCH).await
}

/// How long each of a batch takes until everything of it was applied.
async fn batch(world: &World, count: usize) -> Vec<f64> {
    let mut times = Vec::new();
    for _ in 0..count {
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

/// Others beside one that fails without end, and beside one that also changes a hundred times a
/// second; batches of each kind in turn, so that whatever else goes on meets them all.
async fn noisy(world: &World) {
    let (mut quiet, mut failing, mut changing) = (Vec::new(), Vec::new(), Vec::new());
    let mut changes = 0;
    for _ in 0..ROUNDS {
        quiet.push(batch(world, BATCH / 2).await);
        let noise = world.noise(None).await;
        failing.push(batch(world, BATCH / 2).await);
        noise.stop().await;
        let noise = world.noise(Some(Duration::from_millis(10))).await;
        changing.push(batch(world, BATCH / 2).await);
        changes += noise.stop().await;
    }
    let [one, other] = [0, 1].map(|part| {
        let half = quiet.iter().flat_map(|batch| batch.iter().skip(part).step_by(2));
        p99(&half.copied().collect::<Vec<_>>())
    });
    let spread = (one / other).max(other / one);
    let [quiet, failing, changing] = [quiet, failing, changing].map(|batches| batches.concat());
    let count = quiet.len();
    row("alone, p99", p99(&quiet), "ms", count, times::spread(&quiet));
    row("half of them to the other half", spread, "x", count, "");
    row("beside one that fails without end", p99(&failing), "ms", count, times::spread(&failing));
    let beyond = p99(&failing) / p99(&quiet) / spread;
    row("that to alone, beyond the halves", beyond, "x", count, "");
    row("beside one that also changes", p99(&changing), "ms", count, times::spread(&changing));
    row("its changes", changes, "", ROUNDS, "");
}
