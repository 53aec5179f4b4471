//! Only the newest of several processes works on a server.
#![expect(clippy::unwrap_used, reason = "this is a test")]

use database::Admin;
use database::fence::Fence;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use uuid::Uuid;

/// A server is shared by all tests, so each has a fence of its own.
fn name() -> String {
    format!("test_{}", &Uuid::new_v4().simple().to_string()[..12])
}

fn of_epoch(options: &PgConnectOptions, name: &str, epoch: i32) -> Admin {
    Admin::new(options.clone()).behind(Fence::new(name, epoch).unwrap())
}

async fn forget(options: &PgConnectOptions, name: &str) {
    let mut conn = PgConnection::connect_with(options).await.unwrap();
    let sql = sqlx::AssertSqlSafe(format!("DROP ROLE soulfra_fence_{name}"));
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
}

#[sqlx::test(migrations = false)]
async fn who_takes_charge_ends_older_ones_and_keeps_them_out(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let name = name();
    let (old, new) = (of_epoch(&options, &name, 1), of_epoch(&options, &name, 2));
    old.take_charge().await.unwrap();
    let mut under_way = old.connect().await.unwrap();
    let mut elsewhere = old.connect_to("postgres").await.unwrap();
    new.take_charge().await.unwrap();
    for conn in [&mut under_way, &mut elsewhere] {
        assert!(conn.ping().await.is_err(), "what was under way is ended");
    }
    assert!(old.connect().await.unwrap_err().fenced().is_some());
    assert!(old.connect_to("postgres").await.unwrap_err().fenced().is_some(), "in every database");
    assert!(old.take_charge().await.unwrap_err().fenced().is_some(), "and it stays so");
    new.connect().await.unwrap().ping().await.unwrap();
    of_epoch(&options, &name, 3).take_charge().await.unwrap();
    assert!(new.connect().await.unwrap_err().fenced().is_some());
    forget(&options, &name).await;
}

#[sqlx::test(migrations = false)]
async fn others_are_not_concerned(_: PgPoolOptions, options: PgConnectOptions) {
    let (ours, theirs) = (name(), name());
    let mut plain = Admin::new(options.clone()).connect().await.unwrap();
    let other = of_epoch(&options, &theirs, 1);
    other.take_charge().await.unwrap();
    let mut foreign = other.connect().await.unwrap();
    of_epoch(&options, &ours, 7).take_charge().await.unwrap();
    plain.ping().await.unwrap();
    foreign.ping().await.unwrap();
    for name in [ours, theirs] {
        forget(&options, &name).await;
    }
}

#[sqlx::test(migrations = false)]
async fn of_many_that_take_charge_at_once_the_newest_is_in_charge(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let name = name();
    let all = (1..=8).map(|epoch| {
        let admin = of_epoch(&options, &name, epoch);
        async move { drop(admin.take_charge().await) }
    });
    futures::future::join_all(all).await;
    assert!(of_epoch(&options, &name, 7).connect().await.unwrap_err().fenced().is_some());
    of_epoch(&options, &name, 8).connect().await.unwrap().ping().await.unwrap();
    forget(&options, &name).await;
}

#[sqlx::test(migrations = false)]
async fn whoever_calls_themselves_like_an_operator_keeps_nobody_from_taking_charge(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let name = name();
    let tenant = format!("t_{name}");
    let mut admin = options.connect().await.unwrap();
    let make = format!("CREATE ROLE {tenant} LOGIN PASSWORD 'x'");
    sqlx::raw_sql(sqlx::AssertSqlSafe(make)).execute(&mut admin).await.unwrap();
    let mut strangers = Vec::new();
    for called in ["x", "0", "99999999999999999999", "-1", "1 or true"] {
        let as_tenant = options.clone().username(&tenant).password("x");
        let called = as_tenant.application_name(&format!("soulfra {name} {called}"));
        strangers.push(called.connect().await.unwrap());
    }
    of_epoch(&options, &name, 7).take_charge().await.unwrap();
    for stranger in &mut strangers {
        sqlx::query("SELECT 1").execute(stranger).await.expect("it is let alone");
    }
    drop(strangers);
    forget(&options, &name).await;
    let gone = format!("DROP ROLE {tenant}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(gone)).execute(&mut admin).await.unwrap();
}
