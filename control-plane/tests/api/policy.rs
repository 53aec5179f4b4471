//! What an organization asks of those who come in, of keys and of people alike.

use blueprint::PlanName;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::Rig;
use crate::browser::{Browser, PASSWORD};
use crate::rig::{Answer, Caller};

async fn ask(caller: &Caller<'_>, policy: &Value) -> Answer {
    caller.send("PUT", "/v1/organization/policy", &[], policy.to_string()).await
}

async fn acme(rig: &Rig) -> (Caller<'_>, Browser<'_>) {
    let admitted = rig.admitted("acme", PlanName::Starter, Some("olive@acme.test")).await;
    let key = rig.caller(Some(admitted.key.expose()));
    (key, Browser::join(rig, &admitted.invitation.unwrap(), "Olive").await)
}

/// In tests everybody comes from here.
const HERE: &str = "0.0.0.0";

#[sqlx::test(migrations = false)]
async fn who_comes_from_elsewhere_is_kept_out_of_the_api_and_the_console(db: PgPool) {
    let rig = Rig::new(db).await;
    let (key, mut olive) = acme(&rig).await;
    let elsewhere = json!({"secondFactor": "optional", "allowedAddresses": ["192.0.2.0/24"]});
    // Nobody shuts themselves out.
    assert_eq!(ask(&key, &elsewhere).await.code(), (409, "shuts-you-out"));
    let form =
        [("second_factor", "optional"), ("allowed_addresses", "192.0.2.0/24\n2001:db8::/32")];
    let refused = olive.fill("/o/acme/settings", &form).await;
    refused.is(422).says("not in allowedAddresses").says("2001:db8::/32");
    let form = [("second_factor", "optional"), ("allowed_addresses", "here")];
    olive.fill("/o/acme/settings", &form).await.is(422).says("is no network such as");
    let here = [("second_factor", "optional"), ("allowed_addresses", "192.0.2.0/24, 0.0.0.0")];
    olive.fill("/o/acme/settings", &here).await.is(200).says("0.0.0.0/32");
    assert_eq!(key.get("/v1/organization").await.status, 200);
    olive.open("/o/acme").await.is(200);
    // As if all had gone elsewhere.
    let gone = sqlx::query("update control.organization set policy = $1").bind(&elsewhere);
    gone.execute(&rig.db).await.unwrap();
    let kept_out = key.get("/v1/organization").await;
    assert_eq!(kept_out.code(), (403, "address"));
    assert!(kept_out.body["detail"].as_str().unwrap().contains(HERE), "{kept_out:?}");
    assert_eq!(ask(&key, &json!({"secondFactor": "optional"})).await.code(), (403, "address"));
    for path in ["/o/acme", "/o/acme/settings", "/o/acme/keys"] {
        olive.open(path).await.is(403).says("lets nobody in from this address").says(HERE);
    }
    olive.fill("/o/acme/settings", &here).await.is(403);
    // Their account is theirs, and no organization's.
    olive.open("/account").await.is(200);
    Browser::new(&rig).open("/o/acme").await.leads_to("/signin?next=%2Fo%2Facme");
}

#[sqlx::test(migrations = false)]
async fn sessions_and_keys_that_are_too_old_are_good_for_nothing(db: PgPool) {
    let rig = Rig::new(db).await;
    let (key, mut olive) = acme(&rig).await;
    let form =
        [("second_factor", "optional"), ("longest_session_hours", "8"), ("longest_key_days", "30")];
    olive.fill("/o/acme/settings", &form).await.is(200).says("value=\"30\"");
    let told = key.get("/v1/organization").await.body;
    assert_eq!(told["policy"]["longestSessionHours"], 8);
    // New keys end within it.
    let long = json!({"name": "x", "scopes": ["policy:write"], "days": 31});
    let refused = key.post("/v1/keys", &long).await;
    assert_eq!(refused.body["detail"], "days: from 1 to 30");
    let made = [("name", "x"), ("days", "90"), ("audit:read", "on")];
    olive.fill("/o/acme/keys", &made).await.is(422).says("days: from 1 to 30");
    rig.clock.advance(SignedDuration::from_hours(7));
    olive.open("/o/acme").await.is(200);
    rig.clock.advance(SignedDuration::from_hours(1));
    olive.open("/o/acme/keys").await.leads_to("/signin?next=%2Fo%2Facme%2Fkeys");
    olive.open("/account").await.leads_to("/signin?next=%2Faccount");
    let fields = [("email", "olive@acme.test"), ("password", PASSWORD), ("next", "/o/acme/keys")];
    olive.fill("/signin", &fields).await.leads_to("/o/acme/keys");
    olive.open("/o/acme/keys").await.is(200);

    rig.clock.advance(SignedDuration::from_hours(10 * 24));
    let usual = json!({"name": "new", "scopes": ["policy:write"]});
    let new = key.post("/v1/keys", &usual).await.body;
    assert_eq!(new["expiresAt"], "2026-04-10T20:00:00Z");
    let new = rig.caller(new["secret"].as_str());
    // Those there were are too old a month after they were made; less is asked by one that is not.
    rig.clock.advance(SignedDuration::from_hours(20 * 24));
    assert_eq!(key.get("/v1/organization").await.code(), (401, "key-too-old"));
    let shorter = json!({"secondFactor": "optional", "longestKeyDays": 20});
    assert_eq!(ask(&new, &shorter).await.code(), (409, "shuts-you-out"));
    assert_eq!(ask(&new, &json!({"secondFactor": "optional"})).await.status, 204);
    assert_eq!(key.get("/v1/organization").await.status, 200);
}

#[sqlx::test(migrations = false)]
async fn what_nobody_can_ask_is_told(db: PgPool) {
    let rig = Rig::new(db).await;
    let (key, mut olive) = acme(&rig).await;
    for (field, value, why) in [
        ("longestSessionHours", json!(0), "from 1 to 720"),
        ("longestKeyDays", json!(367), "from 1 to 366"),
        ("longestKeyDays", json!(-1), "longestKeyDays"),
        ("allowedAddresses", json!(["10.0.0.0/33"]), "no network such as"),
        ("allowedAddresses", json!(vec!["192.0.2.1"; 101]), "100 networks at most"),
    ] {
        let mut policy = json!({"secondFactor": "optional"});
        policy[field] = value;
        let refused = ask(&key, &policy).await;
        assert_eq!(refused.code(), (400, "unreadable"), "{policy}");
        assert!(refused.body["detail"].as_str().unwrap().contains(why), "{refused:?}");
    }
    let form = [("second_factor", "optional"), ("longest_key_days", "many")];
    olive.fill("/o/acme/settings", &form).await.is(422).says("a whole number, or nothing");
}
