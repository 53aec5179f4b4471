//! Passwords of databases change while people use their platform.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use blueprint::PlatformBlueprint;
use blueprint::status::Passwords;
use database::follow::Followed;
use database::tenant::APP_POOL;
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::Api;
use operator::reconcile::ROTATE;
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::task::JoinSet;

use crate::House;
use crate::house::{SOON, admin};

const OFTEN: Duration = Duration::from_millis(20);

fn passwords(blueprint: &PlatformBlueprint) -> Option<Passwords> {
    blueprint.status.as_ref()?.database.as_ref()?.passwords.clone()
}

pub(crate) async fn app_url(client: &Client, name: &str) -> String {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &format!("tenant-{name}"));
    let secret = secrets.get("database-access").await.unwrap();
    String::from_utf8(secret.data.unwrap()["app-url"].0.clone()).unwrap()
}

fn role(url: &str) -> String {
    url.parse::<PgConnectOptions>().unwrap().get_username().to_owned()
}

/// Plays what mounts secrets: the file says what the Secret says, a little later.
async fn mount(client: Client, name: String, file: PathBuf) {
    loop {
        let beside = file.with_extension("new");
        std::fs::write(&beside, app_url(&client, &name).await).unwrap();
        std::fs::rename(&beside, &file).unwrap();
        tokio::time::sleep(OFTEN).await;
    }
}

async fn use_it(pool: PgPool, stop: Arc<AtomicBool>, counts: Arc<[AtomicU32; 2]>) {
    while !stop.load(Ordering::Relaxed) {
        let done = async {
            let mut tx = pool.begin().await?;
            sqlx::query("SELECT count(*) FROM tenant.conversation").fetch_one(&mut *tx).await?;
            tx.commit().await
        };
        let failed = done.await.inspect_err(|error| println!("failed: {error}")).is_err();
        counts[usize::from(failed)].fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn twenty_changes_of_passwords_under_load_fail_no_request() {
    let house = House::open(0).await;
    let name = house.name("a");
    house.apply(&name, |_| {}).await;
    house.until_known(&name, |it| it.resource.is_some()).await;
    house.settle(&name).await;
    let first = app_url(&house.client, &name).await;
    let begin = passwords(&house.blueprints().get(&name).await.unwrap()).unwrap().number;

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app-url");
    std::fs::write(&file, &first).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(mount(house.client.clone(), name.clone(), file.clone()));
    let followed = Followed::open(&file, APP_POOL, OFTEN).await.unwrap();
    let (stop, counts) = (Arc::new(AtomicBool::new(false)), Arc::<[AtomicU32; 2]>::default());
    let mut load = JoinSet::new();
    for _ in 0..APP_POOL {
        load.spawn(use_it(followed.pool().clone(), stop.clone(), counts.clone()));
    }

    let mut conn = admin().connect().await.unwrap();
    let mut old = first;
    for number in 1..=20_u32 {
        let wish = format!("wish {number}");
        house.apply(&name, |it| it["metadata"]["annotations"] = json!({ROTATE: wish})).await;
        let is_heard = |it: &operator::seen::Tenant| {
            let notes = it.resource.as_ref().and_then(|it| it.metadata().annotations.as_ref());
            notes.and_then(|notes| notes.get(ROTATE)) == Some(&wish)
        };
        house.until_known(&name, is_heard).await;
        house.settle(&name).await;
        let known = passwords(&house.blueprints().get(&name).await.unwrap()).unwrap();
        assert_eq!((known.number, known.old_are_good), (begin + number, true));
        let new = app_url(&house.client, &name).await;
        assert_ne!(role(&new), role(&old));
        let moves = async {
            let count = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1";
            while sqlx::query_scalar::<_, i64>(count)
                .bind(role(&old))
                .fetch_one(&mut conn)
                .await
                .unwrap()
                > 0
            {
                tokio::time::sleep(OFTEN).await;
            }
        };
        tokio::time::timeout(SOON, moves).await.expect("nobody stays with the old login");
        // Not before its time.
        PgConnection::connect(&old).await.unwrap().close().await.unwrap();
        house.clock.advance(SignedDuration::from_mins(61));
        house.settle(&name).await;
        let known = passwords(&house.blueprints().get(&name).await.unwrap()).unwrap();
        assert_eq!((known.number, known.old_are_good), (begin + number, false));
        assert!(PgConnection::connect(&old).await.is_err(), "the old one is good no more");
        assert_eq!(house.turn(&name).await, 0);
        old = new;
    }
    // And once more by itself, after a month.
    house.clock.advance(SignedDuration::from_hours(24 * 30));
    house.driver.memory.forget_all();
    house.settle(&name).await;
    assert_eq!(
        passwords(&house.blueprints().get(&name).await.unwrap()).unwrap().number,
        begin + 21
    );

    stop.store(true, Ordering::Relaxed);
    load.join_all().await;
    let [good, failed] = [0, 1].map(|which: usize| counts[which].load(Ordering::Relaxed));
    println!("20 changes, {good} requests, {failed} failed");
    assert!(good > 100 && failed == 0, "of {good}, {failed} failed");
    followed.pool().close().await;
}
