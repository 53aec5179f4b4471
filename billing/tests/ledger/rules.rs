//! What the database itself holds everybody to, and what is found where somebody got past it.

use billing::ledger::seal::{self, Broken};
use billing::ledger::{EventKey, Journal, Posted, store};
use futures::future::join_all;
use sqlx::{AssertSqlSafe, PgPool};

use crate::migrated;
use crate::told::{Chance, beginning, journal};

/// Takes these in a transaction of their own.
async fn taken(db: &PgPool, journals: &[Journal]) -> Vec<Posted> {
    let mut tx = db.begin().await.unwrap();
    let posted = store::post_all(&mut tx, journals, beginning()).await.unwrap();
    tx.commit().await.unwrap();
    posted
}

/// Takes so many journals, and seals them in batches of a third each.
async fn filled(db: &PgPool, count: usize) {
    migrated(db).await;
    let mut chance = Chance::new(7);
    for _ in 0..3 {
        let mut tx = db.begin().await.unwrap();
        let journals: Vec<_> = (0..count / 3).map(|_| journal(&mut chance, 1_000_000)).collect();
        store::post_all(&mut tx, &journals, beginning()).await.unwrap();
        seal::seal(&mut tx, beginning()).await.unwrap();
        tx.commit().await.unwrap();
    }
}

async fn why_not(db: &PgPool, wish: &str) -> String {
    let mut conn = db.acquire().await.unwrap();
    let refused = sqlx::raw_sql(AssertSqlSafe(wish.to_owned())).execute(&mut *conn).await;
    // Where it began something.
    sqlx::raw_sql("rollback").execute(&mut *conn).await.unwrap();
    refused.map_or_else(|error| error.to_string(), |_| panic!("it was done: {wish}"))
}

#[sqlx::test(migrations = false)]
async fn what_is_in_the_ledger_stays_as_it_is(db: PgPool) {
    filled(&db, 30).await;
    for table in ["journal", "entry", "conflict", "batch", "sealed"] {
        for wish in ["delete from billing.{}", "truncate billing.{} cascade"] {
            let why = why_not(&db, &wish.replace("{}", table)).await;
            assert!(why.contains("stays as it is"), "{table}: {why}");
        }
    }
    let changes = [
        "update billing.journal set what = 'another'",
        "update billing.entry set micros = micros + 1",
        "update billing.batch set journals = 1",
        "update billing.sealed set place = place + 1",
    ];
    for wish in changes {
        assert!(why_not(&db, wish).await.contains("stays as it is"), "{wish}");
    }
}

#[sqlx::test(migrations = false)]
async fn what_does_not_balance_is_not_taken_whoever_writes_it(db: PgPool) {
    filled(&db, 30).await;
    let journal =
        "insert into billing.journal (tenant, source, event, what, at, content, booked_at)
                   values ('acme', 'by hand', 'one', 'sale', now(), sha256('x'), now())";
    let entry = |line: u8, micros: i64, currency: &str| {
        format!(
            "insert into billing.entry
             values ((select max(number) from billing.journal), {line}, 'factory/revenue', '{currency}', {micros})"
        )
    };
    let tries = [
        (vec![], "moves nothing"),
        (vec![entry(0, 5, "USD")], "is not balanced"),
        (vec![entry(0, 5, "USD"), entry(1, -4, "USD")], "is not balanced"),
        (vec![entry(0, 5, "USD"), entry(1, -5, "JPY")], "is not balanced"),
        (vec![entry(0, 0, "USD")], "entry_micros_check"),
    ];
    for (entries, expected) in tries {
        let wish = format!("begin; {journal}; {}; commit", entries.join(";"));
        let why = why_not(&db, &wish).await;
        assert!(why.contains(expected), "{why}");
    }
    // Not even where rules that wait for the end are asked for before.
    let all = |entries: &[(u8, i64)]| {
        let rows = entries.iter().map(|(line, micros)| {
            format!("((select max(number) from billing.journal), {line}, 'factory/revenue', 'USD', {micros})")
        });
        format!("insert into billing.entry values {}", rows.collect::<Vec<_>>().join(","))
    };
    let early = format!(
        "begin; {journal}; {}; set constraints all immediate; {}; commit",
        all(&[(0, 5), (1, -5)]),
        all(&[(2, 7)])
    );
    let why = why_not(&db, &early).await;
    assert!(why.contains("is not balanced"), "{why}");
    let of_another = format!(
        "begin; {}; {}; commit",
        journal.replace("booked_at)", "booked_at, xid)").replace("now())", "now(), '3')"),
        all(&[(0, 5), (1, -5)])
    );
    sqlx::raw_sql(AssertSqlSafe(of_another)).execute(&db).await.unwrap();
    let why = why_not(&db, &all(&[(100, 5), (101, -5)])).await;
    assert!(why.contains("added to a journal later"), "{why}");
}

#[sqlx::test(migrations = false)]
async fn the_chain_has_no_gaps_and_what_waits_for_it_waits(db: PgPool) {
    filled(&db, 30).await;
    let batch = "insert into billing.batch values (9, sha256('x'), sha256('y'), 1, now())";
    assert!(why_not(&db, batch).await.contains("does not follow the last one"));
    taken(&db, &[journal(&mut Chance::new(99), 1_000_000)]).await;
    let hidden = why_not(&db, "delete from billing.unsealed").await;
    assert!(hidden.contains("is not sealed yet"), "{hidden}");
    let hidden = why_not(&db, "truncate billing.unsealed").await;
    assert!(hidden.contains("stays as it is"), "{hidden}");
}

#[sqlx::test(migrations = false)]
async fn what_several_tell_at_once_is_taken_once(db: PgPool) {
    migrated(&db).await;
    let told = journal(&mut Chance::new(3), 1);
    let tell = async || {
        let mut tx = db.begin().await.unwrap();
        let posted = store::post(&mut tx, &told, beginning()).await.unwrap();
        tx.commit().await.unwrap();
        posted
    };
    let posted = join_all((0..8).map(|_| tell())).await;
    let new = posted.iter().filter(|posted| matches!(posted, Posted::New(_))).count();
    let again = posted.iter().filter(|posted| matches!(posted, Posted::Again(_))).count();
    assert_eq!((new, again), (1, 7), "{posted:?}");
}

#[sqlx::test(migrations = false)]
async fn the_same_event_with_other_content_is_kept_and_changes_nothing(db: PgPool) {
    migrated(&db).await;
    let first = journal(&mut Chance::new(3), 1);
    let key = EventKey::clone(first.key());
    let entries = first.entries().to_vec();
    let other = Journal::new(key, "otherwise", first.at(), entries).unwrap();
    let told = [first.clone(), other.clone(), first, other];
    let posted = taken(&db, &told).await;
    let Posted::New(number) = posted[0] else { panic!("{posted:?}") };
    let rest = [Posted::Conflict(number), Posted::Again(number), Posted::Conflict(number)];
    assert_eq!(posted[1..], rest);
    let again = taken(&db, &told).await;
    assert_eq!(again[0], Posted::Again(number));
    let mut conn = db.acquire().await.unwrap();
    assert_eq!(store::conflicts(&mut conn).await.unwrap().len(), 1, "told three times, kept once");
}

/// Does it as nobody can who has no rights over the server.
async fn behind_our_back(db: &PgPool, wish: &str) {
    let wish = format!("begin; set local session_replication_role = replica; {wish}; commit");
    sqlx::raw_sql(AssertSqlSafe(wish)).execute(db).await.unwrap();
}

#[sqlx::test(migrations = false)]
async fn what_is_changed_behind_our_back_is_found(db: PgPool) {
    filled(&db, 90).await;
    let mut conn = db.acquire().await.unwrap();
    assert_eq!(seal::verify(&mut conn).await.unwrap(), []);
    let head = seal::head(&mut conn).await.unwrap();
    assert_eq!(head.batch, 3);
    let of_two = "(select journal from billing.sealed where batch = 2 and place = 4)";
    let wishes = [
        format!("update billing.entry set micros = -micros where journal = {of_two}"),
        format!("update billing.entry set currency = 'EUR' where journal = {of_two}"),
        format!(
            "update billing.entry set account = 'factory/revenue' where journal = {of_two} and account <> 'factory/revenue'"
        ),
        format!("update billing.journal set what = 'gift' where number = {of_two}"),
        format!("update billing.journal set at = at + interval '1 day' where number = {of_two}"),
        format!("update billing.journal set event = 'evt_0815' where number = {of_two}"),
        format!("update billing.journal set content = sha256('x') where number = {of_two}"),
        format!("delete from billing.entry where journal = {of_two}"),
        format!("delete from billing.journal where number = {of_two}"),
        format!("delete from billing.sealed where journal = {of_two}"),
        "delete from billing.batch where number = 2".to_owned(),
        "update billing.batch set hash = sha256('x') where number = 2".to_owned(),
        "update billing.batch set before = sha256('x') where number = 2".to_owned(),
        "update billing.batch set journals = journals - 1 where number = 2".to_owned(),
        "update billing.sealed set place = 1000 where batch = 2 and place = 4".to_owned(),
        "update billing.balance set micros = micros + 1
         where (account, currency) = (select account, currency from billing.balance limit 1)"
            .to_owned(),
        "delete from billing.balance
         where (account, currency) = (select account, currency from billing.balance limit 1)"
            .to_owned(),
    ];
    for wish in wishes {
        let copy = "create table kept_{} as select * from billing.{}";
        for table in ["journal", "entry", "batch", "sealed", "balance"] {
            behind_our_back(&db, &copy.replace("{}", table)).await;
        }
        behind_our_back(&db, &wish).await;
        let found = seal::verify(&mut conn).await.unwrap();
        assert!(!found.is_empty(), "not found: {wish}");
        let put_back = "delete from billing.{}; insert into billing.{} overriding system value select * from kept_{}; drop table kept_{}";
        for table in ["journal", "entry", "batch", "sealed", "balance"] {
            behind_our_back(&db, &put_back.replace("{}", table)).await;
        }
        assert_eq!(seal::verify(&mut conn).await.unwrap(), [], "after {wish}");
    }
    // The end of the chain taken off with all that hangs on it: only who kept the head finds that.
    behind_our_back(
        &db,
        "delete from billing.entry where journal in (select journal from billing.sealed where batch = 3);
         delete from billing.journal where number in (select journal from billing.sealed where batch = 3);
         delete from billing.sealed where batch = 3; delete from billing.batch where number = 3;
         delete from billing.balance;
         insert into billing.balance
             select account, currency, sum(micros) from billing.entry group by account, currency",
    )
    .await;
    assert_eq!(seal::verify(&mut conn).await.unwrap(), []);
    assert_ne!(seal::head(&mut conn).await.unwrap(), head);
}

#[sqlx::test(migrations = false)]
async fn what_is_not_sealed_yet_is_looked_at_too(db: PgPool) {
    filled(&db, 30).await;
    let posted = taken(&db, &[journal(&mut Chance::new(99), 1_000_000)]).await;
    let Posted::New(number) = posted[0] else { panic!("{posted:?}") };
    let mut conn = db.acquire().await.unwrap();
    let wish = format!("update billing.entry set micros = -micros where journal = {number}");
    behind_our_back(&db, &wish).await;
    assert_eq!(seal::verify(&mut conn).await.unwrap(), [Broken::Journal(number)]);
    behind_our_back(&db, &wish).await;
    let wish = format!("delete from billing.unsealed where journal = {number}");
    behind_our_back(&db, &wish).await;
    assert_eq!(seal::verify(&mut conn).await.unwrap(), [Broken::Loose(number)]);
}
