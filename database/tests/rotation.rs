//! Passwords change under load, and nobody who follows the file is shut out.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "this is a test")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use common::{Stage, audit, database_of, login, run};
use database::follow::Followed;
use database::tenant::{self, APP_POOL, Error, Steps, TenantDatabase};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgConnection, PgPool};
use tokio::task::JoinSet;

const OFTEN: Duration = Duration::from_millis(10);
const SOON: Duration = Duration::from_mins(1);

fn put(file: &Path, url: &SecretString) {
    let beside = file.with_extension("new");
    std::fs::write(&beside, url.expose_secret()).unwrap();
    std::fs::rename(beside, file).unwrap();
}

fn role(url: &SecretString) -> String {
    let options: PgConnectOptions = url.expose_secret().parse().unwrap();
    options.get_username().to_owned()
}

/// 28000: no login; 28P01: another password.
async fn is_shut_out(url: &SecretString) -> bool {
    let refused = login(url).await.err();
    let code = refused.and_then(|it| Some(it.as_database_error()?.code()?.into_owned()));
    code.is_some_and(|code| ["28000", "28P01"].contains(&code.as_str()))
}

async fn connections(conn: &mut PgConnection, role: &str) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE usename = $1")
        .bind(role)
        .fetch_one(conn)
        .await
        .unwrap()
}

impl Stage {
    async fn numbered(
        &self,
        steps: &mut Steps,
        name: &blueprint::BlueprintName,
        number: u32,
    ) -> Result<TenantDatabase, Error> {
        let Self { admin, schema, key, .. } = self;
        tenant::provision_by(steps, admin, name, schema, key, number).await
    }
}

/// Reads and writes without end; whatever fails is counted.
fn load(pool: &PgPool, stop: &Arc<AtomicBool>) -> (JoinSet<()>, Arc<[AtomicU32; 2]>) {
    let (mut tasks, counts) = (JoinSet::new(), Arc::<[AtomicU32; 2]>::default());
    for _ in 0..APP_POOL {
        let (pool, stop, counts) = (pool.clone(), stop.clone(), counts.clone());
        tasks.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let done = async {
                    let mut tx = pool.begin().await?;
                    sqlx::query("INSERT INTO tenant.loose VALUES (1)").execute(&mut *tx).await?;
                    sqlx::query("SELECT count(*) FROM tenant.person").execute(&mut *tx).await?;
                    tx.commit().await
                };
                let failed = done.await.inspect_err(|error| println!("failed: {error}")).is_err();
                counts[usize::from(failed)].fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    (tasks, counts)
}

#[sqlx::test(migrations = false)]
async fn twenty_changes_under_load_fail_no_request_and_end_the_old_password(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let mut stage = Stage::new(options, "rotation");
    let name = stage.name("rotation");
    let mut made = stage.provision(&name).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app-url");
    put(&file, &made.app);
    let followed = Followed::open(&file, APP_POOL, OFTEN).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (tasks, counts) = load(followed.pool(), &stop);
    let mut conn = stage.admin.connect().await.unwrap();
    for number in 1..=20 {
        // Every second one is killed on the way, after one statement more each time.
        let kill = usize::try_from(number / 2 % 3).unwrap();
        if number % 2 == 0 {
            let stopped = stage.numbered(&mut Steps::stop_after(kill), &name, number).await;
            assert!(matches!(stopped, Err(Error::Stopped)) || kill > 1, "{number}");
        }
        let next = stage.numbered(&mut Steps::all(), &name, number).await.unwrap();
        assert_eq!(next.number, number);
        assert_ne!(role(&next.app), role(&made.app), "they take turns");
        drop((login(&made.app).await.unwrap(), login(&next.app).await.unwrap()));
        put(&file, &next.app);
        let moved = async {
            while connections(&mut conn, &role(&made.app)).await > 0 {
                tokio::time::sleep(OFTEN).await;
            }
        };
        tokio::time::timeout(SOON, moved).await.expect("nobody stays with the old login");
        if number % 2 == 0 {
            let steps = &mut Steps::stop_after(kill);
            let _ = tenant::close_old_by(steps, &stage.admin, &name, number).await;
        }
        tenant::close_old(&stage.admin, &name, number).await.unwrap();
        assert!(is_shut_out(&made.app).await && is_shut_out(&made.read).await, "{number}");
        made = next;
    }
    stop.store(true, Ordering::Relaxed);
    tasks.join_all().await;
    let [good, failed] = [0, 1].map(|which: usize| counts[which].load(Ordering::Relaxed));
    println!("20 changes, {good} requests, {failed} failed");
    assert!(good > 100 && failed == 0, "of {good}, {failed} failed");
    followed.pool().close().await;
    drop(followed);
    stage.clear().await;
}

#[sqlx::test(migrations = false)]
async fn a_change_that_is_killed_after_any_statement_is_finished(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let mut stage = Stage::new(options, "halfway");
    let name = stage.name("halfway");
    let (mut first, mut whole) = (stage.provision(&name).await, None);
    for after in 0.. {
        let steps = &mut Steps::stop_after(after);
        let died = match stage.numbered(steps, &name, 1).await {
            Ok(_) => match tenant::close_old_by(steps, &stage.admin, &name, 1).await {
                Ok(()) => false,
                Err(Error::Stopped) => true,
                Err(error) => panic!("after {after}: {error}"),
            },
            Err(Error::Stopped) => true,
            Err(error) => panic!("after {after}: {error}"),
        };
        // Whoever knows of no number finishes what was begun, and takes nothing back.
        let found = stage.provision(&name).await;
        assert!(found.number == 1 || after == 0, "died after {after}");
        stage.numbered(&mut Steps::all(), &name, 1).await.unwrap();
        tenant::close_old(&stage.admin, &name, 1).await.unwrap();
        assert!(is_shut_out(&first.app).await && is_shut_out(&first.read).await);
        let now = audit(&stage.admin, &name).await;
        assert_eq!(whole.get_or_insert_with(|| now.clone()), &now, "died after {after}");
        // A second run writes nothing.
        let steps = &mut Steps::all();
        stage.numbered(steps, &name, 1).await.unwrap();
        tenant::close_old_by(steps, &stage.admin, &name, 1).await.unwrap();
        assert_eq!(steps.written(), [""; 0]);
        if !died {
            assert!(after >= 4, "only {after} statements");
            break;
        }
        tenant::drop_tenant(&stage.admin, &name).await.unwrap();
        first = stage.provision(&name).await;
    }
    stage.clear().await;
}

#[sqlx::test(migrations = false)]
async fn the_second_login_may_what_the_first_may_and_the_end_takes_both(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let mut stage = Stage::new(options, "turns");
    let name = stage.name("turns");
    let before = stage.provision(&name).await;
    let made = stage.numbered(&mut Steps::all(), &name, 1).await.unwrap();
    let mut app = login(&made.app).await.unwrap();
    run(&mut app, "INSERT INTO tenant.person (name) VALUES ('Ada')").await;
    let timeout: String =
        sqlx::query_scalar("SHOW statement_timeout").fetch_one(&mut app).await.unwrap();
    assert_eq!(timeout, "30s");
    let mut read = login(&made.read).await.unwrap();
    run(&mut read, "SELECT * FROM tenant.person; SET default_transaction_read_only = off").await;
    let database = database_of(&name);
    for (of_app, sql) in [
        (true, format!("SET ROLE {database}_app")),
        (true, format!("SET ROLE {database}_owner")),
        (true, "CREATE TABLE tenant.mine ()".to_owned()),
        (false, "DELETE FROM tenant.person".to_owned()),
        (false, "SELECT * FROM accounts.session".to_owned()),
    ] {
        let conn = if of_app { &mut app } else { &mut read };
        let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.as_str())).execute(conn).await;
        let code = refused.unwrap_err().into_database_error().unwrap().code().unwrap().into_owned();
        assert_eq!(code, "42501", "{sql}");
    }
    // What somebody adds by hand goes again.
    let whole = audit(&stage.admin, &name).await;
    let mut conn = stage.admin.connect().await.unwrap();
    for drift in [
        format!("GRANT pg_read_all_data TO {database}_app_b"),
        format!("REVOKE {database}_app FROM {database}_app_b"),
        format!("ALTER ROLE {database}_app_b CONNECTION LIMIT 99"),
        format!("GRANT CONNECT ON DATABASE {database} TO {database}_read_b"),
    ] {
        run(&mut conn, &drift).await;
        stage.provision(&name).await;
        assert_eq!(audit(&stage.admin, &name).await, whole, "{drift}");
    }
    // Until it is closed, the first one is good too.
    drop(login(&before.app).await.unwrap());
    drop((app, read));
    stage.clear().await;
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_roles WHERE rolname LIKE $1")
        .bind(format!("{database}\\_%"))
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(left, 0);
}
