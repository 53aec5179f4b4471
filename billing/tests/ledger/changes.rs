//! Two who change one subscription at once, on a database: what was quoted is billed once. Each row is locked as a
//! store does it, by its version.

use std::sync::Mutex;

use billing::amount::Amount;
use billing::ledger::{Account, Book, Entry, EventKey, Journal, Party, Posted, store};
use billing::rating::contract::Agreement;
use billing::rating::dated::Dated;
use billing::rating::prices::PriceList;
use billing::rating::subscription::{Accepted, Items, NoChange, Quote, Subscription, Wish};
use blueprint::PlanName;
use blueprint::money::Currency;
use futures::future::{join, join_all};
use jiff::{SignedDuration, Timestamp};
use sqlx::PgPool;

use crate::migrated;
use crate::told::beginning;

const PAIRS: i64 = 1_000;

/// A subscription that is kept: the database has its version, and its lock.
struct Kept {
    number: i64,
    had: Mutex<Subscription>,
}

impl Kept {
    fn read(&self) -> Subscription {
        self.had.lock().unwrap().clone()
    }

    /// Takes what was quoted, and bills it in the same transaction.
    async fn accept(
        &self,
        db: &PgPool,
        called: &str,
        quote: &Quote,
        now: Timestamp,
    ) -> Result<Accepted, NoChange> {
        let mut tx = db.begin().await.unwrap();
        let version =
            sqlx::query_scalar::<_, i64>("select version from kept where number = $1 for update");
        let version = version.bind(self.number).fetch_one(&mut *tx).await.unwrap();
        let mut had = self.read();
        assert_eq!(had.version(), u64::try_from(version).unwrap(), "read under its lock");
        let accepted = had.accept(called.parse().unwrap(), quote, now)?;
        if accepted == Accepted::New {
            let journal = billed(&format!("{}/{called}", self.number), quote, now);
            assert!(matches!(store::post(&mut tx, &journal, now).await, Ok(Posted::New(_))));
            let more = sqlx::query("update kept set version = version + 1 where number = $1");
            more.bind(self.number).execute(&mut *tx).await.unwrap();
            *self.had.lock().unwrap() = had;
        }
        tx.commit().await.unwrap();
        Ok(accepted)
    }
}

fn billed(name: &str, quote: &Quote, now: Timestamp) -> Journal {
    let amount = quote.line().unwrap().amount();
    let owes = Account::new(Party::Organization("acme".parse().unwrap()), Book::Receivable);
    let entries = vec![
        Entry::new(owes, amount),
        Entry::new(Account::new(Party::Factory, Book::Revenue), amount.negated().unwrap()),
    ];
    Journal::new(EventKey::new("control", "change", name), "changed", now, entries).unwrap()
}

#[sqlx::test(migrations = false)]
async fn a_thousand_pairs_of_changes_at_once_are_prorated_once_each(db: PgPool) {
    migrated(&db).await;
    sqlx::raw_sql("create table kept (number bigint primary key, version bigint not null)")
        .execute(&db)
        .await
        .unwrap();
    sqlx::query("insert into kept select number, 0 from generate_series(1, $1::bigint) as number")
        .bind(PAIRS)
        .execute(&db)
        .await
        .unwrap();
    let agreed = Agreement::new(Dated::new(PriceList::factory().unwrap())).unwrap();
    let starter = Items::of(PlanName::Starter);
    let (begun, _) = Subscription::begin(&agreed, starter, beginning()).unwrap();
    let pair = async |number: i64| {
        let kept = Kept { number, had: Mutex::new(begun.clone()) };
        let now = beginning() + SignedDuration::from_secs(number * 2_400);
        let quote = |plan| kept.read().quote(&agreed, &Wish::Have(Items::of(plan)), now).unwrap();
        // Both saw the same page; every second pair is one click that was sent twice.
        let is_one_click = number % 2 == 0;
        let business = quote(PlanName::Business);
        let (name, other) =
            if is_one_click { ("a", business.clone()) } else { ("b", quote(PlanName::Enterprise)) };
        let both = Box::pin(join(
            kept.accept(&db, "a", &business, now),
            kept.accept(&db, name, &other, now),
        ));
        let second = if is_one_click { Ok(Accepted::Again) } else { Err(NoChange::Stale) };
        let (first, line) = match both.await {
            (Ok(Accepted::New), told) => (told, business),
            (told, Ok(Accepted::New)) => (told, other),
            told => panic!("pair {number}: {told:?}"),
        };
        assert_eq!(first, second, "pair {number}");
        line.line().unwrap().amount()
    };
    let billed = join_all((1..=PAIRS).map(pair)).await;
    let billed = Amount::sum(Currency::USD, billed).unwrap();
    let mut conn = db.acquire().await.unwrap();
    let revenue = Account::new(Party::Factory, Book::Revenue);
    let is = store::balance(&mut conn, &revenue, Currency::USD).await.unwrap();
    assert_eq!(-is, i128::from(billed.micros()));
    let journals: i64 = sqlx::query_scalar("select count(*) from billing.journal")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert_eq!(journals, PAIRS);
    println!("counted: {PAIRS} pairs of changes at once, each billed once: {billed}");
}
