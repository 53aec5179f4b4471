//! What a tenant's logins get at that is not theirs: nothing, whatever they try.
//!
//! On a server of the test's own, so that all there is on it is known: five tenants, the
//! databases that every server comes with, a template, and a fleet database of an installation.
#![expect(clippy::unwrap_used, reason = "the helpers here are no tests, but only tests call them")]

mod attempts;
mod audit;
#[path = "../common/mod.rs"]
mod common;

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use attempts::{OWN, READING, TAKEN, of_another};
use common::{Stage, database_of, login, run};
use database::embedded::{Durability, Installation, Options, Server};
use database::fence::Fence;
use database::tenant::TenantDatabase;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;

const HOST: &str = env!("CARGO_BIN_EXE_database-test-host");

/// What nobody but the installation has business with.
const FLEET: &str = "fleet";

struct Town {
    _home: TempDir,
    server: Server,
    stage: Stage,
    tenants: Vec<TenantDatabase>,
}

impl Town {
    async fn open() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let cache = std::env::temp_dir().join("soulfra-test-cache");
        let installation = Installation::fetch(&cache, |_| {}).await.unwrap();
        let options = Options {
            durability: Durability::ForTests,
            guard: Some(HOST.into()),
            ..Options::new(home.path().join("pg"))
        };
        let server = Server::start(&installation, options).await.unwrap();
        let fence = Fence::new("operator", 3).unwrap();
        server.admin().behind(fence).take_charge().await.unwrap();
        let mut conn = server.admin().connect().await.unwrap();
        run(&mut conn, &format!("CREATE DATABASE {FLEET}")).await;
        run(&mut conn, &format!("REVOKE ALL ON DATABASE {FLEET} FROM PUBLIC")).await;
        let mut stage = Stage::new(server.options(), "battery");
        let mut tenants = Vec::new();
        for word in ["north", "south", "east", "west", "north-app"] {
            let name = stage.name(word);
            tenants.push(stage.provision(&name).await);
            let mut inside = stage.inside(&name).await;
            run(&mut inside, "INSERT INTO tenant.person (name) VALUES ('the secret')").await;
        }
        Self { _home: home, server, stage, tenants }
    }

    /// Each login, with whose it is.
    fn logins(&self) -> impl Iterator<Item = (usize, &SecretString)> {
        self.tenants.iter().enumerate().flat_map(|(at, it)| [(at, &it.app), (at, &it.read)])
    }
}

impl Town {
    /// By the catalogs, nobody may what they should not.
    async fn assert_closed(&self) {
        let admin = self.server.admin();
        assert_eq!(audit::of_the_server(&admin).await, [""; 0]);
        for tenant in &self.tenants {
            let found = audit::inside(&admin, &tenant.database).await;
            assert_eq!(found, [""; 0], "{}", tenant.database);
        }
    }
}

fn has_code(error: &sqlx::Error, codes: &[&str]) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| codes.contains(&&*code))
}

/// Connects. Who has just been refused counts against the login's limit until it is quite gone,
/// which on a busy machine takes a while.
async fn knock(options: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match PgConnection::connect_with(options).await {
            Err(error) if has_code(&error, &["53300"]) && Instant::now() < until => {
                tokio::task::yield_now().await;
            }
            came => return came,
        }
    }
}

/// Tries a statement: `None` if it is refused for want of a right, else what came of it.
async fn leak(conn: &mut PgConnection, sql: &str) -> Option<String> {
    // 42501: no right; 3F000: not even a schema to make something in.
    match sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await {
        Ok(_) => Some(format!("{sql}: done")),
        Err(error) => {
            let refused = has_code(&error, &["42501", "3F000"]);
            (!refused).then(|| format!("{sql}: {error}"))
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_login_of_a_tenant_gets_at_what_is_not_its_own() {
    let town = Town::open().await;
    let everywhere = audit::databases(&town.server.admin()).await;
    assert!(everywhere.len() >= 5 + 5, "{everywhere:?}");
    // All of them are there, and say something that others would like to read.
    let mut present = Vec::new();
    for (at, url) in town.logins() {
        let mut conn = login(url).await.unwrap();
        run(&mut conn, &format!("BEGIN; SELECT 'private {at}'; SELECT pg_advisory_lock_shared(7)"))
            .await;
        present.push(conn);
    }
    let mighty = town.server.options().get_username().to_owned();
    let (mut tried, mut leaks) = (0, Vec::new());
    for (at, url) in town.logins() {
        let options: PgConnectOptions = url.expose_secret().parse().unwrap();
        let own = &town.tenants[at].database;
        for other in everywhere.iter().filter(|other| *other != own) {
            tried += 1;
            let there = options.clone().database(other);
            match knock(&there).await {
                // 42501: no right; 55000: it lets nobody in.
                Err(error) if has_code(&error, &["42501", "55000"]) => {}
                came => leaks.push(format!("{} at {other}: {came:?}", options.get_username())),
            }
        }
        let mut conn = knock(&options).await.unwrap();
        run(&mut conn, "SET default_transaction_read_only = off").await;
        let me = options.get_username();
        let mut statements: Vec<String> = OWN.iter().map(|sql| sql.replace("{db}", own)).collect();
        if me.ends_with("_read") {
            statements.extend(READING.map(str::to_owned));
        }
        for other in town.tenants.iter().map(|it| &it.database).filter(|other| *other != own) {
            statements.extend(of_another(other));
        }
        for sql in TAKEN {
            run(&mut conn, &sql.replace("{db}", own)).await;
        }
        for sql in statements {
            tried += 1;
            let sql = sql.replace("{me}", me).replace("{mighty}", &mighty);
            leaks.extend(leak(&mut conn, &sql).await.map(|found| format!("{me}: {found}")));
        }
        for sql in attempts::NOTHING_TO_SEE {
            tried += 1;
            let seen: i64 = sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap();
            if seen > 0 {
                leaks.push(format!("{} sees {seen} of: {sql}", options.get_username()));
            }
        }
    }
    println!("{tried} attempts of {} logins: {} successes", present.len(), leaks.len());
    assert!(tried > 1_000 && leaks.is_empty(), "of {tried}: {leaks:#?}");
    for mut conn in present {
        conn.ping().await.expect("nobody was ended by another");
    }
    town.assert_closed().await;
    town.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grants_say_so_too() {
    let town = Town::open().await;
    town.assert_closed().await;
    let admin = town.server.admin();
    // Seen at all: what somebody opens by hand is found.
    let mut conn = admin.connect().await.unwrap();
    run(&mut conn, &format!("GRANT CONNECT ON DATABASE {FLEET} TO PUBLIC")).await;
    run(&mut conn, "GRANT CONNECT ON DATABASE postgres TO PUBLIC").await;
    assert!(audit::of_the_server(&admin).await.len() > 10);
    assert_eq!(admin.close_to_tenants().await.unwrap(), [FLEET]);
    let left = audit::of_the_server(&admin).await;
    assert!(left.iter().all(|line| line.contains(FLEET)), "{left:?}");
    town.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_and_locks_do_not_reach_another_tenant() {
    let town = Town::open().await;
    let pool = |tenant: &TenantDatabase| {
        PgPoolOptions::new()
            .max_connections(1)
            .connect_lazy_with(tenant.app.expose_secret().parse::<PgConnectOptions>().unwrap())
    };
    let mut listeners = Vec::new();
    for tenant in &town.tenants {
        let mut listener = PgListener::connect_with(&pool(tenant)).await.unwrap();
        listener.listen("news").await.unwrap();
        listeners.push(listener);
    }
    let mut holding = Vec::new();
    for tenant in &town.tenants {
        let mut conn = login(&tenant.app).await.unwrap();
        run(&mut conn, &format!("NOTIFY news, '{}'", tenant.database)).await;
        let free: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock(42)")
            .fetch_one(&mut conn)
            .await
            .unwrap();
        assert!(free, "nobody else's lock stands in the way");
        holding.push(conn);
    }
    for (tenant, listener) in town.tenants.iter().zip(&mut listeners) {
        let heard = listener.recv().await.unwrap();
        assert_eq!(heard.payload(), tenant.database, "its own is the first it hears");
    }
    drop((listeners, holding));
    town.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_is_closed_to_others_before_anybody_can_enter() {
    let mut town = Town::open().await;
    let name = town.stage.name("new");
    let options: PgConnectOptions = town.tenants[0].app.expose_secret().parse().unwrap();
    let building = format!("{}_v2_building", town.stage.schema.name);
    let doors = [database_of(&name), building].map(|door| options.clone().database(&door));
    let knocking = tokio::spawn(async move {
        let mut refused = 0;
        loop {
            for door in &doors {
                match PgConnection::connect_with(door).await {
                    Ok(_) => panic!("in {:?} after {refused}", door.get_database()),
                    Err(_) => refused += 1,
                }
            }
            tokio::task::yield_now().await;
        }
    });
    town.stage.schema = common::schema("battery", 2);
    for _ in 0..3 {
        town.stage.provision(&name).await;
        database::tenant::drop_tenant(&town.stage.admin, &name).await.unwrap();
    }
    assert!(!knocking.is_finished(), "{:?}", knocking.await);
    knocking.abort();
    town.server.stop().await.unwrap();
}
