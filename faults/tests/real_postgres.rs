//! The proxy before a real Postgres, asked by the client that our crates use.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::net::SocketAddr;

use faults::postgres::{Fault, Proxy, Trip};
use faults::script;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};

/// The proxy, and how to reach the test's database through it.
async fn before(database: &PgConnectOptions) -> (Proxy, PgConnectOptions) {
    let address = format!("{}:{}", database.get_host(), database.get_port());
    let server: SocketAddr = address.parse().unwrap();
    let proxy = Proxy::before(server).await.unwrap();
    let through = database.clone().host("127.0.0.1").port(proxy.address().port());
    (proxy, through)
}

async fn insert(connection: &mut PgConnection, n: i32) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO notes VALUES ($1)").bind(n).execute(connection).await.map(drop)
}

async fn count(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM notes").fetch_one(pool).await.unwrap()
}

fn inserts(trip: &Trip) -> bool {
    trip.statement.starts_with("INSERT")
}

#[sqlx::test(migrations = false)]
async fn a_statement_is_cut_before_or_after_it_is_carried_out(
    _: PgPoolOptions,
    database: PgConnectOptions,
) {
    let direct = PgPool::connect_with(database.clone()).await.unwrap();
    sqlx::query("CREATE TABLE notes (n int)").execute(&direct).await.unwrap();
    let (proxy, through) = before(&database).await;
    for (fault, rows) in [(Fault::None, 2), (Fault::CutBefore, 3), (Fault::CutAfter, 5)] {
        let mut connection = through.connect().await.unwrap();
        // The second time, the statement has been prepared.
        insert(&mut connection, 1).await.unwrap();
        proxy.follow(script::at(0, inserts, fault));
        assert_eq!(insert(&mut connection, 2).await.is_ok(), fault == Fault::None);
        proxy.follow(script::nothing());
        assert_eq!(count(&direct).await, rows, "{fault:?}");
    }
    proxy.struck(2).await;
    // Six times carried out or cut, and three times prepared in a trip of its own.
    assert_eq!(proxy.trips().iter().filter(|trip| inserts(trip)).count(), 9);
}

#[sqlx::test(migrations = false)]
async fn a_commit_whose_answer_is_lost_is_a_commit(_: PgPoolOptions, database: PgConnectOptions) {
    let direct = PgPool::connect_with(database.clone()).await.unwrap();
    sqlx::query("CREATE TABLE notes (n int)").execute(&direct).await.unwrap();
    let (proxy, through) = before(&database).await;
    for (fault, rows) in [(Fault::CutBefore, 0), (Fault::CutAfter, 1)] {
        let mut connection = through.connect().await.unwrap();
        let mut transaction = connection.begin().await.unwrap();
        insert(&mut transaction, 1).await.unwrap();
        proxy.follow(script::at(0, |trip: &Trip| trip.statement == "COMMIT", fault));
        assert!(transaction.commit().await.is_err());
        proxy.follow(script::nothing());
        assert_eq!(count(&direct).await, rows, "{fault:?}");
    }
}
