//! Addresses are told what is done: signed, at least once, and nobody inside is called.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use blueprint::status::Phase;
use blueprint::{BlueprintStatus, PlanName};
use control_plane::{courier, herald};
use jiff::SignedDuration;
use serde_json::{Value, json};
use sqlx::PgPool;
use standardwebhooks::Webhook;
use work::Clock;

use crate::Rig;
use crate::browser::Browser;
use crate::rig::{Caller, written};

/// What came.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    headers: HeaderMap,
    body: Bytes,
}

impl Came {
    fn id(&self) -> &str {
        self.headers["webhook-id"].to_str().unwrap()
    }

    fn says(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// What its signature is by.
    fn is_signed_by(&self, secret: &str) -> bool {
        Webhook::new(secret).unwrap().verify(&self.body, &self.headers).is_ok()
    }

    /// The same where it came long ago.
    pub(crate) fn was_signed_by(&self, secret: &str) -> bool {
        let told = |name: &str| self.headers[name].to_str().unwrap();
        let at = told("webhook-timestamp").parse().unwrap();
        let signed = Webhook::new(secret).unwrap().sign(self.id(), at, &self.body).unwrap();
        told("webhook-signature").split(' ').any(|signature| signature == signed)
    }
}

/// Somebody who is told, and answers as they are bid.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    came: Arc<Mutex<Vec<Came>>>,
    answers: Arc<Mutex<StatusCode>>,
}

impl Receiver {
    pub(crate) async fn new() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (came, answers) = (Arc::default(), Arc::new(Mutex::new(StatusCode::NO_CONTENT)));
        let receiver = Self { url, came, answers };
        let told = async |State(it): State<Self>, headers: HeaderMap, body: Bytes| {
            it.came.lock().unwrap().push(Came { headers, body });
            *it.answers.lock().unwrap()
        };
        let routes = Router::new().route("/hook", post(told)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        receiver
    }

    fn answers(&self, status: StatusCode) {
        *self.answers.lock().unwrap() = status;
    }

    /// What came since it was asked last.
    pub(crate) fn came(&self) -> Vec<Came> {
        std::mem::take(&mut *self.came.lock().unwrap())
    }
}

/// The id and the secret of a webhook that was made.
pub(crate) async fn listens(caller: &Caller<'_>, url: &str, kinds: &[&str]) -> (String, String) {
    let made = caller.post("/v1/webhooks", &json!({"url": url, "kinds": kinds})).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let of = |field: &str| made.body[field].as_str().unwrap().to_owned();
    (of("id"), of("secret"))
}

/// Everything that is due is told.
async fn told(rig: &Rig) {
    while courier::round(&rig.app).await.unwrap() > 0 {}
}

/// The same time as everywhere, since who verifies a signature looks at it.
async fn rig(db: PgPool) -> Rig {
    let rig = Rig::new(db).await;
    rig.clock.advance(Clock::System.now().duration_since(rig.clock.now()));
    rig
}

#[sqlx::test(migrations = false)]
async fn who_listens_is_told_what_is_done_and_how_platforms_stand(db: PgPool) {
    let rig = rig(db.clone()).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let receiver = Receiver::new().await;
    let (id, secret) = listens(&acme, &receiver.url, &[]).await;
    let made = acme.send("POST", "/v1/platforms", &[], written("harbour", "Harbour")).await;
    // Another organization's are no business of this one.
    let other = rig.admit("other", PlanName::Starter).await;
    other.send("POST", "/v1/platforms", &[], written("quay", "Quay")).await;
    told(&rig).await;
    let mut came = receiver.came();
    // Several are told at once; ids are in the order in which it was done.
    came.sort_by_key(|it| it.id().to_owned());
    let kinds: Vec<_> = came.iter().map(|it| it.says()["type"].clone()).collect();
    assert_eq!(kinds, ["webhook.create", "platform.create"]);
    assert!(came.iter().all(|it| it.is_signed_by(&secret)));
    assert_eq!(came[1].says()["data"]["target"], made.body["id"]);
    let mut forged = came[1].clone();
    forged.body =
        String::from_utf8(forged.body.to_vec()).unwrap().replace("harbour", "harbor").into();
    assert!(!forged.is_signed_by(&secret));

    // As it stands when somebody begins to listen is no news; what changes then is.
    assert_eq!(herald::round(&rig.app).await.unwrap(), 0);
    let status = BlueprintStatus { phase: Some(Phase::Ready), ..BlueprintStatus::default() };
    rig.cluster.seen_as("harbour", status);
    assert_eq!(herald::round(&rig.app).await.unwrap(), 1);
    assert_eq!(herald::round(&rig.app).await.unwrap(), 0);
    told(&rig).await;
    let [ready] = &receiver.came()[..] else { panic!("one") };
    let data = &ready.says()["data"];
    assert_eq!((data["before"].as_str(), data["phase"].as_str()), (Some("Pending"), Some("Ready")));

    let listed = acme.get(&format!("/v1/webhooks/{id}/deliveries?limit=2")).await.body;
    assert_eq!(listed["items"][0]["id"], ready.id());
    assert_eq!(
        (&listed["items"][0]["state"], &listed["items"][0]["status"]),
        (&json!("delivered"), &json!(204))
    );
    // The secret is shown once, and nowhere kept as it is.
    assert!(!acme.get("/v1/webhooks").await.body.to_string().contains(&secret));
    let kept = "select encode(secret, 'escape') from control.endpoint";
    let kept: String = sqlx::query_scalar(kept).fetch_one(&db).await.unwrap();
    assert!(!kept.contains("whsec_"));
    assert_eq!(acme.delete(&format!("/v1/webhooks/{id}")).await.status, 204);
    assert_eq!(acme.get(&format!("/v1/webhooks/{id}/deliveries")).await.code(), (404, "not-found"));
}

#[sqlx::test(migrations = false)]
async fn what_was_not_taken_is_told_again_for_a_day_and_then_when_somebody_asks(db: PgPool) {
    let rig = rig(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let receiver = Receiver::new().await;
    let (id, secret) = listens(&acme, &receiver.url, &["platform.create"]).await;
    receiver.answers(StatusCode::INTERNAL_SERVER_ERROR);
    acme.send("POST", "/v1/platforms", &[], written("harbour", "Harbour")).await;
    let begun = rig.clock.now();
    while rig.clock.now().duration_since(begun).as_hours() < 25 {
        told(&rig).await;
        rig.clock.advance(SignedDuration::from_mins(5));
    }
    let tries = receiver.came();
    assert_eq!(tries.len(), 8);
    assert!(tries.iter().all(|it| it.id() == tries[0].id() && it.body == tries[0].body));
    let path = format!("/v1/webhooks/{id}/deliveries");
    let failed = acme.get(&path).await.body["items"][0].clone();
    assert_eq!((&failed["state"], &failed["status"]), (&json!("failed"), &json!(500)));

    // Somebody mended it. Who keeps ids knows it for what it is, however often it comes.
    receiver.answers(StatusCode::OK);
    let replay = format!("{path}/{}/replay", tries[0].id());
    rig.clock.advance(SignedDuration::from_hours(1));
    for _ in 0..2 {
        assert_eq!(acme.send("POST", &replay, &[], String::new()).await.status, 202);
        let twice = acme.send("POST", &replay, &[], String::new()).await;
        assert_eq!(twice.code(), (409, "still-told"));
        told(&rig).await;
    }
    let again = receiver.came();
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|it| it.id() == tries[0].id() && it.body == tries[0].body));
    assert!(!again[0].is_signed_by(&secret), "its time is a day ahead of ours");
    assert_eq!(acme.get(&path).await.body["items"][0]["state"], "delivered");
    let absent = format!("{path}/msg_0192f0c8a1b27cc09d3e5f6a7b8c9d0e/replay");
    assert_eq!(acme.send("POST", &absent, &[], String::new()).await.code(), (404, "not-found"));
}

#[sqlx::test(migrations = false)]
async fn for_a_day_after_a_new_secret_both_are_good(db: PgPool) {
    let rig = rig(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let receiver = Receiver::new().await;
    let (id, first) = listens(&acme, &receiver.url, &["platform.create"]).await;
    let renewed = acme.send("POST", &format!("/v1/webhooks/{id}/secret"), &[], String::new()).await;
    let second = renewed.body["secret"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    acme.send("POST", "/v1/platforms", &[], written("harbour", "Harbour")).await;
    told(&rig).await;
    let [came] = &receiver.came()[..] else { panic!("one") };
    assert!(came.is_signed_by(&first) && came.is_signed_by(&second));

    rig.clock.advance(SignedDuration::from_hours(24));
    acme.send("POST", "/v1/platforms", &[], written("quay", "Quay")).await;
    told(&rig).await;
    let [came] = &receiver.came()[..] else { panic!("one") };
    let signatures = came.headers["webhook-signature"].to_str().unwrap();
    assert_eq!(signatures.split(' ').count(), 1, "{signatures}");
}

#[sqlx::test(migrations = false)]
async fn who_is_gone_is_told_nothing_more(db: PgPool) {
    let rig = rig(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let receiver = Receiver::new().await;
    let (id, _) = listens(&acme, &receiver.url, &["platform.create"]).await;
    receiver.answers(StatusCode::GONE);
    for name in ["harbour", "quay"] {
        acme.send("POST", "/v1/platforms", &[], written(name, name)).await;
        told(&rig).await;
    }
    let [came] = &receiver.came()[..] else { panic!("one") };
    let replay = format!("/v1/webhooks/{id}/deliveries/{}/replay", came.id());
    let refused = acme.send("POST", &replay, &[], String::new()).await;
    assert_eq!(refused.code(), (409, "webhook-gone"));
    assert!(acme.get("/v1/webhooks").await.body["items"][0]["goneAt"].is_string());
}

#[sqlx::test(migrations = false)]
async fn who_fails_is_left_alone_and_holds_up_nobody_else(db: PgPool) {
    let rig = rig(db).await;
    let (acme, other) =
        (rig.admit("acme", PlanName::Starter).await, rig.admit("other", PlanName::Starter).await);
    let (failing, well) = (Receiver::new().await, Receiver::new().await);
    let (id, _) = listens(&acme, &failing.url, &["platform.create"]).await;
    listens(&other, &well.url, &["platform.create"]).await;
    failing.answers(StatusCode::SERVICE_UNAVAILABLE);
    acme.send("POST", "/v1/platforms", &[], written("first", "First")).await;
    told(&rig).await;
    for number in 0..20 {
        acme.send("POST", "/v1/platforms", &[], written(&format!("p{number}"), "More")).await;
    }
    other.send("POST", "/v1/platforms", &[], written("harbour", "Harbour")).await;
    told(&rig).await;
    // Of twenty-one it was told one, and waits with the rest.
    assert_eq!((failing.came().len(), well.came().len()), (1, 1));
    assert!(acme.get("/v1/webhooks").await.body["items"][0]["waitsUntil"].is_string());
    failing.answers(StatusCode::OK);
    // Others have their turn between those of one organization.
    let mut came = 0;
    for _ in 0..20 {
        rig.clock.advance(SignedDuration::from_mins(2));
        told(&rig).await;
        came += failing.came().len();
    }
    assert_eq!(came, 21);
    let told = acme.get(&format!("/v1/webhooks/{id}/deliveries")).await.body;
    assert!(told["items"].as_array().unwrap().iter().all(|it| it["state"] == "delivered"));
}

#[sqlx::test(migrations = false)]
async fn nobody_inside_can_be_named(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    for url in [
        "http://example.com/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/",
        "https://2130706434/",
        "https://me:you@example.com/",
        "gopher://x/",
        "example.com",
        "",
    ] {
        let refused = acme.post("/v1/webhooks", &json!({"url": url})).await;
        assert_eq!(refused.code(), (400, "unreadable"), "{url}");
    }
    let unknown = json!({"url": "https://example.com", "kinds": ["platform.explode"]});
    let refused = acme.post("/v1/webhooks", &unknown).await;
    assert!(
        refused.body["detail"].as_str().unwrap().contains("platform.phase"),
        "{:?}",
        refused.body
    );
    // Who does not answer is found when it is called, and what was told says why.
    let (id, _) = listens(&acme, "https://localhost:1/hook", &["platform.create"]).await;
    acme.send("POST", "/v1/platforms", &[], written("harbour", "Harbour")).await;
    courier::round(&rig.app).await.unwrap();
    let told = acme.get(&format!("/v1/webhooks/{id}/deliveries")).await.body["items"][0].clone();
    assert!(told["why"].as_str().unwrap().contains("no connection"), "{told}");
    // And there are ten at most.
    for number in 0..9 {
        listens(&acme, &format!("https://example.com/{number}"), &[]).await;
    }
    let more = acme.post("/v1/webhooks", &json!({"url": "https://example.com/"})).await;
    assert_eq!(more.code(), (409, "too-many-webhooks"));
}

#[sqlx::test(migrations = false)]
async fn a_crowd_of_failures_at_once_counts_as_one(db: PgPool) {
    let rig = rig(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let receiver = Receiver::new().await;
    listens(&acme, &receiver.url, &["platform.create"]).await;
    for number in 0..20 {
        acme.send("POST", "/v1/platforms", &[], written(&format!("p{number}"), "P")).await;
    }
    receiver.answers(StatusCode::BAD_GATEWAY);
    courier::round(&rig.app).await.unwrap();
    assert!(receiver.came().len() > 1);
    let until = acme.get("/v1/webhooks").await.body["items"][0]["waitsUntil"].clone();
    let until: jiff::Timestamp = until.as_str().unwrap().parse().unwrap();
    assert!(until.duration_since(rig.clock.now()).as_secs() <= 5, "{until}");
}

#[sqlx::test(migrations = false)]
async fn what_the_audit_has_is_told_to_who_may_read_it(db: PgPool) {
    let rig = rig(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let receiver = Receiver::new().await;
    let scopes = ["webhooks:write", "platforms:read"];
    let made = acme.post("/v1/keys", &json!({"name": "hooks", "scopes": scopes})).await.body;
    let hooks = rig.caller(Some(made["secret"].as_str().unwrap()));
    for kinds in [json!([]), json!(["key.create"]), json!(["platform.phase", "member.role"])] {
        let wanted = json!({"url": receiver.url, "kinds": kinds});
        assert_eq!(hooks.post("/v1/webhooks", &wanted).await.code(), (403, "not-allowed"));
    }
    listens(&hooks, &receiver.url, &["platform.create", "platform.phase"]).await;
    // What somebody else's was told is no way round.
    let (id, _) = listens(&acme, &receiver.url, &[]).await;
    let path = format!("/v1/webhooks/{id}/deliveries");
    assert_eq!(hooks.get(&path).await.code(), (403, "not-allowed"));
}

#[sqlx::test(migrations = false)]
async fn who_is_taken_out_is_told_nothing_more(db: PgPool) {
    let rig = rig(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let invited = json!({"email": "dan@acme.test", "role": "admin"});
    let link = acme.post("/v1/invitations", &invited).await.body["url"].clone();
    let mut dan = Browser::join(&rig, link.as_str().unwrap(), "Dan").await;
    let key = [
        ("name", "hooks"),
        ("days", "30"),
        ("webhooks:write", "on"),
        ("audit:read", "on"),
        ("platforms:read", "on"),
    ];
    let made = dan.fill("/o/acme/keys", &key).await;
    let secret = made.is(201).between("<code>", "</code>");
    let receiver = Receiver::new().await;
    listens(&rig.caller(Some(&secret)), &receiver.url, &[]).await;
    let members = acme.get("/v1/members").await.body;
    let id = members["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(acme.delete(&format!("/v1/members/{id}")).await.status, 204);
    assert_eq!(acme.get("/v1/webhooks").await.body["items"], json!([]));
    let audit = acme.get("/v1/audit?limit=100").await.body;
    let removed = audit["items"].as_array().unwrap().last().unwrap();
    assert_eq!(removed["detail"]["webhooksDeleted"], 1, "{removed}");
}
