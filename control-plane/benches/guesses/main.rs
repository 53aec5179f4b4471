//! What guesses at passwords come to, and what they cost those who sign in: `cargo bench -p control-plane
//! --bench guesses -- [GUESSES]`, with the empty database of `DATABASE_URL`. Blocks with and without the guesses by
//! turns. Each line: what, how much, unit, N, spread.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "this is a bench")]

mod guessing;
#[path = "../../tests/api/played.rs"]
#[allow(dead_code, reason = "the tests of the API use all of it")]
mod played;

use std::cell::Cell;
use std::time::{Duration, Instant};

use accounts::passwords::Cost;
use guessing::{Attack, Console, Guessed, allowed, elsewhere};
use sqlx::PgPool;

/// From so many addresses, at so many accounts.
const ATTACK: Attack = Attack { addresses: 1_000, accounts: 200 };
/// Guesses in a second.
const RATE: u32 = 600;
/// Blocks of each kind.
const BLOCKS: u32 = 10;
/// Who sign in meanwhile; nobody guesses at them.
const OTHERS: u32 = 20;
/// Between two of them.
const EVERY: Duration = Duration::from_millis(160);

/// Others who sign in.
#[derive(Default)]
struct Others {
    /// Those who were there before, and those who come from a new address each time.
    known: Came,
    strangers: Came,
    turns: u32,
    /// From where on new addresses are.
    first: u32,
}

/// What became of them.
#[derive(Default)]
struct Came {
    times: Vec<f64>,
    refused: usize,
}

#[expect(clippy::disallowed_methods, reason = "whoever measures says where they are")]
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let words = std::env::args().skip(1).find(|word| word != "--bench");
    let guesses: u32 = words.map_or(100_000, |word| word.parse().unwrap());
    let db = PgPool::connect(&std::env::var("DATABASE_URL").unwrap()).await.unwrap();
    // Those who sign in come after those who are guessed at.
    let console = Console::open(db, Cost::OWASP, ATTACK.accounts + OTHERS).await;
    let (mut calm, mut beside) =
        (Others::default(), Others { first: 1 << 16, ..Others::default() });
    let (mut all, mut first) = (Guessed::default(), None);
    let block = guesses / BLOCKS;
    for number in 0..BLOCKS {
        let begun = Instant::now();
        let since = *first.get_or_insert(begun);
        let guess = console.guess(ATTACK, (number * block, block), Duration::from_secs(1) / RATE);
        let became = beside.sign_in(&console, guess).await;
        all.looked_at += became.looked_at;
        all.put_off += became.put_off;
        all.busy += became.busy;
        let (took, since) = (begun.elapsed(), since.elapsed());
        let told = format!("{became:?} in {took:?}, allowed by now {}", allowed(ATTACK, since));
        row(&format!("block {number}: looked at"), many(became.looked_at), "guesses", block, &told);
        calm.sign_in(&console, tokio::time::sleep(took)).await;
    }
    let since = first.unwrap().elapsed();
    let limit = allowed(ATTACK, since);
    row(
        "guesses looked at",
        many(all.looked_at),
        "guesses",
        guesses,
        &format!("{all:?} in {since:?}"),
    );
    row("guesses that may be looked at", limit, "guesses", guesses, "");
    row("of those that may be, looked at", many(all.looked_at) / limit, "x", guesses, "");
    let kinds = [
        ("others sign in without guesses", &calm.known),
        ("others sign in beside guesses", &beside.known),
        ("from a new address without guesses", &calm.strangers),
        ("from a new address beside guesses", &beside.strangers),
    ];
    for (what, came) in kinds {
        let times = &came.times;
        for of_hundred in [50, 99] {
            let time = percentile(times, of_hundred);
            row(&format!("{what}, p{of_hundred}"), time, "ms", times.len(), &spread(times));
        }
        row(&format!("{what}: not let in"), many(came.refused), "", times.len(), "");
    }
    let ratio = percentile(&beside.known.times, 99) / percentile(&calm.known.times, 99);
    row("others beside guesses to without, p99", ratio, "x", beside.known.times.len(), "");
}

impl Others {
    /// They sign in, one after the other, until this is over.
    async fn sign_in<T>(&mut self, console: &Console, meanwhile: impl Future<Output = T>) -> T {
        let over = Cell::new(false);
        let all = async {
            let done = meanwhile.await;
            over.set(true);
            done
        };
        let mut turns = tokio::time::interval(EVERY);
        let sign_in = async {
            loop {
                turns.tick().await;
                if over.get() {
                    return;
                }
                let number = self.turns;
                self.turns += 1;
                let person = ATTACK.accounts + number % OTHERS;
                let (came, kind) = if number.is_multiple_of(2) {
                    (console.signs_in(person).await, &mut self.known)
                } else {
                    let from = elsewhere(self.first + number);
                    (console.signs_in_from(person, from).await, &mut self.strangers)
                };
                match came {
                    Ok(time) => kind.times.push(time),
                    Err(_) => kind.refused += 1,
                }
            }
        };
        futures::future::join(all, sign_in).await.0
    }
}

fn row(what: &str, value: f64, unit: &str, n: impl std::fmt::Display, spread: &str) {
    println!("{what}\t{value:.3}\t{unit}\t{n}\t{spread}");
}

fn many(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
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
    let (least, most) = (values[0], values[values.len() - 1]);
    format!("{least:.2} to {most:.2}, median {:.2}", values[values.len() / 2])
}
