//! A hundred thousand events at once, three in ten of them told twice, in any order, and one in ten once more when
//! all were told; read by processes that are killed every second. What they mean happens once each.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use billing::ledger::{Account, Book, Party, store as ledger};
use billing::rail::limits::Limits;
use billing::rail::webhook::{Looker, intake};
use blueprint::money::Currency;
use sqlx::PgPool;
use tokio::io::AsyncReadExt as _;
use work::Clock;

use super::place::{Place, Room, pool};
use super::played::{Paid, Played, stripe, worth};
use super::webhooks::{Told, hand_in, signed};
use super::{Chance, tell, tell_count};

/// What a process is told that is to read.
pub(crate) const READER: &str = "read";
const ROUNDS: usize = 3;
const EVENTS: usize = 100_000;
/// What is told of each object.
const OF_EACH: usize = 3;
const READERS: usize = 2;
/// As if the rail had no limits: what is measured is ours.
const NO_LIMITS: Limits = Limits { all: 1_000_000, each: 1_000_000, ..Limits::STRIPE };
const BETWEEN_KILLS: Duration = Duration::from_secs(1);

/// What came of one.
#[derive(Default)]
struct Burst {
    stored: f64,
    nearly: f64,
    drained: f64,
    kills: i64,
    /// Effects that are missing, doubled or of another amount.
    wrong: i64,
}

pub(crate) async fn measure(place: &Place) {
    let mut bursts = Vec::new();
    for round in 0..ROUNDS {
        let room = place.empty("bench_burst").await;
        bursts.push(one(&room, round).await);
        room.db.close().await;
        place.remove("bench_burst").await;
    }
    let all = |of: fn(&Burst) -> f64| -> Vec<f64> { bursts.iter().map(of).collect() };
    let sum = |of: fn(&Burst) -> i64| -> i64 { bursts.iter().map(of).sum() };
    tell("a burst of 100,000 webhooks, until all are stored", "s", 1, all(|it| it.stored));
    tell("the same, until 95 of 100 objects are booked", "s", 1, all(|it| it.nearly));
    tell("the same, until nothing waits", "s", 1, all(|it| it.drained));
    tell_count("the same, readers killed", sum(|it| it.kills), ROUNDS);
    tell_count(
        "the same, effects missing, doubled or of another amount",
        sum(|it| it.wrong),
        ROUNDS,
    );
}

async fn one(room: &Room, round: usize) -> Burst {
    let told = told(round);
    let objects = EVENTS.div_ceil(OF_EACH);
    let (begun, mut burst) = (Instant::now(), Burst::default());
    let mut readers: Vec<_> = (0..READERS).map(|_| reader(&room.url)).collect();
    let (intake, storing) = intake(room.db.clone(), stripe(), Clock::System);
    let storing = tokio::spawn(storing);
    let telling = tokio::spawn(async move {
        let (first, again) = told;
        hand_in(intake.clone(), first).await;
        hand_in(intake, again).await;
        begun.elapsed().as_secs_f64()
    });
    let (mut next, mut killed, mut nearly) = (0, Instant::now(), None);
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let booked = room.count("select count(*) from billing.journal").await;
        let is_nearly_done = booked * 100 >= i64::try_from(objects * 95).unwrap();
        if is_nearly_done && nearly.is_none() {
            nearly = Some(begun.elapsed().as_secs_f64());
        }
        if !is_nearly_done && killed.elapsed() >= BETWEEN_KILLS {
            end(&mut readers[next]);
            readers[next] = reader(&room.url);
            (next, killed, burst.kills) = ((next + 1) % READERS, Instant::now(), burst.kills + 1);
        }
        let waiting = "select count(*) from billing.told where parked_at is null";
        if telling.is_finished() && room.count(waiting).await == 0 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_mins(15), "it is never through");
    }
    burst.drained = begun.elapsed().as_secs_f64();
    burst.nearly = nearly.unwrap_or(burst.drained);
    burst.stored = telling.await.unwrap();
    storing.await.unwrap();
    readers.iter_mut().for_each(end);
    burst.wrong = wrong(room, objects).await;
    burst
}

/// In any order; and those that come once more.
fn told(round: usize) -> (Vec<Told>, Vec<Told>) {
    let mut chance = Chance(u64::try_from(round).unwrap());
    let event = |number: usize| signed(&format!("evt_{number}"), number / OF_EACH);
    let mut told: Vec<_> = (0..EVENTS).map(event).collect();
    chance.shuffle(&mut told);
    let replayed = told[..EVENTS / 10].to_vec();
    let doubled = told[EVENTS / 2..EVENTS / 2 + EVENTS * 3 / 10].to_vec();
    told.extend(doubled);
    chance.shuffle(&mut told);
    (told, replayed)
}

/// How much is not as it should be.
async fn wrong(room: &Room, objects: usize) -> i64 {
    let count = |number: usize| i64::try_from(number).unwrap();
    let events = room.count("select count(*) from billing.webhook").await;
    let booked = room.count("select count(*) from billing.journal").await;
    let parked = room.count("select count(*) from billing.told").await;
    let conflicts = room.count("select count(*) from billing.conflict").await;
    let cash = Account::new(Party::Rail(stripe()), Book::Cash);
    let mut conn = room.db.acquire().await.unwrap();
    let is = ledger::balance(&mut conn, &cash, Currency::USD).await.unwrap();
    let minor: i64 = (0..count(objects)).map(worth).sum();
    let off = i128::from(is != i128::from(minor) * 10_000);
    (events - count(EVENTS)).abs()
        + (booked - count(objects)).abs()
        + parked
        + conflicts
        + i64::try_from(off).unwrap()
}

/// A process that reads.
fn reader(url: &str) -> Child {
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.arg(READER).env("DATABASE_URL", url).stdin(Stdio::piped()).stdout(Stdio::null());
    program.spawn().unwrap()
}

/// At once, as a machine ends that loses its power.
fn end(reader: &mut Child) {
    reader.kill().unwrap();
    reader.wait().unwrap();
}

/// What such a process does: it is gone when whoever started it is.
pub(crate) async fn read_until_nobody_listens(url: &str) {
    let (mut nothing, mut stdin) = (Vec::new(), tokio::io::stdin());
    tokio::select! {
        () = read(pool(url).await) => {}
        _ = stdin.read_to_end(&mut nothing) => {}
    }
}

async fn read(db: PgPool) {
    let looker = Looker {
        db,
        rail: Arc::new(Played::new(Vec::new())),
        books: Arc::new(Paid),
        limits: NO_LIMITS,
        clock: Clock::System,
    };
    loop {
        let turn = looker.turn().await.unwrap_or_default();
        if turn.done + turn.again + turn.parked == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
