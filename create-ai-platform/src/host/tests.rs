//! The host: what it takes in, and what it leaves behind.

use std::time::Duration;

use blueprint::templates::{self, Overrides};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tempfile::TempDir;
use web::token::{Caller, Credential};

use super::*;
use crate::cli::Places;

/// What the model server answers whom it knows, and whom it does not.
const NO_ENGINE_YET: u16 = 503;
const UNKNOWN: u16 = 401;

/// A host over a database, in a folder of its own.
pub(super) async fn host(admin: Admin) -> (TempDir, Host) {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| Some(place.path().join(name));
    let home = Home::find(&Places { home: at("home"), cache: at("cache") });
    home.prepare().unwrap();
    let usage = Usage::open(&home, &[], &Clock::System).await.unwrap();
    let (inference, credentials) = model_server(&usage).unwrap();
    let parts = Parts {
        home,
        printer: Printer::silent(),
        listener: listen(0).await.unwrap(),
        secure: None,
        admin,
        admin_url: String::new().into(),
        kept: Kept { external: true, server: None },
        inference,
        credentials,
        usage,
        models: vec![],
        ending: CancellationToken::new(),
    };
    let host = Host::start(parts, &TaskTracker::new()).await.unwrap();
    (place, host)
}

fn folder(place: &TempDir, name: &BlueprintName) -> Folder {
    let template = templates::get("creator").unwrap();
    let blueprint = templates::from_template(template, &Overrides::named(name.clone())).unwrap();
    let folder = Folder::at(&place.path().join(name.as_str())).unwrap();
    folder.create(template, &blueprint).unwrap();
    folder
}

#[tokio::test]
async fn a_host_that_ends_takes_no_platform_in() {
    let nowhere = "postgres://nobody@127.0.0.1:1/none".to_owned().into();
    let (place, host) = host(Admin::from_url(&nowhere).unwrap()).await;
    let folder = folder(&place, &"acme".parse().unwrap());
    host.clone().end().await;
    let refused = host.add(&folder).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Host, "{refused}");
    assert_eq!(records::names(&host.0.home).unwrap(), [""; 0]);
}

#[sqlx::test(migrations = false)]
async fn a_stopped_platform_leaves_nothing_in_the_host(
    _: PgPoolOptions,
    options: PgConnectOptions,
) -> sqlx::Result<()> {
    let (place, host) = host(Admin::new(options)).await;
    let names = ["gone", "stays"].map(|name| format!("{name}-{}", std::process::id()));
    let [gone, stays] = names.map(|name| name.parse::<BlueprintName>().unwrap());
    for name in [&gone, &stays] {
        host.add(&folder(&place, name)).await.unwrap();
    }
    let app = host.0.platforms.lock().await[gone.as_str()].app();
    sqlx::raw_sql("insert into accounts.attempt values ('address', 1, 1, '2020-01-01', now())")
        .execute(app.upgrade().unwrap().db())
        .await?;
    assert_eq!(asked(&host, &gone).await, NO_ENGINE_YET);

    // What is not over stays, and then it is over.
    for (left, over) in [(1, "set blocked_until = last_at"), (0, "set failures = 0")] {
        let app = app.upgrade().unwrap();
        tenant_runtime::tidy::tidy(&gone, &app).await;
        let attempts = sqlx::query_scalar::<_, i64>("select count(*) from accounts.attempt");
        assert_eq!(attempts.fetch_one(app.db()).await?, left);
        let over = sqlx::AssertSqlSafe(format!("update accounts.attempt {over}"));
        sqlx::raw_sql(over).execute(app.db()).await?;
    }

    assert!(host.stop_one(gone.as_str()).await);
    assert_eq!(asked(&host, &gone).await, UNKNOWN);
    assert_eq!(asked(&host, &stays).await, NO_ENGINE_YET);
    // The watcher may be looking just now.
    let forgotten = async {
        while app.upgrade().is_some() {
            tokio::task::yield_now().await;
        }
    };
    let forgotten = tokio::time::timeout(Duration::from_secs(10), forgotten).await;
    assert!(forgotten.is_ok(), "something still holds it");
    assert!(!host.0.ending.is_cancelled());
    assert!(host.stop_one(stays.as_str()).await);
    assert!(host.0.ending.is_cancelled());
    host.clone().end().await;
    for name in [&gone, &stays] {
        tenant::drop_tenant(&host.0.admin, name).await.unwrap();
    }
    Ok(())
}

/// How the model server answers a platform.
async fn asked(host: &Host, name: &BlueprintName) -> u16 {
    let Inner { keys, clock, client, model_base, .. } = &*host.0;
    let credential =
        Credential::new(hex::encode(*keys.seals().derive(&format!("model-server:{name}"))));
    let caller = Caller::new(name.to_string(), "ada", "guide");
    let token = web::token::sign(&credential, &caller, clock.now()).unwrap();
    let url = model_base.join("v1/models").unwrap();
    let request = client.get(url).bearer_auth(secrecy::ExposeSecret::expose_secret(&token)).send();
    request.await.unwrap().status().as_u16()
}
