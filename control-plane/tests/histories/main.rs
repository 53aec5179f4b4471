//! What several people do to a platform at once, while requests are cut off and the cluster does not
//! answer, has come to what one after the other would have: each history of what was asked and answered
//! is held against a platform that one person at a time does something to.
#![expect(clippy::unwrap_used, reason = "the helpers here are no tests, but only tests call them")]

mod client;
#[path = "../api/conformance.rs"]
mod conformance;
#[path = "../api/played.rs"]
#[allow(dead_code, reason = "the tests of the API use all of it")]
mod played;
mod recorded;
mod register;
#[path = "../api/rig.rs"]
#[allow(dead_code, reason = "the tests of the API use all of it")]
mod rig;

use blueprint::PlanName;
use client::Client;
use faults::chance::Chance;
use futures::future::join_all;
use jiff::SignedDuration;
use recorded::History;
use rig::Rig;
use sqlx::PgPool;

use crate::played::Silent;

/// Who does something at once.
const CLIENTS: usize = 4;
/// What each of them does.
const OPERATIONS: usize = 6;
/// To these platforms.
pub(crate) const NAMES: usize = 2;

/// What the environment says, or this.
#[expect(clippy::disallowed_methods, reason = "whoever repeats a failure, or goes on for long")]
fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |number| number.parse().unwrap())
}

/// A number from 0 to one below this.
pub(crate) fn below(chance: &mut Chance, end: usize) -> usize {
    usize::try_from(chance.number() % u64::try_from(end).unwrap()).unwrap()
}

/// The cluster answers, is dead and loses its answers by turns, until all are done.
async fn fails_now_and_then(rig: &Rig, history: &History, mut chance: Chance) {
    while history.running() > 0 {
        let silent = match below(&mut chance, 8) {
            0 => Silent::Dead,
            1 => Silent::Mute,
            _ => Silent::No,
        };
        rig.cluster.be(silent);
        for _ in 0..below(&mut chance, 40) {
            tokio::task::yield_now().await;
        }
        // Whoever waits for the database is heard.
        tokio::time::sleep(std::time::Duration::from_micros(200)).await;
    }
    rig.cluster.be(Silent::No);
}

async fn lived(rig: &Rig, seed: u64) -> History {
    let mut chance = Chance::new(seed);
    let slug = format!("org-{seed:x}");
    let admitted = rig.admitted(&slug, PlanName::Business, None).await;
    let caller = rig.caller(Some(admitted.key.expose()));
    let history = History::of(CLIENTS);
    let clients = (0..CLIENTS).map(|_| {
        let client = Client::new(&history, caller.clone(), seed);
        client.live(Chance::new(chance.number()), OPERATIONS)
    });
    let clients: Vec<_> = clients.collect();
    let fails = fails_now_and_then(rig, &history, Chance::new(chance.number()));
    futures::join!(join_all(clients), fails);
    Client::new(&history, caller.clone(), seed).look().await;
    // Of what was deleted too many would have been, in an hour.
    rig.clock.advance(SignedDuration::from_hours(2));
    history
}

#[sqlx::test(migrations = false)]
async fn whatever_several_do_at_once_comes_to_what_one_after_the_other_would(db: PgPool) {
    let (seed, rounds) = (number("SOULFRA_SEED", 1), number("SOULFRA_ROUNDS", 300));
    println!("SOULFRA_SEED={seed} SOULFRA_ROUNDS={rounds}");
    let rig = Rig::new(db).await;
    let (mut done, mut unknown, mut wrong) = (0, 0, Vec::new());
    for number in 0..rounds {
        let history = lived(&rig, seed.wrapping_mul(1_000_003).wrapping_add(number)).await;
        done += history.len();
        unknown += history.unknown();
        for name in 0..NAMES {
            if !history.is_of_one_after_the_other(name) {
                wrong.push(format!("history {number}\n{}", history.of_one(name)));
            }
        }
    }
    println!(
        "counted: {rounds} histories of {done} operations, {unknown} of them cut off or not answered, {} \
         that cannot be",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
