//! Keys: made, used, taken back.

use std::num::NonZeroU32;

use blueprint::PlanName;
use control_plane::rates::Rates;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::Rig;

#[sqlx::test(migrations = false)]
async fn whoever_has_no_good_key_is_told_so_and_nothing_else(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let never = format!("soulfra_{}", "a".repeat(43));
    for key in [None, Some(""), Some("soulfra_x"), Some(never.as_str())] {
        let answer = rig.caller(key).get("/v1/organization").await;
        assert_eq!(answer.code(), (401, "no-key"), "{key:?}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    let organization = acme.get("/v1/organization").await;
    assert_eq!(organization.body["slug"], "acme");
    assert_eq!(organization.body["entitlements"]["users"], 1_000);
    // The first key ends, like all others.
    rig.clock.advance(SignedDuration::from_hours(24 * 90));
    assert_eq!(acme.get("/v1/organization").await.code(), (401, "no-key"));
}

#[sqlx::test(migrations = false)]
async fn without_its_database_it_says_so_and_when_to_try_again(db: PgPool) {
    let rig = Rig::new(db.clone()).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    assert_eq!(acme.get("/readyz").await.status, 200);
    db.close().await;
    let answer = acme.get("/v1/platforms").await;
    assert_eq!((answer.code(), answer.header("retry-after")), ((503, "no-database"), "5"));
    assert_eq!(acme.get("/readyz").await.code(), (503, "not-ready"));
    assert_eq!(acme.get("/healthz").await.status, 200, "it is alive");
}

#[sqlx::test(migrations = false)]
async fn a_key_makes_keys_that_may_do_no_more_than_itself(db: PgPool) {
    let rig = Rig::new(db.clone()).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let wanted = json!({"name": "deploys", "scopes": ["keys:write", "platforms:read"], "days": 30});
    let made = acme.post("/v1/keys", &wanted).await;
    assert_eq!(made.status, 201);
    let secret = made.body["secret"].as_str().unwrap();
    let deploys = rig.caller(Some(secret));
    assert_eq!(deploys.get("/v1/platforms").await.status, 200);
    assert_eq!(deploys.get("/v1/organization").await.code(), (403, "not-allowed"));
    let more = json!({"name": "more", "scopes": ["platforms:read", "platforms:write"]});
    assert_eq!(deploys.post("/v1/keys", &more).await.code(), (403, "not-allowed"));

    // It is shown once, and nowhere kept.
    let listed = acme.get("/v1/keys").await;
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 2);
    assert!(!listed.body.to_string().contains(secret));
    let kept = "select string_agg(t::text, '') from control.api_key t";
    let kept: String = sqlx::query_scalar(kept).fetch_one(&db).await.unwrap();
    assert!(!kept.contains(&secret["soulfra_".len() + 8..]));
    assert!(!format!("{:?}", acme.get("/v1/audit").await.body).contains(secret));

    let id = made.body["id"].as_str().unwrap();
    assert_eq!(acme.delete(&format!("/v1/keys/{id}")).await.status, 204);
    assert_eq!(acme.delete(&format!("/v1/keys/{id}")).await.status, 204, "and again");
    assert_eq!(deploys.get("/v1/platforms").await.code(), (401, "no-key"));
    let listed = acme.get("/v1/keys").await;
    let is_revoked = |it: &Value| it["revokedAt"].is_string();
    assert_eq!(
        listed.body["items"].as_array().unwrap().iter().filter(|it| is_revoked(it)).count(),
        1
    );
}

#[sqlx::test(migrations = false)]
async fn what_can_be_no_key_is_refused_with_the_reason(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    for (wanted, why) in [
        (json!({"name": "", "scopes": ["audit:read"]}), "name: 1 to 80"),
        (json!({"name": "x", "scopes": []}), "scopes: at least one"),
        (json!({"name": "x", "scopes": ["all"]}), "scopes[0]: unknown variant"),
        (json!({"name": "x", "scopes": ["audit:read"], "days": 367}), "days: from 1 to 366"),
        (json!({"name": "x", "scopes": ["audit:read"], "admin": true}), "admin: unknown field"),
        (json!({"scopes": ["audit:read"]}), "missing field `name`"),
    ] {
        let answer = acme.post("/v1/keys", &wanted).await;
        assert_eq!(answer.code(), (400, "unreadable"), "{wanted}");
        assert!(answer.body["detail"].as_str().unwrap().contains(why), "{}", answer.body);
    }
    let twice = [("idempotency-key", "one")];
    let wanted = json!({"name": "x", "scopes": ["audit:read"]}).to_string();
    let answer = acme.send("POST", "/v1/keys", &twice, wanted).await;
    assert_eq!(answer.code(), (400, "unreadable"));
    assert_eq!(acme.get("/v1/keys").await.body["items"].as_array().unwrap().len(), 1);
}

#[sqlx::test(migrations = false)]
async fn lists_come_in_pages_that_follow_one_another(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    for n in 0..6 {
        let wanted = json!({"name": format!("key {n}"), "scopes": ["audit:read"]});
        assert_eq!(acme.post("/v1/keys", &wanted).await.status, 201);
    }
    let (mut names, mut path) = (Vec::new(), "/v1/keys?limit=3".to_owned());
    for _ in 0..3 {
        let page = acme.get(&path).await.body;
        names.extend(page["items"].as_array().unwrap().iter().map(|it| it["name"].clone()));
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/keys?limit=3&after={next}"),
            None => break,
        }
    }
    assert_eq!(names.len(), 7);
    assert_eq!((&names[0], &names[6]), (&json!("key 5"), &json!("first")));
    for wrong in ["limit=0", "limit=101", "limit=x", "after=%25", "offset=3"] {
        let answer = acme.get(&format!("/v1/keys?{wrong}")).await;
        assert_eq!(answer.code(), (400, "unreadable"), "{wrong}");
    }
}

#[sqlx::test(migrations = false)]
async fn who_asks_too_much_is_told_when_to_come_back_and_nobody_else_is(db: PgPool) {
    let [burst, a_second] = [3, 1].map(|number| NonZeroU32::new(number).unwrap());
    let rig = Rig::within(db, Rates::new(burst, a_second)).await;
    let (acme, other) =
        (rig.admit("acme", PlanName::Starter).await, rig.admit("other", PlanName::Starter).await);
    let first = acme.get("/v1/organization").await;
    assert_eq!(first.header("ratelimit-policy"), "\"requests\";q=3");
    assert_eq!(first.header("ratelimit"), "\"requests\";r=2;t=1");
    let mut last = first;
    // On a slow machine there is a little more meanwhile.
    for _ in 0..20 {
        if last.status == 200 {
            last = acme.get("/v1/platforms").await;
        }
    }
    assert_eq!((last.code(), last.header("retry-after")), ((429, "too-many-requests"), "1"));
    assert!(last.header("ratelimit").starts_with("\"requests\";r=0;"), "{last:?}");
    assert_eq!(other.get("/v1/platforms").await.status, 200);
    // What is nobody's is for everybody.
    let open = acme.get("/v1/plans").await;
    assert_eq!((open.status.as_u16(), open.header("ratelimit")), (200, ""));
}
