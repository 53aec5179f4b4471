//! The driver in a world that is simulated to the last: seeds decide what people do, what goes
//! wrong and when. `SOULFRA_SEED` is the first seed, `SOULFRA_SEEDS` how many.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "the helpers here are no tests, but only tests call them"
)]

mod chance;
mod fields;
mod names;
mod people;
mod ports;
mod process;
mod server;
mod story;
mod world;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use plan::Installation;
use serde_json::json;

/// In every run of the tests.
const USUAL: u64 = 2_000;
/// After so many it is said how far a long run is, so that another can go on from there.
const TOLD: u64 = 20_000;

fn installation() -> Installation {
    let mut installation: serde_json::Value =
        serde_json::from_str(include_str!("../on_kubernetes/installation.json")).unwrap();
    let first = installation["fleet"]["servers"][0].clone();
    let mut second = first.clone();
    second["name"] = json!("db-2");
    installation["fleet"]["servers"] = json!([first, second]);
    // What waits for a time of day would be at rest, and then not any more.
    installation["passwords"] = json!({"days": 0, "overlapMinutes": 0});
    serde_json::from_value(installation).unwrap()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var_os(variable)?.to_str()?.parse().ok()
}

#[test]
fn whatever_goes_wrong_all_comes_to_what_was_wished() {
    let (first, count) =
        (number("SOULFRA_SEED").unwrap_or(1), number("SOULFRA_SEEDS").unwrap_or(USUAL));
    println!("SOULFRA_SEED={first} SOULFRA_SEEDS={count}");
    let installation = installation();
    let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !failed.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        break;
                    }
                    let seed = first.wrapping_add(at);
                    if at > 0 && at % TOLD == 0 {
                        println!("{at} histories, all well; next: SOULFRA_SEED={seed}");
                    }
                    if !story::run(seed, &installation, false).violations.is_empty()
                        && !failed.swap(true, Ordering::Relaxed)
                    {
                        tell(seed, &installation);
                    }
                }
            });
        }
    });
    assert!(!failed.load(Ordering::Relaxed), "something went wrong: see above");
    println!("counted: {count} simulated histories");
}

/// The same again, with its history.
fn tell(seed: u64, installation: &Installation) {
    let told = story::run(seed, installation, true);
    println!("{}", told.history.join("\n"));
    println!("{}", told.violations.join("\n"));
    println!("to see it again: SOULFRA_SEED={seed} SOULFRA_SEEDS=1");
}

#[test]
fn the_same_seed_is_the_same_run() {
    let installation = installation();
    for seed in 0..20 {
        let (first, second) =
            (story::run(seed, &installation, true), story::run(seed, &installation, true));
        assert_eq!(first.history, second.history, "seed {seed}");
        assert_eq!(first.digest, second.digest, "seed {seed}");
    }
}
