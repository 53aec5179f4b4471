//! A pool keeps up with a file that is changed under it.
#![expect(clippy::unwrap_used, reason = "this is a test")]

mod common;

use std::path::Path;
use std::time::Duration;

use common::{Stage, run};
use database::follow::{FollowError, Followed};
use secrecy::ExposeSecret as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

/// The login that only reads has no more.
const MOST: u32 = 2;
const OFTEN: Duration = Duration::from_millis(10);

/// As Kubernetes does it: the new file takes the place of the old one at once.
fn put(file: &Path, text: &str) {
    let beside = file.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(beside, file).unwrap();
}

async fn who(followed: &Followed) -> String {
    sqlx::query_scalar("SELECT current_user::text").fetch_one(followed.pool()).await.unwrap()
}

#[sqlx::test(migrations = false)]
async fn a_pool_logs_in_as_its_file_says_and_leaves_older_connections_behind(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let mut stage = Stage::new(options, "follow");
    let name = stage.name("follow");
    let made = stage.provision(&name).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app-url");
    put(&file, made.app.expose_secret());
    let followed = Followed::open(&file, MOST, OFTEN).await.unwrap();
    assert!(who(&followed).await.ends_with("_app"));
    // One that is in use goes on; what it does then comes to its end.
    let mut busy = followed.pool().begin().await.unwrap();

    put(&file, "not a URL");
    put(&file, &format!("{}\n", made.read.expose_secret()));
    while !who(&followed).await.ends_with("_read") {}
    let still: String =
        sqlx::query_scalar("SELECT current_user::text").fetch_one(&mut *busy).await.unwrap();
    assert!(still.ends_with("_app"));
    busy.commit().await.unwrap();
    for _ in 0..8 {
        assert!(who(&followed).await.ends_with("_read"), "and none goes back");
    }

    // What cannot be used changes nothing.
    put(&file, "not a URL");
    assert!(who(&followed).await.ends_with("_read"));
    let pool = followed.pool().clone();
    drop(followed);
    pool.close().await;
    run(&mut stage.admin.connect().await.unwrap(), "SELECT 1").await;
    stage.clear().await;
}

#[tokio::test]
async fn a_file_that_is_missing_or_something_else_is_named_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app-url");
    let missing = Followed::open(&file, MOST, OFTEN).await.unwrap_err();
    assert!(matches!(missing, FollowError::File { .. }), "{missing}");
    put(&file, "hunter2");
    let wrong = Followed::open(&file, MOST, OFTEN).await.unwrap_err();
    assert!(matches!(wrong, FollowError::Content { .. }), "{wrong}");
    assert!(!wrong.to_string().contains("hunter2"), "{wrong}");
}
