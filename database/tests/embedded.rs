//! The embedded server, really fetched and really killed.
#![expect(clippy::unwrap_used, reason = "this is a test")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use database::embedded::{
    ClusterError, Durability, HomeError, Installation, Options, Phase, Server, StartError, State,
};
use database::tenant::{self, TenantSchema};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use work::sealed::RootKey;

const HOST: &str = env!("CARGO_BIN_EXE_database-test-host");

/// Outside the clone, whose folders an unprivileged user may not be able to enter.
fn cache() -> PathBuf {
    std::env::temp_dir().join("soulfra-test-cache")
}

async fn installation() -> Installation {
    Installation::fetch(&cache(), |_| {}).await.unwrap()
}

fn home() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o755)).unwrap();
    home
}

fn options(home: &TempDir) -> Options {
    Options {
        durability: Durability::ForTests,
        guard: Some(HOST.into()),
        ..Options::new(home.path().join("pg"))
    }
}

fn postmaster(home: &TempDir) -> Option<Pid> {
    let text = std::fs::read_to_string(home.path().join("pg/data/postmaster.pid")).ok()?;
    Pid::from_raw(text.lines().next()?.parse().ok()?)
}

/// Every process that works in the data folder.
fn alive(home: &TempDir) -> Vec<i32> {
    let data = home.path().join("pg/data");
    let processes = std::fs::read_dir("/proc").unwrap();
    processes
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .filter(|pid| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == data))
        .collect()
}

fn gone_within(home: &TempDir, patience: Duration) -> Duration {
    let asked = Instant::now();
    while !alive(home).is_empty() {
        assert!(asked.elapsed() < patience, "still alive: {:?}", alive(home));
        std::thread::sleep(Duration::from_millis(10));
    }
    asked.elapsed()
}

/// Another process that runs a server in `home` until it is killed.
fn host(home: &TempDir) -> Child {
    let mut child = Command::new(HOST)
        .arg(home.path().join("pg"))
        .arg(cache())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut said).unwrap();
    if said.trim() != "serving" {
        out.read_to_string(&mut said).unwrap();
        panic!("{said}");
    }
    child
}

async fn guardian_of(postmaster: Pid) -> Pid {
    let status = tokio::fs::read_to_string(format!("/proc/{}/status", postmaster.as_raw_nonzero()))
        .await
        .unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap();
    Pid::from_raw(parent.trim().parse().unwrap()).unwrap()
}

async fn select_one(server: &Server) -> i32 {
    let mut conn = server.admin().connect().await.unwrap();
    sqlx::query_scalar("SELECT 1").fetch_one(&mut conn).await.unwrap()
}

#[tokio::test]
async fn a_second_fetch_is_instant() {
    installation().await;
    let asked = Instant::now();
    let mut phases = Vec::new();
    let phases_seen = std::sync::Mutex::new(&mut phases);
    Installation::fetch(&cache(), |phase| phases_seen.lock().unwrap().push(phase)).await.unwrap();
    assert!(asked.elapsed() < Duration::from_millis(100));
    assert_eq!(phases, [Phase::Ready]);
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_is_named() {
    let refused = Installation::fetch(Path::new("/dev/null/cache"), |_| {}).await.unwrap_err();
    assert!(refused.to_string().contains("/dev/null/cache/postgres-17.6.0"), "{refused}");
}

#[tokio::test]
async fn it_starts_keeps_its_data_and_stops() {
    let home = home();
    let installation = installation().await;
    let server = Server::start(&installation, options(&home)).await.unwrap();
    let mut conn = server.admin().connect().await.unwrap();
    sqlx::raw_sql("CREATE TABLE kept AS SELECT 7 AS it").execute(&mut conn).await.unwrap();
    let (version, locale, checksums): (String, String, String) = sqlx::query_as(
        "SELECT current_setting('server_version'), datlocale, current_setting('data_checksums')
         FROM pg_database WHERE datname = 'postgres'",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    assert_eq!((version.as_str(), locale.as_str(), checksums.as_str()), ("17.6", "C.UTF-8", "on"));
    conn.close().await.unwrap();
    server.stop().await.unwrap();
    assert!(alive(&home).is_empty());
    assert!(postmaster(&home).is_none(), "a clean stop");

    let again = Instant::now();
    let server = Server::start(&installation, options(&home)).await.unwrap();
    assert!(again.elapsed() < Duration::from_secs(5));
    let mut conn = server.admin().connect().await.unwrap();
    let it: i32 = sqlx::query_scalar("SELECT it FROM kept").fetch_one(&mut conn).await.unwrap();
    assert_eq!(it, 7);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn nobody_else_gets_in() {
    let home = home();
    let server = Server::start(&installation().await, options(&home)).await.unwrap();
    let pid = postmaster(&home).unwrap();
    let status = format!("/proc/{}/status", pid.as_raw_nonzero());
    let status = std::fs::read_to_string(status).unwrap();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
    assert!(!uid.split_whitespace().any(|uid| uid == "0"), "Postgres runs as root");
    let groups = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap();
    if rustix::process::geteuid().is_root() {
        assert_eq!(groups.trim(), "", "our groups went along");
    }
    let pg = home.path().join("pg");
    let mode = |path: &Path| path.metadata().unwrap().mode() & 0o777;
    assert_eq!(mode(&pg.join("password")), 0o600);
    assert_eq!(mode(&pg.join("data")), 0o700);
    assert_eq!(mode(&pg.join("run")), 0o700);
    assert_eq!(mode(&pg.join("postgres.log")), 0o600);
    let wrong = server.options().password("wrong");
    let refused = PgConnection::connect_with(&wrong).await.unwrap_err();
    assert_eq!(refused.as_database_error().unwrap().code().unwrap(), "28P01");
    let tcp: String = sqlx::query_scalar("SHOW listen_addresses")
        .fetch_one(&mut server.admin().connect().await.unwrap())
        .await
        .unwrap();
    assert_eq!(tcp, "");
    let password = std::fs::read_to_string(pg.join("password")).unwrap();
    assert!(
        !format!("{server:?} {:?} {:?}", server.admin(), server.url()).contains(password.trim())
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_login_of_a_tenant_gets_into_no_database_of_the_server() {
    let home = home();
    let installation = installation().await;
    let mut server = Server::start(&installation, options(&home)).await.unwrap();
    let mut admin = server.admin().connect().await.unwrap();
    sqlx::raw_sql("CREATE ROLE t_acme_app LOGIN PASSWORD 'app'").execute(&mut admin).await.unwrap();
    // The second time as in a folder that an older program made.
    for _ in 0..2 {
        for database in ["postgres", "template1", "template0"] {
            let app = server.options().username("t_acme_app").password("app").database(database);
            let refused = PgConnection::connect_with(&app).await.unwrap_err();
            let code = refused.as_database_error().unwrap().code().unwrap().into_owned();
            assert!(["42501", "55000"].contains(&code.as_str()), "{database}: {refused}");
        }
        let mut admin = server.admin().connect().await.unwrap();
        sqlx::raw_sql("GRANT CONNECT, TEMPORARY ON DATABASE postgres, template1 TO PUBLIC")
            .execute(&mut admin)
            .await
            .unwrap();
        drop(admin);
        server.stop().await.unwrap();
        server = Server::start(&installation, options(&home)).await.unwrap();
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_server_in_the_same_folder_is_refused() {
    let home = home();
    let installation = installation().await;
    let server = Server::start(&installation, options(&home)).await.unwrap();
    let refused = Server::start(&installation, options(&home)).await.unwrap_err();
    assert!(matches!(refused, StartError::Home(HomeError::InUse { .. })), "{refused}");
    assert_eq!(select_one(&server).await, 1);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn killed_hosts_leave_no_postgres_and_the_next_one_serves() {
    let home = home();
    let installation = installation().await;
    for _ in 0..5 {
        let mut host = host(&home);
        assert!(!alive(&home).is_empty());
        host.kill().unwrap();
        host.wait().unwrap();
        let took = gone_within(&home, Duration::from_secs(10));
        assert!(took < Duration::from_secs(10));
    }
    // At once, without waiting for the old one to be gone.
    for _ in 0..5 {
        let mut host = host(&home);
        host.kill().unwrap();
        host.wait().unwrap();
        let server = Server::start(&installation, options(&home)).await.unwrap();
        assert_eq!(select_one(&server).await, 1);
        server.stop().await.unwrap();
    }
}

#[tokio::test]
async fn host_and_guardian_killed_together_leave_no_postgres() {
    let home = home();
    let mut host = host(&home);
    let guardian = guardian_of(postmaster(&home).unwrap()).await;
    host.kill().unwrap();
    kill_process(guardian, Signal::KILL).unwrap();
    host.wait().unwrap();
    gone_within(&home, Duration::from_secs(10));
}

#[tokio::test]
async fn a_host_killed_at_any_moment_of_its_first_start_leaves_nothing_half() {
    let home = home();
    let installation = installation().await;
    for moment in 0..12 {
        let mut host = Command::new(HOST)
            .arg(home.path().join("pg"))
            .arg(cache())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(moment * 90));
        host.kill().unwrap();
        host.wait().unwrap();
        let server = Server::start(&installation, options(&home)).await.unwrap();
        assert_eq!(select_one(&server).await, 1);
        server.stop().await.unwrap();
        assert!(alive(&home).is_empty());
        std::fs::remove_dir_all(home.path().join("pg")).unwrap();
    }
}

#[tokio::test]
async fn a_killed_guardian_takes_postgres_along_and_both_come_back() {
    let home = home();
    let server = Server::start(&installation().await, options(&home)).await.unwrap();
    let mut state = server.state();
    let before = postmaster(&home).unwrap();
    kill_process(guardian_of(before).await, Signal::KILL).unwrap();
    state.wait_for(|state| *state == State::Restarting).await.unwrap();
    state.wait_for(|state| *state == State::Serving).await.unwrap();
    assert_ne!(postmaster(&home), Some(before));
    assert_eq!(select_one(&server).await, 1);
    server.stop().await.unwrap();
    assert!(alive(&home).is_empty());
}

#[tokio::test]
async fn a_killed_postgres_comes_back_by_itself() {
    let home = home();
    let server = Server::start(&installation().await, options(&home)).await.unwrap();
    let mut state = server.state();
    let pool = sqlx::postgres::PgPoolOptions::new()
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(server.options())
        .await
        .unwrap();
    for _ in 0..5 {
        let killed = Instant::now();
        kill_process(postmaster(&home).unwrap(), Signal::KILL).unwrap();
        state.wait_for(|state| *state == State::Restarting).await.unwrap();
        state.wait_for(|state| *state == State::Serving).await.unwrap();
        // The connection that died is noticed and replaced.
        let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&pool).await.unwrap();
        assert_eq!(one, 1);
        assert!(killed.elapsed() < Duration::from_secs(5), "{:?}", killed.elapsed());
    }
    pool.close().await;
    server.stop().await.unwrap();
    assert_eq!(*state.borrow(), State::Stopped);
}

#[tokio::test]
async fn an_orphan_that_nobody_stops_is_stopped_by_the_next_start() {
    let home = home();
    let installation = installation().await;
    let server = Server::start(&installation, options(&home)).await.unwrap();
    server.stop().await.unwrap();
    // As if guardian and kernel had both failed: a Postgres of no parent of ours.
    let data = home.path().join("pg/data");
    let mut command = Command::new(installation.folder().join("bin/postgres"));
    command
        .arg("-D")
        .arg(&data)
        .args(["-c", "listen_addresses=", "-c"])
        .arg(format!("unix_socket_directories={}", home.path().join("pg/run").display()));
    let owner = data.metadata().unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::process::CommandExt::uid(&mut command, owner.uid());
        std::os::unix::process::CommandExt::gid(&mut command, owner.gid());
    }
    let mut orphan =
        command.current_dir("/").stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    while postmaster(&home).is_none() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let reaper = std::thread::spawn(move || orphan.wait().unwrap());
    let server = Server::start(&installation, options(&home)).await.unwrap();
    assert!(reaper.join().unwrap().success(), "it was asked, not killed");
    assert_eq!(select_one(&server).await, 1);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_stale_pid_file_of_another_process_is_no_obstacle() {
    let home = home();
    let installation = installation().await;
    Server::start(&installation, options(&home)).await.unwrap().stop().await.unwrap();
    let pid = home.path().join("pg/data/postmaster.pid");
    std::fs::write(&pid, format!("{}\n/nowhere\n", std::process::id())).unwrap();
    // Postgres itself refuses a file that names a living process of its own user, so the file is
    // only left where the process is somebody else's, as after a restart of the machine.
    if rustix::process::geteuid().is_root() {
        let server = Server::start(&installation, options(&home)).await.unwrap();
        assert_eq!(select_one(&server).await, 1);
        server.stop().await.unwrap();
    }
}

#[tokio::test]
async fn data_of_another_version_is_refused() {
    let home = home();
    let installation = installation().await;
    Server::start(&installation, options(&home)).await.unwrap().stop().await.unwrap();
    let version = home.path().join("pg/data/PG_VERSION");
    std::fs::write(&version, "16\n").unwrap();
    let refused = Server::start(&installation, options(&home)).await.unwrap_err();
    assert!(matches!(refused, StartError::Cluster(ClusterError::OtherVersion { .. })), "{refused}");
    assert!(refused.to_string().contains("16"));
    std::fs::remove_file(&version).unwrap();
    let refused = Server::start(&installation, options(&home)).await.unwrap_err();
    assert!(matches!(refused, StartError::Cluster(ClusterError::NoCluster { .. })), "{refused}");
    std::fs::write(&version, "17\n").unwrap();
    std::fs::remove_file(home.path().join("pg/password")).unwrap();
    let refused = Server::start(&installation, options(&home)).await.unwrap_err();
    assert!(matches!(refused, StartError::Home(HomeError::NoPassword { .. })), "{refused}");
    std::fs::write(home.path().join("pg/password"), "wrong\n").unwrap();
    let refused = Server::start(&installation, options(&home)).await.unwrap_err();
    assert!(matches!(refused, StartError::WrongPassword { .. }), "{refused}");
    assert!(alive(&home).is_empty());
}

#[tokio::test]
async fn a_crash_while_the_cluster_is_made_leaves_nothing_half() {
    let home = home();
    let half = home.path().join("pg/data.new-x");
    std::fs::create_dir_all(&half).unwrap();
    std::fs::write(half.join("PG_VERSION"), "17\n").unwrap();
    let server = Server::start(&installation().await, options(&home)).await.unwrap();
    assert_eq!(select_one(&server).await, 1);
    assert!(!half.exists());
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_folder_that_postgres_cannot_enter_is_named() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let closed = home();
    std::fs::set_permissions(closed.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let installation = installation().await;
    let options =
        Options { guard: Some(HOST.into()), ..Options::new(closed.path().join("inside/pg")) };
    let refused = Server::start(&installation, options).await.unwrap_err();
    let StartError::Home(HomeError::Barred { barrier, .. }) = &refused else { panic!("{refused}") };
    assert_eq!(barrier, closed.path());
    assert!(refused.to_string().contains("/var/lib/soulfra"));
}

#[tokio::test]
async fn tenants_log_in_with_their_derived_passwords() {
    let home = home();
    let server = Server::start(&installation().await, options(&home)).await.unwrap();
    let schema = TenantSchema { name: "tenant", version: 1, migrators: &[], readable: &[] };
    let key = RootKey::from_bytes([1; 32]);
    let name = "acme".parse().unwrap();
    let made = tenant::provision(&server.admin(), &name, &schema, &key).await.unwrap();
    let other = "other".parse().unwrap();
    tenant::provision(&server.admin(), &other, &schema, &key).await.unwrap();
    let pool = made.pool().unwrap();
    let who: String =
        sqlx::query_scalar("SELECT current_user::text").fetch_one(&pool).await.unwrap();
    assert_eq!(who, "t_acme_app");

    // Another root key gives other passwords, and the old ones end.
    let rotated = RootKey::from_bytes([2; 32]);
    let next = tenant::provision(&server.admin(), &name, &schema, &rotated).await.unwrap();
    pool.close().await;
    let refused = made.pool().unwrap().acquire().await.unwrap_err();
    assert_eq!(refused.as_database_error().unwrap().code().unwrap(), "28P01");
    next.pool().unwrap().acquire().await.unwrap();
    let log = std::fs::read_to_string(home.path().join("pg/postgres.log")).unwrap();
    assert!(!log.contains("SCRAM-SHA-256$"), "{log}");
    server.stop().await.unwrap();
}
