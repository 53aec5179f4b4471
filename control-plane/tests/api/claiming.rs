//! Platforms that were made by other means: seen by whom they name, claimed, and handed back.

use blueprint::PlanName;
use control_plane::cluster::{Cluster as _, version};
use control_plane::{keeper, observer};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::Rig;
use crate::played::Silent;
use crate::rig::{Answer, Caller, written};

/// Somebody makes one in files of theirs, and names this organization.
fn by_kubectl(rig: &Rig, name: &str, organization: &str) {
    let text = format!("{}  organization: {organization}\n", written(name, "Port"));
    rig.cluster.by_kubectl(blueprint::read(&text).unwrap());
}

/// The platform of this name, as its organization's list has it.
async fn listed(caller: &Caller<'_>, name: &str) -> Value {
    let listed = caller.get(&format!("/v1/platforms?name={name}")).await;
    assert_eq!(listed.status, 200, "{listed:?}");
    listed.body["items"].get(0).cloned().unwrap_or_default()
}

fn place(listed: &Value) -> String {
    format!("/v1/platforms/{}", listed["id"].as_str().unwrap())
}

async fn claim(caller: &Caller<'_>, place: &str) -> Answer {
    let tag = caller.get(&format!("{place}/blueprint")).await.header("etag").to_owned();
    let headers = [("if-match", tag.as_str())];
    caller.send("POST", &format!("{place}/claim"), &headers, String::new()).await
}

#[sqlx::test(migrations = false)]
async fn what_kubectl_made_is_seen_by_whom_it_names_and_changed_once_it_is_claimed(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Business).await;
    let other = rig.admit("other", PlanName::Business).await;
    by_kubectl(&rig, "port", "acme");
    rig.cluster.by_kubectl(blueprint::read(&written("quay", "Nobody's")).unwrap());
    observer::round(&rig.app).await.unwrap();
    let found = listed(&acme, "port").await;
    assert_eq!((&found["managedBy"], &found["offered"]), (&json!("kubectl"), &json!(true)));
    assert_eq!(listed(&acme, "quay").await, Value::Null);
    assert_eq!(listed(&other, "port").await, Value::Null);
    let place = place(&found);
    assert_eq!(other.get(&place).await.code(), (404, "not-found"));
    // Nothing of it is the organization's yet: it is neither confirmed nor can it be touched.
    assert_eq!(keeper::round(&rig.app).await.unwrap(), 0);
    let tag = acme.get(&format!("{place}/blueprint")).await.header("etag").to_owned();
    let change = async |display: &str| {
        let (path, headers) = (format!("{place}/blueprint"), [("if-match", tag.as_str())]);
        acme.send("PUT", &path, &headers, written("port", display)).await
    };
    let refused = change("Port Two").await;
    assert_eq!(refused.code(), (409, "managed-elsewhere"));
    let why = refused.body["detail"].as_str().unwrap();
    assert!(why.contains(&format!("POST {place}/claim")), "{why}");
    assert!(why.contains("spec.identity.displayName: \"Port\" -> \"Port Two\""), "{why}");
    for step in ["suspend", "retry"] {
        let answer = acme.post(&format!("{place}/{step}"), &json!({})).await;
        assert_eq!(answer.code(), (409, "managed-elsewhere"), "{step}");
    }
    let deleted = acme.delete(&format!("{place}?name=port")).await;
    assert_eq!(deleted.code(), (409, "managed-elsewhere"));
    let back = acme.post(&format!("{place}/undelete"), &json!({})).await;
    assert_eq!(back.code(), (404, "not-found"));
    let again = acme.send("POST", "/v1/platforms", &[], written("port", "Port")).await;
    assert_eq!(again.code(), (409, "name-taken"));
    assert!(rig.cluster.of("port").unwrap().status.is_none());

    let unseen = acme.post(&format!("{place}/claim"), &json!({})).await;
    assert_eq!(unseen.code(), (428, "no-if-match"));
    let stale = [("if-match", "\"0192f0c8a1b27cc09d3e5f6a7b8c9d0e-1\"")];
    let stale = acme.send("POST", &format!("{place}/claim"), &stale, String::new()).await;
    assert_eq!(stale.code(), (412, "changed"));
    for _ in 0..2 {
        let claimed = claim(&acme, &place).await;
        assert_eq!(claimed.status, 200, "{claimed:?}");
        let it = &claimed.body;
        assert_eq!((&it["managedBy"], &it["offered"]), (&json!("control-plane"), &json!(false)));
    }
    let account = rig.cluster.of("port").unwrap().status.unwrap().account.unwrap();
    assert_eq!(account.organization.as_str(), "acme");
    assert_eq!(change("Port Two").await.status, 200);

    for _ in 0..2 {
        let given = acme.post(&format!("{place}/release"), &json!({})).await;
        assert_eq!((given.status.as_u16(), &given.body["managedBy"]), (200, &json!("kubectl")));
    }
    let there = acme.post(&format!("{place}/suspend"), &json!({})).await;
    assert_eq!(there.code(), (409, "managed-elsewhere"));
    // It stays the organization's, whoever writes it.
    observer::round(&rig.app).await.unwrap();
    assert_eq!(listed(&acme, "port").await["offered"], json!(false));
    assert_eq!(claim(&acme, &place).await.status, 200);
    let audit = acme.get("/v1/audit").await.body;
    let lines = audit["items"].as_array().unwrap().iter().map(|line| line["action"].as_str());
    let lines: Vec<_> = lines.flatten().filter(|it| it.contains("platform.")).collect();
    let expected =
        ["platform.claim", "platform.change", "platform.release", "platform.claim"].as_slice();
    assert_eq!(lines, expected);
}

#[sqlx::test(migrations = false)]
async fn what_names_somebody_else_or_is_gone_is_seen_no_more(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let other = rig.admit("other", PlanName::Starter).await;
    by_kubectl(&rig, "port", "acme");
    observer::round(&rig.app).await.unwrap();
    let place = place(&listed(&acme, "port").await);
    by_kubectl(&rig, "port", "other");
    for _ in 0..2 {
        observer::round(&rig.app).await.unwrap();
    }
    assert_eq!(listed(&acme, "port").await, Value::Null);
    assert_eq!(acme.get(&place).await.code(), (404, "not-found"));
    assert_eq!(listed(&other, "port").await["offered"], json!(true));
    let there = version(&rig.cluster.of("port").unwrap()).unwrap();
    rig.cluster.delete(&"port".parse().unwrap(), there).await.unwrap();
    observer::round(&rig.app).await.unwrap();
    assert_eq!(listed(&other, "port").await, Value::Null);
    // Its name is anybody's.
    let made = acme.send("POST", "/v1/platforms", &[], written("port", "Port")).await;
    assert_eq!(made.status, 201, "{made:?}");
}

#[sqlx::test(migrations = false)]
async fn a_claim_that_was_cut_off_is_found_to_be_done(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    by_kubectl(&rig, "port", "acme");
    observer::round(&rig.app).await.unwrap();
    let place = place(&listed(&acme, "port").await);
    rig.cluster.be(Silent::Mute);
    assert_eq!(claim(&acme, &place).await.code(), (503, "no-cluster"));
    rig.cluster.be(Silent::No);
    observer::round(&rig.app).await.unwrap();
    assert_eq!(listed(&acme, "port").await["offered"], json!(false));
    let operations = acme.get(&format!("{place}/operations")).await.body;
    assert_eq!(operations["items"][0]["state"], "succeeded");
    assert_eq!(keeper::round(&rig.app).await.unwrap(), 1, "its account is confirmed");
}

#[sqlx::test(migrations = false)]
async fn what_its_plan_does_not_give_is_not_claimed(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let text = format!(
        "{}  organization: acme\n  database: {{placement: dedicated}}\n",
        written("port", "Port")
    );
    rig.cluster.by_kubectl(blueprint::read(&text).unwrap());
    observer::round(&rig.app).await.unwrap();
    let place = place(&listed(&acme, "port").await);
    let refused = claim(&acme, &place).await;
    assert_eq!(refused.code(), (422, "breaks-rules"));
    assert_eq!(listed(&acme, "port").await["managedBy"], "kubectl");
}
