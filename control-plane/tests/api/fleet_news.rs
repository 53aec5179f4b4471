//! News of all platforms of an organization, by the API and for pages.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use blueprint::status::Phase;
use blueprint::{BlueprintStatus, PlanName};
use futures::StreamExt as _;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::Rig;
use crate::browser::Browser;
use crate::rig::{Caller, written};

/// Nothing here takes longer.
const SOON: Duration = Duration::from_secs(20);

/// Whoever listens.
struct Listener(BodyDataStream);

/// What they heard.
#[derive(Debug)]
struct Heard {
    kind: String,
    id: Option<String>,
    data: Value,
}

impl Listener {
    async fn new(rig: &Rig, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = rig.answer(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self(answer.into_body().into_data_stream())
    }

    /// The next event; `None`: there is none any more.
    async fn next(&mut self) -> Option<Heard> {
        loop {
            let next = tokio::time::timeout(SOON, self.0.next()).await.unwrap()?;
            let text = String::from_utf8(next.unwrap().to_vec()).unwrap();
            let of = |field: &str| {
                text.lines().find_map(|line| line.strip_prefix(field)).map(str::to_owned)
            };
            // What is no event keeps the connection.
            let Some(kind) = of("event: ") else { continue };
            let data: Value = serde_json::from_str(&of("data: ").unwrap()).unwrap();
            assert_ne!(data["name"], "quay", "that is somebody else's");
            return Some(Heard { kind, id: of("id: "), data });
        }
    }

    async fn hears(&mut self, kind: &str) -> Heard {
        let heard = self.next().await.unwrap();
        assert_eq!(heard.kind, kind, "{heard:?}");
        heard
    }

    /// Hears on until this is so.
    async fn until(&mut self, is: impl Fn(&Heard) -> bool) -> Heard {
        loop {
            let heard = self.next().await.unwrap();
            if is(&heard) {
                return heard;
            }
        }
    }
}

fn bearer(key: &str) -> [(&'static str, String); 1] {
    [("authorization", format!("Bearer {key}"))]
}

async fn by_key(rig: &Rig, key: &str, heard: Option<&str>) -> Listener {
    let [(name, value)] = bearer(key);
    let mut headers = vec![(name, value.as_str())];
    headers.extend(heard.map(|heard| ("last-event-id", heard)));
    Listener::new(rig, "/v1/events", &headers).await
}

async fn create(caller: &Caller<'_>, name: &str) -> String {
    let made = caller.send("POST", "/v1/platforms", &[], written(name, "Called")).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.body["id"].as_str().unwrap().to_owned()
}

fn phase(rig: &Rig, name: &str, phase: Phase) {
    let status = BlueprintStatus { phase: Some(phase), ..BlueprintStatus::default() };
    rig.cluster.seen_as(name, status);
}

#[sqlx::test(migrations = false)]
async fn who_listens_hears_all_there_is_then_each_change_and_nothing_of_others(db: PgPool) {
    let rig = Rig::new(db).await;
    let admitted = rig.admitted("acme", PlanName::Starter, None).await;
    let (key, acme) = (admitted.key.expose(), rig.caller(Some(admitted.key.expose())));
    let other = rig.admit("other", PlanName::Starter).await;
    create(&other, "quay").await;
    let mut early = by_key(&rig, key, None).await;
    assert_eq!(early.hears("all").await.data, json!({"platforms": 0}));
    let harbour = create(&acme, "harbour").await;
    // One that is new is heard of by who listens already.
    assert_eq!(early.hears("platform").await.data["id"], json!(harbour));
    create(&acme, "pier").await;
    early.until(|it| it.data["name"] == "pier").await;

    let mut listener = by_key(&rig, key, None).await;
    let first = listener.hears("platform").await;
    assert_eq!(first.data, acme.get(&format!("/v1/platforms/{harbour}")).await.body);
    assert_eq!(first.id, None, "all of it is heard, or nothing of it");
    assert_eq!(listener.hears("platform").await.data["name"], "pier");
    let all = listener.hears("all").await;
    assert_eq!(all.data, json!({"platforms": 2}));
    phase(&rig, "quay", Phase::Degraded);
    phase(&rig, "pier", Phase::Ready);
    let ready = listener.until(|it| it.data["phase"] == "Ready").await;
    assert_eq!((ready.kind.as_str(), &ready.data["name"]), ("platform", &json!("pier")));

    // Who was cut off hears what they missed and nothing twice; a deletion, too.
    let path = format!("/v1/platforms/{harbour}?name=harbour");
    assert!(acme.delete(&path).await.status.is_success());
    listener.until(|it| it.data["phase"] == "Deleted").await;
    let mut again = by_key(&rig, key, ready.id.as_deref()).await;
    let told = again.until(|it| it.data["phase"] == "Deleted").await;
    assert_eq!(told.data["name"], "harbour");
    let mut caught_up = by_key(&rig, key, told.id.as_deref()).await;
    phase(&rig, "pier", Phase::Degraded);
    assert_eq!(caught_up.hears("platform").await.data["phase"], "Degraded");
    // What was heard elsewhere, or is none of ours, is nothing: all is told.
    for heard in ["x", "0192f0c8a1b27cc09d3e5f6a7b8c9d0e-1"] {
        let mut anew = by_key(&rig, key, Some(heard)).await;
        assert_eq!(anew.hears("platform").await.data["name"], "harbour");
    }
}

#[sqlx::test(migrations = false)]
async fn of_what_is_the_organizations_no_more_it_hears_that_it_is_gone(db: PgPool) {
    let rig = Rig::new(db).await;
    let admitted = rig.admitted("acme", PlanName::Starter, None).await;
    let (key, acme) = (admitted.key.expose(), rig.caller(Some(admitted.key.expose())));
    let harbour = create(&acme, "harbour").await;
    let mut listener = by_key(&rig, key, None).await;
    listener.until(|it| it.kind == "all").await;
    let gone = "update control.platform set gone_at = created_at where name = 'harbour'";
    sqlx::query(gone).execute(&rig.db).await.unwrap();
    let heard = listener.until(|it| it.kind == "gone").await;
    assert_eq!(heard.data, json!({"id": harbour, "name": "harbour"}));
    let mut anew = by_key(&rig, key, None).await;
    assert_eq!(anew.hears("all").await.data, json!({"platforms": 0}));
}

#[sqlx::test(migrations = false)]
async fn whose_key_or_session_ends_hears_nothing_more(db: PgPool) {
    let rig = Rig::new(db).await;
    let admitted = rig.admitted("acme", PlanName::Starter, Some("owner@acme.test")).await;
    let acme = rig.caller(Some(admitted.key.expose()));
    let mut olive = Browser::join(&rig, &admitted.invitation.unwrap(), "Olive").await;
    create(&acme, "harbour").await;
    let wanted = json!({"name": "listens", "scopes": ["platforms:read"]});
    let key = acme.post("/v1/keys", &wanted).await.body;
    let cookie = format!("__Host-session={}", olive.cookie("__Host-session"));
    let session = [("cookie", cookie.as_str())];
    let mut listeners = vec![
        by_key(&rig, key["secret"].as_str().unwrap(), None).await,
        Listener::new(&rig, "/o/acme/events", &session).await,
        Listener::new(&rig, "/o/acme/platforms/harbour/events", &session).await,
    ];
    for listener in &mut listeners {
        listener.hears("platform").await;
    }
    acme.delete(&format!("/v1/keys/{}", key["id"].as_str().unwrap())).await;
    olive.fill("/signout", &[]).await.is(303);
    phase(&rig, "harbour", Phase::Degraded);
    for mut listener in listeners {
        while let Some(heard) = listener.next().await {
            assert_eq!(heard.kind, "all", "{heard:?}");
        }
    }
    olive.open("/o/acme/events").await.is(303);
}

#[sqlx::test(migrations = false)]
async fn a_key_has_so_many_streams_at_once_and_another_one_when_one_ends(db: PgPool) {
    let rig = Rig::new(db).await;
    let admitted = rig.admitted("acme", PlanName::Starter, None).await;
    let (key, acme) = (admitted.key.expose(), rig.caller(Some(admitted.key.expose())));
    let harbour = create(&acme, "harbour").await;
    let wanted = json!({"name": "listens", "scopes": ["platforms:read"]});
    let made = acme.post("/v1/keys", &wanted).await.body;
    let other = made["secret"].as_str().unwrap();
    let of_one = format!("/v1/platforms/{harbour}/events");
    let [(name, value)] = bearer(key);
    let mut open = vec![Listener::new(&rig, &of_one, &[(name, value.as_str())]).await];
    for _ in 1..20 {
        open.push(by_key(&rig, key, None).await);
    }
    for path in ["/v1/events", of_one.as_str()] {
        let request = Request::get(path).header(name, &value).body(Body::empty()).unwrap();
        let refused = rig.answer(request).await;
        assert_eq!(refused.status(), 429);
        assert_eq!(refused.headers()["retry-after"], "60");
    }
    by_key(&rig, other, None).await.hears("platform").await;
    open.truncate(19);
    by_key(&rig, key, None).await.hears("platform").await;
}

#[sqlx::test(migrations = false)]
async fn a_page_that_rested_goes_on_behind_what_it_heard(db: PgPool) {
    let rig = Rig::new(db).await;
    let admitted = rig.admitted("acme", PlanName::Starter, Some("owner@acme.test")).await;
    let acme = rig.caller(Some(admitted.key.expose()));
    let olive = Browser::join(&rig, &admitted.invitation.unwrap(), "Olive").await;
    create(&acme, "harbour").await;
    let cookie = format!("__Host-session={}", olive.cookie("__Host-session"));
    let session = [("cookie", cookie.as_str())];
    let mut page = Listener::new(&rig, "/o/acme/events", &session).await;
    let heard = page.until(|it| it.kind == "all").await.id.unwrap();
    drop(page);
    phase(&rig, "harbour", Phase::Ready);
    let mut page = Listener::new(&rig, &format!("/o/acme/events?after={heard}"), &session).await;
    assert_eq!(page.hears("platform").await.data["phase"], "Ready");
}
