//! What was done is written down, and nothing of it can be changed unseen.

use blueprint::PlanName;
use control_plane::domain::audit::{Entry, verify};
use serde_json::json;
use sqlx::PgPool;

use crate::Rig;
use crate::rig::{Caller, written};

/// All lines, page by page.
async fn all(caller: &Caller<'_>) -> Vec<Entry> {
    let (mut entries, mut path) = (Vec::new(), "/v1/audit?limit=4".to_owned());
    loop {
        let page = caller.get(&path).await.body;
        entries.extend(serde_json::from_value::<Vec<Entry>>(page["items"].clone()).unwrap());
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/audit?limit=4&after={next}"),
            None => return entries,
        }
    }
}

#[sqlx::test(migrations = false)]
async fn what_was_done_is_there_line_by_line_and_each_change_of_one_is_found(db: PgPool) {
    let rig = Rig::new(db.clone()).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    rig.admit("other", PlanName::Starter).await;
    for name in ["harbour", "haven", "port"] {
        acme.send("POST", "/v1/platforms", &[], written(name, "X")).await;
    }
    let id = acme.get("/v1/platforms").await.body["items"][0]["id"].clone();
    acme.post(&format!("/v1/platforms/{}/suspend", id.as_str().unwrap()), &json!({})).await;
    let entries = all(&acme).await;
    let actions: Vec<_> = entries.iter().map(|entry| entry.action.as_str()).collect();
    let create = "platform.create";
    assert_eq!(actions, ["organization.admit", create, create, create, "platform.suspend"]);
    assert_eq!(verify(&entries), Ok(()));

    for change in [
        "update control.audit set actor = 'key_x' where number = 2",
        "update control.audit set detail = '{\"name\": \"quay\"}' where number = 3",
        "update control.audit set at = at + interval '1 microsecond' where number = 4",
        "delete from control.audit where number = 2",
    ] {
        let mut tx = db.begin().await.unwrap();
        sqlx::query(change).execute(&mut *tx).await.unwrap();
        let organization = entries[0].organization;
        let read = control_plane::db::audit::list(&mut tx, organization, 0, 100).await.unwrap();
        assert!(verify(&read).is_err(), "{change}");
    }
}

#[sqlx::test(migrations = false)]
async fn lines_of_requests_at_once_follow_one_another(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let made = (0..20).map(|n| {
        let acme = acme.clone();
        async move {
            let wanted = json!({"name": format!("key {n}"), "scopes": ["audit:read"]});
            assert_eq!(acme.post("/v1/keys", &wanted).await.status, 201);
        }
    });
    futures::future::join_all(made).await;
    let entries = all(&acme).await;
    assert_eq!((entries.len(), verify(&entries)), (21, Ok(())));
}
