//! Seeded histories: told twice, told otherwise, by several at once, by two the same, cut off before they
//! committed, after it, and anywhere else; whoever seals is cut off too, and killed. The ledger in memory says
//! what should be there.

use std::collections::BTreeMap;
use std::env;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use billing::ledger::memory::{self, Ledger};
use billing::ledger::{Journal, Posted, seal, store};
use futures::future::{join, join_all};
use jiff::Timestamp;
use sqlx::PgPool;

use crate::migrated;
use crate::told::{Chance, beginning, journal};

/// Who tell at once.
const AT_ONCE: usize = 4;
/// Who tells waits for the database so often, at most.
const POLLS: usize = 40;

#[expect(
    clippy::disallowed_methods,
    reason = "a soak goes on for longer, from a seed that is told"
)]
pub(crate) fn from_environment(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().map_or(otherwise, |value| value.parse().unwrap())
}

/// What becomes of somebody who tells something.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Good,
    /// Gone before it committed, and told again.
    CutBefore,
    /// Gone before it heard that it was committed, and told again.
    CutAfter,
    /// Gone when it had waited so often, and told again.
    CutAt(usize),
    /// Two tell the same at once.
    ByTwo,
}

/// How often each became somebody's fate.
#[derive(Debug, Default)]
struct Faults {
    before: u64,
    after: u64,
    anywhere: u64,
    by_two: u64,
    seals_cut: u64,
    sealers_killed: u64,
}

impl Fate {
    fn by(chance: &mut Chance, faults: &mut Faults) -> Self {
        match chance.below(20) {
            0 => {
                faults.before += 1;
                Self::CutBefore
            }
            1 => {
                faults.after += 1;
                Self::CutAfter
            }
            2 => {
                faults.anywhere += 1;
                Self::CutAt(chance.below(POLLS))
            }
            3 => {
                faults.by_two += 1;
                Self::ByTwo
            }
            _ => Self::Good,
        }
    }
}

/// Goes on until it has waited so often; then it is gone.
async fn cut_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut left) = (pin!(future), polls);
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// Tells all of it in one transaction.
async fn tell(db: &PgPool, journals: &[Journal], now: Timestamp) -> sqlx::Result<Vec<Posted>> {
    let mut tx = db.begin().await?;
    let posted = store::post_all(&mut tx, journals, now).await?;
    tx.commit().await?;
    Ok(posted)
}

/// What those heard who heard something: one, or both of two.
async fn told(db: &PgPool, journals: &[Journal], fate: Fate, now: Timestamp) -> Vec<Vec<Posted>> {
    match fate {
        Fate::Good => {}
        Fate::CutBefore => {
            let mut tx = db.begin().await.unwrap();
            store::post_all(&mut tx, journals, now).await.unwrap();
            drop(tx);
        }
        Fate::CutAfter => drop(tell(db, journals, now).await.unwrap()),
        Fate::CutAt(polls) => drop(Box::pin(cut_after(polls, tell(db, journals, now))).await),
        Fate::ByTwo => {
            let both = Box::pin(join(tell(db, journals, now), tell(db, journals, now))).await;
            return vec![both.0.unwrap(), both.1.unwrap()];
        }
    }
    vec![tell(db, journals, now).await.unwrap()]
}

/// Whether what was heard is what the model says, told once, or told twice where the first time may have been
/// in vain.
fn is_what_should_be(
    model: &mut Ledger,
    journals: &[Journal],
    fate: Fate,
    heard: &[Vec<Posted>],
) -> bool {
    let mut post =
        || -> Vec<Posted> { journals.iter().map(|journal| model.post(journal.clone())).collect() };
    let (once, twice) = (post(), post());
    let is = |heard: &[Posted], expected: &[Posted]| {
        heard.len() == expected.len()
            && heard.iter().zip(expected).all(|(heard, expected)| word(*heard) == word(*expected))
    };
    match (fate, heard) {
        (Fate::Good | Fate::CutBefore, [heard]) => is(heard, &once),
        (Fate::CutAfter, [heard]) => is(heard, &twice),
        (Fate::CutAt(_), [heard]) => is(heard, &once) || is(heard, &twice),
        (Fate::ByTwo, [a, b]) => (is(a, &once) && is(b, &twice)) || (is(a, &twice) && is(b, &once)),
        _ => false,
    }
}

/// Numbers are the database's own.
const fn word(posted: Posted) -> &'static str {
    match posted {
        Posted::New(_) => "new",
        Posted::Again(_) => "again",
        Posted::Conflict(_) => "conflict",
    }
}

/// Seals, unless it is cut off or killed meanwhile.
async fn seals(db: &PgPool, chance: &mut Chance, faults: &mut Faults) {
    let seal = async || -> sqlx::Result<()> {
        let mut tx = db.begin().await?;
        seal::seal(&mut tx, beginning()).await?;
        tx.commit().await
    };
    match chance.below(4) {
        0 => {
            faults.seals_cut += 1;
            Box::pin(cut_after(chance.below(POLLS), seal())).await;
        }
        1 => {
            let (rounds, seal) = (chance.below(10), Box::pin(seal()));
            // Whether it was done before it was killed is its own affair.
            let (_, killed) = Box::pin(join(seal, kill_whoever_seals(db, rounds))).await;
            faults.sealers_killed += killed;
        }
        _ => seal().await.unwrap(),
    }
}

/// After so many round trips to the database, ends the connection of whoever seals; how many that were.
async fn kill_whoever_seals(db: &PgPool, rounds: usize) -> u64 {
    let mut conn = db.acquire().await.unwrap();
    for _ in 0..rounds {
        sqlx::query("select 1").execute(&mut *conn).await.unwrap();
    }
    let kill = sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'
           and query not like '%pg_terminate_backend%'
           and (query like '%billing.unsealed order by%' or query like '%delete from billing.unsealed%'
                or query like '%billing.batch%' or query like '%billing.sealed%'
                or query like '%pg_advisory_xact_lock%')",
    );
    kill.execute(&mut *conn).await.unwrap().rows_affected()
}

#[sqlx::test(migrations = false)]
async fn whatever_is_told_how_often_the_ledger_says_what_it_should(db: PgPool) {
    migrated(&db).await;
    let seed = from_environment("SOULFRA_SEED", 20_261_123);
    let operations = usize::try_from(from_environment("SOULFRA_ROUNDS", 20_000)).unwrap();
    let (mut chance, mut model, now) = (Chance::new(seed), Ledger::default(), beginning());
    let (mut done, mut faults) = (0, Faults::default());
    // Journals that are told together: more of them where it goes on for long.
    let together = (operations / 10_000).clamp(20, 100);
    while done < operations {
        // Each of those who tell at once tells of other events: who is first is then the same in both.
        let all: Vec<_> =
            (0..AT_ONCE * together).map(|_| journal(&mut chance, operations)).collect();
        let lane = |lane| all.iter().filter(move |told| number_of(told) % AT_ONCE == lane).cloned();
        let lanes: Vec<(Vec<Journal>, Fate)> = (0..AT_ONCE)
            .map(|number| (lane(number).collect(), Fate::by(&mut chance, &mut faults)))
            .collect();
        done += all.len();
        let telling = lanes.iter().map(|(journals, fate)| told(&db, journals, *fate, now));
        let heard = if chance.once_in(5) {
            Box::pin(join(join_all(telling), seals(&db, &mut chance, &mut faults))).await.0
        } else {
            join_all(telling).await
        };
        for ((journals, fate), heard) in lanes.iter().zip(heard) {
            let is = is_what_should_be(&mut model, journals, *fate, &heard);
            assert!(is, "seed {seed}, {fate:?}: {heard:?}");
        }
    }
    is_as(&db, &model, seed).await;
    let (journals, conflicts) = (model.journals().len(), model.conflicts().len());
    println!(
        "counted: {done} told to the ledger from seed {seed} ({journals} journals, {conflicts} conflicts; cut off \
         before {}, after {} and anywhere in {} commits, {} by two at once; {} seals cut off, {} sealers killed), 0 \
         millionths over",
        faults.before,
        faults.after,
        faults.anywhere,
        faults.by_two,
        faults.seals_cut,
        faults.sealers_killed,
    );
}

/// Of which event it is.
fn number_of(journal: &Journal) -> usize {
    journal.key().event.strip_prefix("evt_").unwrap().parse().unwrap()
}

/// The ledger says what the model says, however it is asked, and is whole.
async fn is_as(db: &PgPool, model: &Ledger, seed: u64) {
    let mut conn = db.acquire().await.unwrap();
    let kept = store::balances(&mut conn).await.unwrap();
    assert_eq!(&kept, model.balances(), "seed {seed}");
    assert_eq!(memory::fold(model.journals()), kept, "seed {seed}: played again");
    let mut sums = BTreeMap::new();
    for ((_, currency), micros) in &kept {
        *sums.entry(*currency).or_insert(0_i128) += micros;
    }
    assert!(sums.values().all(|sum| *sum == 0), "seed {seed}: {sums:?}");
    for ((account, currency), micros) in &kept {
        let one = store::balance(&mut conn, account, *currency).await.unwrap();
        assert_eq!(one, *micros, "seed {seed}: {account}");
    }
    let middle = beginning() + jiff::SignedDuration::from_mins(5_000);
    assert_eq!(
        store::before(&mut conn, middle).await.unwrap(),
        model.before(middle),
        "seed {seed}"
    );
    let mut conflicts = model.conflicts().to_vec();
    conflicts.sort();
    assert_eq!(store::conflicts(&mut conn).await.unwrap(), conflicts, "seed {seed}");
    drop(conn);
    loop {
        let mut tx = db.begin().await.unwrap();
        let sealed = seal::seal(&mut tx, beginning()).await.unwrap();
        tx.commit().await.unwrap();
        if sealed == 0 {
            break;
        }
    }
    let mut conn = db.acquire().await.unwrap();
    assert_eq!(seal::verify(&mut conn).await.unwrap(), [], "seed {seed}");
    assert_eq!(&store::balances(&mut conn).await.unwrap(), model.balances(), "seed {seed}");
}
