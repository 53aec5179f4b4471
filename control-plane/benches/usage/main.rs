//! How much usage a control plane takes in: `cargo bench -p control-plane --bench usage -- [SECONDS]`, with the
//! empty database of `DATABASE_URL`. Batches are made ahead and told by HTTP, as model servers tell them. Each
//! line: what, how much, unit, N, spread.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "this is a bench")]

#[path = "../../tests/api/played.rs"]
#[allow(dead_code, reason = "the tests of the API use all of it")]
mod played;
mod told;

use std::time::{Duration, Instant};

use futures::future::join_all;
use sqlx::PgPool;
use told::{Intake, batches};

/// Events of a batch: about 4 MiB, as large as model servers send them.
const EVENTS: usize = 8_000;
/// Model servers that tell at once.
const SERVERS: usize = 2;
/// How many tenants the events are of.
const TENANTS: [usize; 2] = [1, 1_000];
/// Rounds of each.
const ROUNDS: usize = 5;

#[expect(clippy::disallowed_methods, reason = "whoever measures says where they are")]
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let words = std::env::args().skip(1).find(|word| word != "--bench");
    let seconds = words.map_or(4, |word| word.parse().unwrap());
    let db = PgPool::connect(&std::env::var("DATABASE_URL").unwrap()).await.unwrap();
    let intake = Intake::open(db).await;
    for tenants in TENANTS {
        let mut rates = Vec::new();
        for _ in 0..ROUNDS {
            rates.push(intake_for(&intake, tenants, Duration::from_secs(seconds)).await);
        }
        rates.sort_by(f64::total_cmp);
        let (least, median, most) = (rates[0], rates[ROUNDS / 2], rates[ROUNDS - 1]);
        let who = if tenants == 1 { "one tenant".to_owned() } else { format!("{tenants} tenants") };
        println!("usage events, {who}\t{median:.0}\t/s\t{ROUNDS}\t{least:.0} to {most:.0}");
    }
    println!("usage events that are kept\t{}\tevents\t1\t", intake.kept().await);
}

/// So many a second are taken in, told by all servers at once for so long.
async fn intake_for(intake: &Intake, tenants: usize, time: Duration) -> f64 {
    // The time in which they are made is nobody's.
    let ahead: Vec<_> = (0..SERVERS).map(|_| batches(tenants, EVENTS, 12)).collect();
    let begun = Instant::now();
    let servers = ahead.into_iter().map(async |batches| {
        let mut taken = 0;
        for batch in batches {
            if begun.elapsed() >= time {
                break;
            }
            taken += intake.tell(batch).await;
        }
        taken
    });
    let taken: usize = join_all(servers).await.into_iter().sum();
    f64::from(u32::try_from(taken).unwrap()) / begun.elapsed().as_secs_f64()
}
