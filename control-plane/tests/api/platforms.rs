//! Platforms, from the first request to the last.

use blueprint::PlanName;
use control_plane::keeper;
use serde_json::json;
use sqlx::PgPool;

use crate::Rig;
use crate::played::Silent;
use crate::rig::{Answer, Caller, written};

async fn create(caller: &Caller<'_>, key: Option<&str>, name: &str, display: &str) -> Answer {
    let headers: Vec<_> = key.map(|key| ("idempotency-key", key)).into_iter().collect();
    caller.send("POST", "/v1/platforms", &headers, written(name, display)).await
}

#[sqlx::test(migrations = false)]
async fn a_platform_is_made_changed_stopped_taken_up_and_deleted(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Business).await;
    let made = create(&acme, None, "harbour", "Harbour").await;
    assert_eq!((made.status.as_u16(), &made.body["phase"]), (201, &json!("Pending")));
    let place = made.header("location").to_owned();
    assert_eq!(place, format!("/v1/platforms/{}", made.body["id"].as_str().unwrap()));
    // Its organization and plan are those of the key, and confirmed.
    let there = rig.cluster.of("harbour").unwrap();
    assert_eq!(there.spec.organization.as_ref().unwrap().as_str(), "acme");
    let account = there.status.unwrap().account.unwrap();
    assert_eq!((account.plan, account.organization.as_str()), (PlanName::Business, "acme"));

    let blueprint = acme.get(&format!("{place}/blueprint")).await;
    let tag = blueprint.header("etag").to_owned();
    assert_eq!(tag, made.header("etag"));
    let change = async |tag: &str, display: &str| {
        let path = format!("{place}/blueprint");
        acme.send("PUT", &path, &[("if-match", tag)], written("harbour", display)).await
    };
    let changed = change(&tag, "Harbour Two").await;
    assert_eq!(changed.body["spec"]["identity"]["displayName"], "Harbour Two");
    let newer = changed.header("etag").to_owned();
    assert_ne!(newer, tag);
    assert_eq!(change(&tag, "Harbour Two").await.header("etag"), newer, "sent again");
    assert_eq!(change(&tag, "Harbour Three").await.code(), (412, "changed"));
    let unseen =
        acme.send("PUT", &format!("{place}/blueprint"), &[], written("harbour", "X")).await;
    assert_eq!(unseen.code(), (428, "no-if-match"));
    let path = format!("{place}/blueprint");
    let renamed = acme.send("PUT", &path, &[("if-match", &newer)], written("port", "X")).await;
    assert_eq!(renamed.code(), (400, "unreadable"));

    for (step, is) in [("suspend", true), ("suspend", true), ("resume", false)] {
        assert_eq!(acme.post(&format!("{place}/{step}"), &json!({})).await.status, 200);
        assert_eq!(rig.cluster.of("harbour").unwrap().spec.suspended, is);
    }
    let listed = acme.get("/v1/platforms").await;
    assert_eq!(listed.body["items"][0]["displayName"], "Harbour Two");

    assert_eq!(acme.delete(&place).await.code(), (400, "unreadable"), "who says no name");
    assert_eq!(acme.delete(&format!("{place}?name=port")).await.code(), (400, "unreadable"));
    assert!(rig.cluster.of("harbour").is_some());
    assert_eq!(acme.delete(&format!("{place}?name=harbour")).await.status, 202);
    assert!(rig.cluster.of("harbour").is_none());
    // The name stays the organization's as long as there is data.
    let other = rig.admit("other", PlanName::Starter).await;
    assert_eq!(create(&other, None, "harbour", "Harbour").await.code(), (409, "name-taken"));
    assert_eq!(create(&acme, None, "harbour", "Harbour").await.code(), (409, "is-deleted"));
}

#[sqlx::test(migrations = false)]
async fn a_request_that_is_sent_again_has_the_same_answer_and_is_done_once(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let first = create(&acme, Some("one"), "harbour", "Harbour").await;
    let again = create(&acme, Some("one"), "harbour", "Harbour").await;
    assert_eq!((first.status, &first.body), (again.status, &again.body));
    let another = create(&acme, Some("one"), "harbour", "Another").await;
    assert_eq!(another.code(), (409, "other-request"));
    assert_eq!(create(&acme, Some("two"), "harbour", "Another").await.code(), (409, "name-taken"));
    // What was refused may be sent again with the same key, once it is mended.
    assert_eq!(create(&acme, Some("two"), "haven", "Haven").await.status, 201);
    // Keys are each caller's own.
    let other = rig.admit("other", PlanName::Starter).await;
    assert_eq!(create(&other, Some("one"), "port", "Port").await.status, 201);
    for wrong in ["", "a b", &"x".repeat(256)] {
        let answer = create(&acme, Some(wrong), "quay", "Quay").await;
        assert_eq!(answer.code(), (400, "unreadable"), "{wrong:?}");
    }
}

#[sqlx::test(migrations = false)]
async fn what_was_cut_off_goes_on_where_it_was(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    for (silent, name) in [(Silent::Dead, "harbour"), (Silent::Mute, "haven")] {
        rig.cluster.be(silent);
        let cut = create(&acme, Some(name), name, "Harbour").await;
        assert_eq!(cut.code(), (503, "no-cluster"));
        assert_eq!(cut.header("retry-after"), "5");
        // Nobody takes the name meanwhile.
        rig.cluster.be(Silent::No);
        let other = rig.admit(&format!("other-{name}"), PlanName::Starter).await;
        assert_eq!(create(&other, None, name, "Mine").await.code(), (409, "name-taken"));
        let made = create(&acme, Some(name), name, "Harbour").await;
        assert_eq!(made.status, 201, "{}", made.body);
        assert_eq!(create(&acme, Some(name), name, "Harbour").await.body, made.body);
    }
    assert_eq!(acme.get("/v1/platforms").await.body["items"].as_array().unwrap().len(), 2);
}

#[sqlx::test(migrations = false)]
async fn what_cannot_be_is_told_with_its_place_and_the_name_stays_free(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let post = async |text: &str| acme.send("POST", "/v1/platforms", &[], text.to_owned()).await;
    let own_database = format!("{}  database: {{placement: dedicated}}\n", written("harbour", "H"));
    let others = format!("{}  organization: other\n", written("harbour", "H"));
    let unknown = format!("{}  colour: red\n", written("harbour", "H"));
    for (text, path) in [
        (&own_database, "spec.database.placement"),
        (&others, "spec.organization"),
        (&unknown, "spec.colour"),
    ] {
        let answer = post(text).await;
        assert_eq!(answer.code(), (422, "breaks-rules"));
        assert!(answer.body["detail"].as_str().unwrap().contains(path), "{}", answer.body);
    }
    // One that somebody made by other means is nobody's to take.
    rig.cluster.by_kubectl(blueprint::read(&written("port", "Port")).unwrap());
    assert_eq!(create(&acme, None, "port", "Port").await.code(), (409, "name-taken"));
    assert_eq!(acme.get("/v1/platforms").await.body["items"], json!([]));
    assert_eq!(create(&acme, None, "harbour", "Harbour").await.status, 201);
}

#[sqlx::test(migrations = false)]
async fn who_pays_for_another_plan_or_asks_more_of_staff_is_confirmed_a_little_later(db: PgPool) {
    let rig = Rig::new(db.clone()).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    for name in ["harbour", "haven"] {
        assert_eq!(create(&acme, None, name, "Harbour").await.status, 201);
    }
    assert_eq!(keeper::round(&rig.app).await.unwrap(), 0, "all is as it should be");
    let more = "update control.organization set plan = 'business'";
    sqlx::query(more).execute(&db).await.unwrap();
    rig.cluster.be(Silent::Dead);
    assert_eq!(keeper::round(&rig.app).await.unwrap(), 0);
    rig.cluster.be(Silent::No);
    assert_eq!(keeper::round(&rig.app).await.unwrap(), 2);
    let account = rig.cluster.of("haven").unwrap().status.unwrap().account.unwrap();
    assert_eq!((account.plan, account.entitlements.users), (PlanName::Business, Some(50_000)));
    assert_eq!(keeper::round(&rig.app).await.unwrap(), 0);
    // What the organization asks of who comes in is asked in its platforms too.
    let policy = json!({
        "secondFactor": "optional", "allowedAddresses": ["0.0.0.0/8"], "longestSessionHours": 8,
    });
    let set = acme.send("PUT", "/v1/organization/policy", &[], policy.to_string()).await;
    assert_eq!(set.status, 204);
    assert_eq!(keeper::round(&rig.app).await.unwrap(), 2);
    let account = rig.cluster.of("haven").unwrap().status.unwrap().account.unwrap();
    assert_eq!(account.staff.longest_session_hours, Some(8));
    assert_eq!(account.staff.allowed_addresses, ["0.0.0.0/8".parse().unwrap()]);
    assert_eq!(create(&acme, None, "port", "Port").await.status, 201);
    assert_eq!(keeper::round(&rig.app).await.unwrap(), 0, "a new one has it at once");
}
