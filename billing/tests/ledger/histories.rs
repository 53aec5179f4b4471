//! Seeded histories: told twice, told otherwise, by several at once, cut off before they committed or before
//! they heard of it. The ledger in memory says what should be there.

use std::env;

use billing::ledger::memory::{self, Ledger};
use billing::ledger::{Journal, Posted, seal, store};
use futures::future::try_join_all;
use jiff::Timestamp;
use sqlx::PgPool;

use crate::migrated;
use crate::told::{Chance, beginning, journal};

/// Journals that are told together.
const TOGETHER: usize = 20;
/// Who tell at once.
const AT_ONCE: usize = 4;

#[expect(
    clippy::disallowed_methods,
    reason = "a soak goes on for longer, from a seed that is told"
)]
pub(crate) fn from_environment(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().map_or(otherwise, |value| value.parse().unwrap())
}

/// What several tell at once, each in a transaction; some are cut off, and tell it again.
async fn told_at_once(
    db: &PgPool,
    told: Vec<(Vec<Journal>, bool)>,
    now: Timestamp,
) -> Vec<Vec<Posted>> {
    let tell = async |(journals, is_cut): (Vec<Journal>, bool)| -> sqlx::Result<Vec<Posted>> {
        if is_cut {
            let mut tx = db.begin().await?;
            store::post_all(&mut tx, &journals, now).await?;
            // Gone before it committed.
            drop(tx);
        }
        let mut tx = db.begin().await?;
        let posted = store::post_all(&mut tx, &journals, now).await?;
        tx.commit().await?;
        Ok(posted)
    };
    try_join_all(told.into_iter().map(tell)).await.unwrap()
}

#[sqlx::test(migrations = false)]
async fn whatever_is_told_how_often_the_ledger_says_what_it_should(db: PgPool) {
    migrated(&db).await;
    let seed = from_environment("SOULFRA_SEED", 20_261_123);
    let operations = usize::try_from(from_environment("SOULFRA_ROUNDS", 20_000)).unwrap();
    let (mut chance, mut model, now) = (Chance::new(seed), Ledger::default(), beginning());
    let mut done = 0;
    while done < operations {
        // Each of those who tell at once tells of other events: who is first is then the same in both.
        let mut told: Vec<(Vec<Journal>, bool)> = Vec::new();
        let all: Vec<_> =
            (0..AT_ONCE * TOGETHER).map(|_| journal(&mut chance, operations)).collect();
        for lane in 0..AT_ONCE {
            let of_lane = |journal: &&Journal| number_of(journal) % AT_ONCE == lane;
            let journals: Vec<_> = all.iter().filter(of_lane).cloned().collect();
            told.push((journals, chance.once_in(10)));
        }
        done += told.iter().map(|(journals, _)| journals.len()).sum::<usize>();
        let posted = told_at_once(&db, told.clone(), now).await;
        for ((journals, _), posted) in told.into_iter().zip(posted) {
            for (journal, posted) in journals.into_iter().zip(posted) {
                let as_in_memory = match model.post(journal) {
                    Posted::New(_) => matches!(posted, Posted::New(_)),
                    Posted::Again(_) => matches!(posted, Posted::Again(_)),
                    Posted::Conflict(_) => matches!(posted, Posted::Conflict(_)),
                };
                assert!(as_in_memory, "seed {seed}: {posted:?}");
            }
        }
        if chance.once_in(5) {
            let mut tx = db.begin().await.unwrap();
            seal::seal(&mut tx, now).await.unwrap();
            if chance.once_in(4) {
                // Cut off: nothing is sealed.
                drop(tx);
            } else {
                tx.commit().await.unwrap();
            }
        }
    }
    is_as(&db, &model, seed).await;
    let (journals, conflicts) = (model.journals().len(), model.conflicts().len());
    println!(
        "counted: {done} told to the ledger from seed {seed}: {journals} journals, {conflicts} conflicts, \
         0 millionths over"
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
    let mut sums = std::collections::BTreeMap::new();
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
