//! News of a platform, as they come.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use blueprint::status::Phase;
use blueprint::{BlueprintStatus, PlanName};
use futures::StreamExt as _;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::Rig;
use crate::rig::written;

/// Nothing here takes longer.
const SOON: Duration = Duration::from_secs(10);

/// Whoever listens.
struct Listener(BodyDataStream);

impl Listener {
    async fn new(rig: &Rig, key: &str, path: &str, heard: Option<&str>) -> Self {
        let mut request =
            Request::get(format!("{path}/events")).header("authorization", format!("Bearer {key}"));
        if let Some(heard) = heard {
            request = request.header("last-event-id", heard);
        }
        let answer = rig.answer(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self(answer.into_body().into_data_stream())
    }

    /// The id and the data of the next event.
    async fn hears(&mut self) -> (String, Value) {
        let next = tokio::time::timeout(SOON, self.0.next()).await.unwrap();
        let text = String::from_utf8(next.unwrap().unwrap().to_vec()).unwrap();
        let of = |field: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(field));
            line.unwrap_or_else(|| panic!("{field} in {text}")).to_owned()
        };
        assert_eq!(of("event: "), "platform");
        (of("id: "), serde_json::from_str(&of("data: ")).unwrap())
    }
}

#[sqlx::test(migrations = false)]
async fn who_listens_hears_how_it_stands_and_of_each_change_once(db: PgPool) {
    let rig = Rig::new(db).await;
    let admitted = rig.admitted("acme", PlanName::Starter, None).await;
    let (key, acme) = (admitted.key.expose(), rig.caller(Some(admitted.key.expose())));
    let made = acme.send("POST", "/v1/platforms", &[], written("harbour", "One")).await;
    let path = format!("/v1/platforms/{}", made.body["id"].as_str().unwrap());
    let mut listener = Listener::new(&rig, key, &path, None).await;
    let (first, now) = listener.hears().await;
    assert_eq!(now, acme.get(&path).await.body);
    acme.send("POST", &format!("{path}/suspend"), &[], String::new()).await;
    let (second, stopped) = listener.hears().await;
    assert_eq!((stopped["name"].as_str(), first != second), (Some("harbour"), true));
    let status = BlueprintStatus { phase: Some(Phase::Suspended), ..BlueprintStatus::default() };
    rig.cluster.seen_as("harbour", status);
    let (second, stopped) = listener.hears().await;
    assert_eq!(stopped["phase"], "Suspended");
    // Of others it hears nothing: what comes next is its own deletion.
    acme.send("POST", "/v1/platforms", &[], written("quay", "Quay")).await;
    acme.delete(&format!("{path}?name=harbour")).await;
    assert_eq!(listener.hears().await.1["phase"], "Deleted");

    // Who was cut off hears what they missed, and nothing twice.
    let mut again = Listener::new(&rig, key, &path, Some(&second)).await;
    let (deleted, told) = again.hears().await;
    assert_eq!(told["phase"], "Deleted");
    let mut caught_up = Listener::new(&rig, key, &path, Some(&deleted)).await;
    acme.send("POST", &format!("{path}/undelete"), &[], String::new()).await;
    assert_eq!(caught_up.hears().await.1["phase"], "Pending");
}

#[sqlx::test(migrations = false)]
async fn whose_key_is_taken_back_hears_nothing_more(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let made = acme.send("POST", "/v1/platforms", &[], written("harbour", "One")).await;
    let path = format!("/v1/platforms/{}", made.body["id"].as_str().unwrap());
    let wanted = json!({"name": "listens", "scopes": ["platforms:read"]});
    let key = acme.post("/v1/keys", &wanted).await.body;
    let mut listener = Listener::new(&rig, key["secret"].as_str().unwrap(), &path, None).await;
    listener.hears().await;
    acme.delete(&format!("/v1/keys/{}", key["id"].as_str().unwrap())).await;
    acme.send("POST", &format!("{path}/suspend"), &[], String::new()).await;
    let end = tokio::time::timeout(SOON, listener.0.next()).await.unwrap();
    assert!(end.is_none(), "{end:?}");
}
