//! What is another organization's is as if it were not there: whatever is asked of the API, as its
//! own document lists it.

use blueprint::PlanName;
use control_plane::router::document;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::Rig;
use crate::browser::Browser;
use crate::rig::written;

/// What must show nowhere else.
const CANARY: &str = "canary-of-acme";

#[sqlx::test(migrations = false)]
async fn of_what_is_anothers_nothing_is_told_not_even_that_it_is_there(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let other = rig.admit("other", PlanName::Starter).await;
    let made = acme.send("POST", "/v1/platforms", &[], written("harbour", CANARY)).await;
    let platform = made.body["id"].as_str().unwrap().to_owned();
    let wanted = json!({"name": CANARY, "scopes": ["audit:read"]});
    let key = acme.post("/v1/keys", &wanted).await.body["id"].as_str().unwrap().to_owned();
    let wanted = json!({"email": format!("{CANARY}@acme.test"), "role": "viewer"});
    let made_invitation = acme.post("/v1/invitations", &wanted).await;
    let invitation = made_invitation.body["id"].as_str().unwrap().to_owned();
    Browser::join(&rig, made_invitation.body["url"].as_str().unwrap(), CANARY).await;
    let members = acme.get("/v1/members").await.body;
    let person = members["items"][0]["id"].as_str().unwrap().to_owned();
    let absent = Uuid::from_u128(0x0192_f0c8_a1b2_7cc0_9d3e_5f6a_7b8c_9d0e).simple();
    let tag = made.header("etag").to_owned();
    let operations = acme.get(&format!("/v1/platforms/{platform}/operations")).await.body;
    let operation = operations["items"][0]["id"].as_str().unwrap().to_owned();
    let asked =
        json!({"subject": CANARY, "urgency": "problem", "platform": platform, "text": CANARY});
    let made = acme.post("/v1/tickets", &asked).await;
    let ticket = made.body["id"].as_str().unwrap().to_owned();

    let document = serde_json::to_value(document()).unwrap();
    let mut asked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let of = |id: &str| format!("{}?name=harbour", path.replace("{id}", id));
            let headers = [("if-match", tag.as_str())];
            let body = match path.as_str() {
                "/v1/platforms/{id}/clone" => json!({"name": "mine"}).to_string(),
                "/v1/tickets/{id}/messages" => json!({"text": "mine"}).to_string(),
                "/v1/members/{id}/role" => json!({"role": "owner"}).to_string(),
                _ => written("harbour", "Mine"),
            };
            let ids = [
                (&platform, "plt_"),
                (&key, "key_"),
                (&invitation, "inv_"),
                (&person, "usr_"),
                (&operation, "opn_"),
                (&ticket, "tkt_"),
            ];
            // It has no end; what is told there is looked at elsewhere.
            if path == "/v1/events" {
                continue;
            }
            for (there, prefix) in ids {
                let method = method.to_uppercase();
                if !path.contains("{id}") {
                    let plain = other.send(&method, path, &headers, body.clone()).await;
                    assert!(!plain.body.to_string().contains(CANARY), "{method} {path}");
                    continue;
                }
                let foreign = other.send(&method, &of(there), &headers, body.clone()).await;
                let missing = format!("{prefix}{absent}");
                let missing = other.send(&method, &of(&missing), &headers, body.clone()).await;
                assert_eq!(foreign.status, missing.status, "{method} {path}");
                assert_eq!(foreign.body, missing.body, "{method} {path}");
                assert!(foreign.status.is_client_error(), "{method} {path}");
                asked += 1;
            }
        }
    }
    assert!(asked >= 40, "{asked}");
    // Nothing became of it.
    let spec = rig.cluster.of("harbour").unwrap().spec;
    assert_eq!((spec.identity.display_name.as_str(), spec.suspended), (CANARY, false));
    assert_eq!(acme.get("/v1/keys").await.body["items"].as_array().unwrap().len(), 2);
    assert_eq!(acme.get("/v1/members").await.body, members);
    assert_eq!(acme.get(&format!("/v1/tickets/{ticket}")).await.body, made.body);
}

#[sqlx::test(migrations = false)]
async fn everything_that_is_documented_needs_a_key_but_what_is_nobodys(db: PgPool) {
    let rig = Rig::new(db).await;
    let nobody = rig.caller(None);
    let document = serde_json::to_value(document()).unwrap();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let is_open = operation["security"] == json!([{}]);
            let path = path.replace("{id}", "plt_0192f0c8a1b27cc09d3e5f6a7b8c9d0e");
            let answer = nobody.send(&method.to_uppercase(), &path, &[], String::new()).await;
            if is_open {
                assert_ne!(answer.status, 401, "{method} {path}");
            } else {
                assert_eq!(answer.code(), (401, "no-key"), "{method} {path}");
            }
            assert!(operation["operationId"].is_string(), "{method} {path}");
        }
    }
    assert_eq!(document["openapi"].as_str().map(|it| &it[..3]), Some("3.1"));
    let served: Value = nobody.get("/v1/openapi.json").await.body;
    assert_eq!(served, document);
}
