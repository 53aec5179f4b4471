//! Many guess passwords from many addresses: few of their guesses are looked at, and who knows the password
//! is let in meanwhile.
#![expect(clippy::unwrap_used, reason = "the helpers here are no tests, but only tests call them")]

#[path = "../api/conformance.rs"]
mod conformance;
#[path = "../../benches/guesses/guessing.rs"]
mod guessing;
#[path = "../api/played.rs"]
#[allow(dead_code, reason = "the tests of the API use all of it")]
mod played;

use std::time::{Duration, Instant};

use accounts::passwords::Cost;
use futures::future::join;
use guessing::{Attack, Console, allowed};
use sqlx::PgPool;

/// Guesses in all.
const GUESSES: u32 = 2_000;
/// From where, and at whom.
const ATTACK: Attack = Attack { addresses: 50, accounts: 40 };
/// Who sign in meanwhile, once each; nobody guesses at them.
const OTHERS: u32 = 20;

#[sqlx::test(migrations = false)]
async fn of_two_thousand_guesses_no_more_are_looked_at_than_may_be(db: PgPool) {
    let console = Console::open(db, Cost::CHEAP, ATTACK.accounts + OTHERS).await;
    let begun = Instant::now();
    let others = async {
        for number in 0..OTHERS {
            console.signs_in(ATTACK.accounts + number).await.unwrap();
        }
    };
    let guesses = console.guess(ATTACK, (0, GUESSES), Duration::ZERO);
    let (guessed, ()) = join(guesses, others).await;
    let limit = allowed(ATTACK, begun.elapsed());
    println!("{guessed:?}, {limit} may be looked at");
    let looked_at = f64::from(u32::try_from(guessed.looked_at).unwrap());
    assert!(looked_at <= limit, "{guessed:?}, {limit} may be looked at");
    // Nor are they refused what they may.
    assert!(looked_at >= f64::from(ATTACK.accounts) * 5.0, "{guessed:?}");
}

#[test]
fn as_many_may_be_looked_at_as_the_waits_allow() {
    let of = |addresses, accounts, seconds| {
        allowed(Attack { addresses, accounts }, Duration::from_secs(seconds)).to_string()
    };
    assert_eq!([0, 1, 3, 7].map(|seconds| of(1_000, 1, seconds)), ["5", "6", "7", "8"]);
    assert_eq!([0, 7].map(|seconds| of(1, 1_000, seconds)), ["20", "23"]);
}
