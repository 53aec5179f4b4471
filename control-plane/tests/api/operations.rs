//! What is done to platforms can be followed until it is there, or it is said why not.

use blueprint::{BlueprintStatus, PlanName};
use control_plane::observer;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::Rig;
use crate::played::Silent;
use crate::rig::{Answer, Caller, written};

/// An operator says that it has seen this generation, and whether all of it is there.
fn seen(rig: &Rig, name: &str, generation: i64, ready: &str, reason: &str) {
    let condition = |kind: &str, status: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": "no copy serves yet",
            "lastTransitionTime": "2026-03-01T12:00:00Z", "observedGeneration": generation,
        })
    };
    let status = json!({
        "observedGeneration": generation, "phase": "Provisioning",
        "conditions": [condition("DatabaseReady", "True"), condition("Ready", ready)],
    });
    let status: BlueprintStatus = serde_json::from_value(status).unwrap();
    rig.cluster.seen_as(name, status);
}

/// Where it is followed what an answer has begun.
fn followed(answer: &Answer) -> String {
    let link = answer.header("link");
    let place = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"monitor\""));
    place.unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

async fn stands(caller: &Caller<'_>, operation: &str) -> (String, u64) {
    let told = caller.get(operation).await.body;
    (told["state"].as_str().unwrap_or_default().to_owned(), told["progress"].as_u64().unwrap_or(0))
}

async fn create(caller: &Caller<'_>, name: &str) -> (String, Answer) {
    let headers = [("idempotency-key", name)];
    let made = caller.send("POST", "/v1/platforms", &headers, written(name, "Harbour")).await;
    assert_eq!(made.status, 201, "{made:?}");
    (format!("/v1/platforms/{}", made.body["id"].as_str().unwrap()), made)
}

async fn change(caller: &Caller<'_>, place: &str, display: &str) -> Answer {
    let path = format!("{place}/blueprint");
    let tag = caller.get(&path).await.header("etag").to_owned();
    caller.send("PUT", &path, &[("if-match", &tag)], written("harbour", display)).await
}

#[sqlx::test(migrations = false)]
async fn a_change_is_followed_until_its_operator_says_that_it_is_there(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let (place, made) = create(&acme, "harbour").await;
    let making = followed(&made);
    assert_eq!(followed(&create(&acme, "harbour").await.1), making, "the same request again");
    let told = acme.get(&making).await.body;
    assert_eq!((&told["kind"], &told["generation"]), (&json!("create"), &json!(1)));
    assert_eq!(stands(&acme, &making).await, ("running".to_owned(), 0));
    seen(&rig, "harbour", 1, "False", "Starting");
    assert_eq!(stands(&acme, &making).await, ("running".to_owned(), 20));
    seen(&rig, "harbour", 1, "True", "Ready");
    assert_eq!(stands(&acme, &making).await, ("succeeded".to_owned(), 100));
    for _ in 0..2 {
        observer::round(&rig.app).await.unwrap();
    }
    // What was there stays so, whatever becomes of the platform.
    seen(&rig, "harbour", 1, "False", "Starting");
    assert_eq!(stands(&acme, &making).await, ("succeeded".to_owned(), 100));

    let first = followed(&change(&acme, &place, "One").await);
    let second = followed(&change(&acme, &place, "Two").await);
    seen(&rig, "harbour", 2, "True", "Ready");
    assert_eq!(stands(&acme, &first).await.0, "superseded");
    assert_eq!(stands(&acme, &second).await.0, "running");
    let platform = acme.get(&place).await.body;
    assert_eq!((&platform["generation"], &platform["observedGeneration"]), (&json!(3), &json!(2)));
    seen(&rig, "harbour", 3, "False", "Refused");
    let refused = acme.get(&second).await.body;
    assert_eq!(refused["state"], "failed");
    assert!(refused["error"].as_str().unwrap().contains("no copy serves yet"), "{refused}");

    let retried = acme.post(&format!("{place}/retry"), &json!({})).await;
    assert_eq!(retried.status, 202);
    seen(&rig, "harbour", 3, "True", "Ready");
    assert_eq!(stands(&acme, &followed(&retried)).await.0, "succeeded");

    let deleted = acme.delete(&format!("{place}?name=harbour")).await;
    assert_eq!(stands(&acme, &followed(&deleted)).await.0, "succeeded");
    observer::round(&rig.app).await.unwrap();
    let back = acme.post(&format!("{place}/undelete"), &json!({})).await;
    assert_eq!(stands(&acme, &followed(&back)).await.0, "running");
    let listed = acme.get(&format!("{place}/operations?limit=4")).await.body;
    let kinds = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|it| it["kind"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&listed), ["undelete", "delete", "retry", "change"]);
    let next = listed["next"].as_str().unwrap();
    let rest = acme.get(&format!("{place}/operations?limit=4&after={next}")).await.body;
    assert_eq!(kinds(&rest), ["change", "create"]);
}

#[sqlx::test(migrations = false)]
async fn of_what_was_cut_off_it_is_found_out_what_came_of_it(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let (place, _) = create(&acme, "harbour").await;
    let latest = async || acme.get(&format!("{place}/operations")).await.body["items"][0].clone();
    for (silent, after) in [(Silent::Mute, "running"), (Silent::Dead, "failed")] {
        rig.cluster.be(silent);
        let step = if silent == Silent::Mute { "suspend" } else { "resume" };
        let cut = acme.post(&format!("{place}/{step}"), &json!({})).await;
        assert_eq!(cut.code(), (503, "no-cluster"));
        rig.cluster.be(Silent::No);
        assert_eq!(latest().await["state"], "running");
        rig.clock.advance(SignedDuration::from_mins(3));
        observer::round(&rig.app).await.unwrap();
        let found = latest().await;
        assert_eq!((&found["kind"], &found["state"]), (&json!(step), &json!(after)), "{found}");
    }
    assert!(rig.cluster.of("harbour").unwrap().spec.suspended);
    assert!(latest().await["error"].as_str().unwrap().contains("ask again"));
    // What was refused has failed, and says why.
    let stale = [("if-match", "\"0192f0c8a1b27cc09d3e5f6a7b8c9d0e-1\"")];
    let path = format!("{place}/blueprint");
    assert_eq!(acme.send("PUT", &path, &stale, written("harbour", "X")).await.status, 404);
    assert_eq!(latest().await["state"], "failed");
}
