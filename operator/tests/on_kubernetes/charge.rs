//! Who is in charge: never two at once, and soon somebody else where one goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use operator::databases::{DatabaseError, Databases as _, Server, Tables};
use operator::lease::{Charge, Epoch};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use work::Clock;
use work::sealed::RootKey;

use crate::house;

/// An operator that does nothing but to be in charge.
struct Candidate {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Says who took over, and when.
type Took = (usize, Epoch, Instant);

struct Race {
    lease: String,
    in_charge: Arc<AtomicI32>,
    took: mpsc::UnboundedSender<Took>,
}

impl Race {
    fn new() -> (Self, mpsc::UnboundedReceiver<Took>) {
        let (took, heard) = mpsc::unbounded_channel();
        let lease = format!("lease-{}", Uuid::new_v4().simple());
        (Self { lease, in_charge: Arc::default(), took }, heard)
    }

    async fn enter(&self, number: usize, clock: Clock) -> Candidate {
        let client = house::client().await;
        let charge =
            Charge::new(client, "default", &self.lease, &format!("candidate-{number}"), clock);
        let stop = CancellationToken::new();
        let (told, took, in_charge) = (stop.clone(), self.took.clone(), self.in_charge.clone());
        let task = tokio::spawn(async move {
            let work = |epoch, stop: CancellationToken| {
                let (took, here) = (took.clone(), Here::enter(in_charge.clone()));
                async move {
                    took.send((number, epoch, Instant::now())).unwrap();
                    stop.cancelled().await;
                    drop(here);
                }
            };
            charge.lead(&told, work).await;
        });
        Candidate { stop, task }
    }
}

/// Somebody in charge; there is never another one.
struct Here(Arc<AtomicI32>);

impl Here {
    fn enter(count: Arc<AtomicI32>) -> Self {
        assert_eq!(count.fetch_add(1, Ordering::SeqCst), 0, "two are in charge");
        Self(count)
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn who_is_told_to_stop_hands_over_at_once() {
    let (race, mut took) = Race::new();
    let first = race.enter(1, Clock::System).await;
    let (number, epoch, _) = took.recv().await.unwrap();
    assert_eq!((number, epoch), (1, 1));
    let second = race.enter(2, Clock::System).await;
    let begun = Instant::now();
    first.stop.cancel();
    let (number, epoch, at) = took.recv().await.unwrap();
    assert_eq!((number, epoch), (2, 2));
    assert!(at - begun < Duration::from_secs(1), "{:?}", at - begun);
    first.task.await.unwrap();
    second.stop.cancel();
    second.task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn who_dies_is_followed_within_five_seconds_whatever_the_clocks_say() {
    let (race, mut took) = Race::new();
    let first = race.enter(1, Clock::System).await;
    took.recv().await.unwrap();
    let yesterday = Clock::System.now() - jiff::SignedDuration::from_hours(24);
    let second = race.enter(2, Clock::fixed(yesterday)).await;
    let begun = Instant::now();
    first.task.abort();
    let (number, epoch, at) = took.recv().await.unwrap();
    assert_eq!((number, epoch), (2, 2));
    let after = at - begun;
    assert!(after > Duration::from_secs(2) && after < Duration::from_secs(8), "{after:?}");
    second.stop.cancel();
    second.task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn of_many_at_once_one_is_in_charge() {
    let (race, mut took) = Race::new();
    let mut candidates = Vec::new();
    for number in 0..5 {
        candidates.push(Some(race.enter(number, Clock::System).await));
    }
    for turn in 1..=5 {
        let (number, epoch, _) = took.recv().await.unwrap();
        assert_eq!(epoch, turn);
        let candidate = candidates[number].take().unwrap();
        candidate.stop.cancel();
        candidate.task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn who_was_in_charge_before_does_nothing_on_a_database_server() {
    let word = Uuid::new_v4().simple().to_string()[..12].to_owned();
    let name = format!("fenced-{word}").parse().unwrap();
    let [old, new] = [house::databases(&word), house::databases(&word)];
    old.take_charge(1).await;
    let server = Server::Shared("db-1".to_owned());
    old.ensure(&server, &name, 0, Tables::UpToDate).await.unwrap();
    new.take_charge(2).await;
    let fenced = DatabaseError::Fenced { mine: 1, newest: 2 };
    assert_eq!(old.ensure(&server, &name, 0, Tables::UpToDate).await, Err(fenced.clone()));
    assert_eq!(old.purge("db-1", &name).await, Err(fenced));
    new.purge("db-1", &name).await.unwrap();
    let forget = sqlx::AssertSqlSafe(format!("DROP ROLE soulfra_fence_{word}"));
    sqlx::raw_sql(forget).execute(&mut house::admin().connect().await.unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn who_has_another_root_key_than_those_before_never_takes_over() {
    let lease = format!("lease-{}", Uuid::new_v4().simple());
    let lead = async |key: u8| {
        let client = house::client().await;
        let charge = Charge::new(client, "default", &lease, &key.to_string(), Clock::System)
            .with_key(RootKey::from_bytes([key; 32]).id());
        let stop = CancellationToken::new();
        // One that may waits for no longer than until the Lease is heard of.
        let led = tokio::time::timeout(
            Duration::from_secs(6),
            charge.lead(&stop, |_, _| async { stop.cancel() }),
        );
        led.await.is_ok()
    };
    assert!(lead(1).await);
    assert!(!lead(2).await);
    assert!(lead(1).await);
}
