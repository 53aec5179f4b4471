//! Members and invitations, over the API.

use blueprint::PlanName;
use serde_json::json;
use sqlx::PgPool;

use crate::Rig;
use crate::browser::Browser;

#[sqlx::test(migrations = false)]
async fn people_are_invited_join_change_and_go(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let wanted = json!({"email": "Ivy@acme.test", "role": "owner"});
    let made = acme.post("/v1/invitations", &wanted).await;
    assert_eq!((made.status.as_u16(), &made.body["email"]), (201, &json!("ivy@acme.test")));
    let link = made.body["url"].as_str().unwrap();
    let open = acme.get("/v1/invitations").await.body;
    assert_eq!(open["items"][0]["id"], made.body["id"]);
    assert!(!open.to_string().contains(link.rsplit_once('/').unwrap().1), "it is shown once");
    Browser::join(&rig, link, "Ivy").await;
    assert_eq!(acme.get("/v1/invitations").await.body["items"], json!([]));
    assert_eq!(acme.post("/v1/invitations", &wanted).await.code(), (409, "is-member"));

    let members = acme.get("/v1/members").await.body;
    assert_eq!(members["items"][0]["role"], "owner");
    let ivy = format!("/v1/members/{}", members["items"][0]["id"].as_str().unwrap());
    let role = |role: &str| json!({"role": role}).to_string();
    let put = async |to: &str| acme.send("PUT", &format!("{ivy}/role"), &[], role(to)).await;
    assert_eq!(put("viewer").await.code(), (409, "last-owner"));
    assert_eq!(put("emperor").await.code(), (400, "unreadable"));
    assert_eq!(acme.delete(&ivy).await.code(), (409, "last-owner"));
    let other = json!({"email": "otto@acme.test", "role": "owner"});
    let other = acme.post("/v1/invitations", &other).await;
    Browser::join(&rig, other.body["url"].as_str().unwrap(), "Otto").await;
    for _ in 0..2 {
        assert_eq!(put("viewer").await.status, 204);
    }
    // A key that makes no owners unmakes none.
    let wanted = json!({"name": "hr", "scopes": ["members:read", "members:write"]});
    let key = acme.post("/v1/keys", &wanted).await.body["secret"].as_str().unwrap().to_owned();
    let hr = rig.caller(Some(&key));
    let members = hr.get("/v1/members").await.body;
    let otto = members["items"].as_array().unwrap().iter().find(|it| it["role"] == "owner");
    let otto = format!("/v1/members/{}", otto.unwrap()["id"].as_str().unwrap());
    assert_eq!(hr.delete(&otto).await.code(), (403, "not-allowed"));
    let owner = json!({"email": "x@acme.test", "role": "owner"});
    assert_eq!(hr.post("/v1/invitations", &owner).await.code(), (403, "not-allowed"));
    assert_eq!(hr.delete(&ivy).await.status, 204);
    assert_eq!(hr.delete(&ivy).await.code(), (404, "not-found"));

    let audit = acme.get("/v1/audit").await.body;
    let actions: Vec<_> = audit["items"].as_array().unwrap().iter().collect();
    let roles = actions.iter().filter(|line| line["action"] == "member.role").count();
    assert_eq!(roles, 1, "what was so already was not done");
}
