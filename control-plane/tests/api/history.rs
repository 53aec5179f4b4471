//! What blueprints said, copies of platforms, and blueprints as files.

use blueprint::PlanName;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::Rig;
use crate::rig::{Caller, written};

async fn create(caller: &Caller<'_>, text: String) -> String {
    let made = caller.send("POST", "/v1/platforms", &[], text).await;
    assert_eq!(made.status, 201, "{made:?}");
    format!("/v1/platforms/{}", made.body["id"].as_str().unwrap())
}

async fn change(caller: &Caller<'_>, place: &str, text: String) {
    let path = format!("{place}/blueprint");
    let tag = caller.get(&path).await.header("etag").to_owned();
    let changed = caller.send("PUT", &path, &[("if-match", &tag)], text).await;
    assert_eq!(changed.status, 200, "{changed:?}");
}

#[sqlx::test(migrations = false)]
async fn what_a_blueprint_said_is_told_and_can_be_so_again(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let place = create(&acme, written("harbour", "One")).await;
    let history = format!("{place}/blueprint/history");
    for display in ["Two", "Two", "Three"] {
        change(&acme, &place, written("harbour", display)).await;
    }
    let told = acme.get(&history).await.body;
    let revisions: Vec<_> =
        told["items"].as_array().unwrap().iter().map(|it| it["revision"].clone()).collect();
    assert_eq!(revisions, [3, 2, 1], "the same again is no change");
    let newest = &told["items"][0];
    assert_eq!(newest["changes"], json!(["spec.identity.displayName: \"Two\" -> \"Three\""]));
    assert!(newest["summary"].as_str().unwrap().starts_with("1 field changes."), "{newest}");
    let first = [("accept", "application/yaml")];
    let first = acme.send("GET", &format!("{history}/1"), &first, String::new()).await;
    change(&acme, &place, first.body.as_str().unwrap().to_owned()).await;
    assert_eq!(acme.get(&place).await.body["displayName"], "One");
    assert_eq!(acme.get(&format!("{history}/4")).await.body["spec"]["plan"], "starter");
    for missing in ["0", "9", "-1", "x"] {
        let answer = acme.get(&format!("{history}/{missing}")).await;
        assert_eq!(answer.code(), (404, "not-found"), "{missing}");
    }
    let paged = acme.get(&format!("{history}?limit=1")).await.body;
    let next = acme.get(&format!("{history}?after={}", paged["next"].as_str().unwrap())).await;
    assert_eq!(next.body["items"][0]["revision"], 3);
}

#[sqlx::test(migrations = false)]
async fn a_hundred_of_them_are_kept(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let place = create(&acme, written("harbour", "Harbour")).await;
    for number in 0..102 {
        change(&acme, &place, written("harbour", &format!("Number {number}"))).await;
    }
    let history = format!("{place}/blueprint/history");
    let all = acme.get(&format!("{history}?limit=100")).await.body;
    assert_eq!((all["items"].as_array().unwrap().len(), &all["next"]), (100, &Value::Null));
    assert_eq!(acme.get(&format!("{history}/3")).await.status, 404);
    assert_eq!(acme.get(&format!("{history}/4")).await.status, 200);
}

#[sqlx::test(migrations = false)]
async fn a_copy_is_as_the_other_one_without_its_names_and_is_made_once(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Business).await;
    let text = format!("{}  domains: [shop.example]\n", written("harbour", "Harbour"));
    let place = create(&acme, text).await;
    acme.post(&format!("{place}/suspend"), &json!({})).await;
    let copy = async |body: &Value, key: &str| {
        let headers = [("idempotency-key", key)];
        acme.send("POST", &format!("{place}/clone"), &headers, body.to_string()).await
    };
    let wanted = json!({"name": "haven", "displayName": "Haven"});
    let made = copy(&wanted, "one").await;
    assert_eq!((made.status.as_u16(), &made.body["name"]), (201, &json!("haven")), "{made:?}");
    assert_eq!(copy(&wanted, "one").await.body, made.body);
    let there = rig.cluster.of("haven").unwrap().spec;
    assert_eq!((there.domains.len(), there.suspended), (0, false));
    assert_eq!(there.identity.display_name, "Haven");
    assert_eq!(rig.cluster.of("harbour").unwrap().spec.domains.len(), 1);
    let place = format!("/v1/platforms/{}/operations", made.body["id"].as_str().unwrap());
    assert_eq!(acme.get(&place).await.body["items"][0]["kind"], "clone");
    assert_eq!(copy(&json!({"name": "haven"}), "two").await.code(), (409, "name-taken"));
    assert_eq!(copy(&json!({"name": "No name"}), "three").await.code(), (400, "unreadable"));
    let nameless = json!({"name": "bay", "displayName": ""});
    assert_eq!(copy(&nameless, "four").await.code(), (422, "breaks-rules"));
}

#[sqlx::test(migrations = false)]
async fn what_is_exported_is_what_kubectl_takes_and_what_it_gives_is_imported(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let place = create(&acme, written("harbour", "Harbour")).await;
    let yaml = [("accept", "application/yaml, */*;q=0.1")];
    let exported = acme.send("GET", &format!("{place}/blueprint"), &yaml, String::new()).await;
    assert_eq!(exported.header("content-type"), "application/yaml");
    let text = exported.body.as_str().unwrap();
    assert_eq!(blueprint::read(text).unwrap().spec, rig.cluster.of("harbour").unwrap().spec);
    // As `kubectl get -o yaml` has it, with all that a server adds.
    let mut whole = serde_json::to_value(rig.cluster.of("harbour").unwrap()).unwrap();
    whole["metadata"]["name"] = json!("haven");
    whole["metadata"]["creationTimestamp"] = json!("2026-03-01T12:00:00Z");
    whole["metadata"]["managedFields"] = json!([{"manager": "kubectl", "operation": "Apply"}]);
    create(&acme, whole.to_string()).await;
    assert_eq!(rig.cluster.of("haven").unwrap().spec.identity.display_name, "Harbour");
    for (name, count) in [("haven", 1), ("nothing", 0), ("No%20name", 0)] {
        let listed = acme.get(&format!("/v1/platforms?name={name}")).await.body;
        assert_eq!(listed["items"].as_array().unwrap().len(), count, "{name}");
    }
}
