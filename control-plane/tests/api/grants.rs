//! A link into a platform as its owner, by a grant: the platform's own runtime is at the other end.

use blueprint::PlanName;
use blueprint::status::Phase;
use control_plane::grants::{self, KeyError};
use control_plane::root_keys::{resealed, told};
use serde_json::json;
use sqlx::PgPool;

use crate::Rig;
use crate::browser::Browser;
use crate::rig::{Answer, key_ring, written};
use crate::tenant::{Tenant, served};

/// What the audit has of links, and all of what the database has, in which nothing of one may be.
async fn kept(db: &PgPool) -> String {
    let rows = sqlx::query_scalar::<_, String>(
        "select string_agg(t::text, E'\\n') from (
             select a::text from control.audit a union all select d::text from control.delivery d
             union all select o::text from control.operation o
         ) as t",
    );
    rows.fetch_one(db).await.unwrap()
}

#[sqlx::test(migrations = false)]
async fn a_link_comes_from_the_platform_and_is_kept_nowhere(db: PgPool) {
    let rig = Rig::new(db.clone()).await;
    let acme = rig.admit("acme", PlanName::Business).await;
    let (tenant, id) = served(&rig, &acme, "harbour").await;
    let place = format!("/v1/platforms/{id}/admin-link");
    let mut links = Vec::new();
    for _ in 0..2 {
        let Answer { status, headers, body } = acme.post(&place, &json!({})).await;
        assert_eq!(status, 201, "{body}");
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(body["expiresAt"], "2026-03-02T12:00:00Z");
        let url = body["url"].as_str().unwrap();
        assert!(url.starts_with(&format!("{}/welcome/", tenant.url)), "{url}");
        links.push(url.to_owned());
    }
    // The latest one is good.
    assert_eq!(tenant.at(&links[0]).await.0, 410);
    let (status, page) = tenant.at(&links[1]).await;
    assert!(status == 200 && page.contains("This account will own the platform"), "{page}");
    let lines = acme.get("/v1/audit").await.body;
    let asked = lines["items"].as_array().unwrap().iter();
    let asked: Vec<_> = asked.filter(|it| it["action"] == "platform.admin-link").collect();
    assert_eq!((asked.len(), &asked[0]["target"]), (2, &json!(id)));
    assert_eq!(asked[0]["detail"], json!({"name": "harbour"}));
    let kept = kept(&db).await;
    for link in &links {
        let (_, token) = link.rsplit_once('/').unwrap();
        assert!(!kept.contains(token), "{kept}");
    }
    let again = acme.send("POST", &place, &[("idempotency-key", "one")], String::new()).await;
    assert_eq!(again.code(), (400, "unreadable"));
}

#[sqlx::test(migrations = false)]
async fn while_nobody_answers_it_is_told_why_and_when_to_come_back(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Business).await;
    let (mut tenant, id) = served(&rig, &acme, "harbour").await;
    let place = format!("/v1/platforms/{id}/admin-link");
    let code = async || {
        let answer = acme.post(&place, &json!({})).await;
        let retry = answer.header("retry-after").to_owned();
        (answer.status.as_u16(), answer.body["code"].as_str().unwrap_or_default().to_owned(), retry)
    };
    let says = |status: u16, code: &str, retry: &str| (status, code.to_owned(), retry.to_owned());
    for phase in [Phase::Pending, Phase::Provisioning, Phase::Suspended, Phase::Deleting] {
        Tenant::is_met(&rig, "harbour", phase);
        assert_eq!(code().await, says(409, "not-ready", ""), "{phase:?}");
    }
    for phase in [Phase::Sleeping, Phase::Degraded, Phase::Upgrading] {
        Tenant::is_met(&rig, "harbour", phase);
        assert_eq!(code().await.0, 201, "{phase:?}");
    }
    // Of another platform of that name, earlier or later, it takes nothing, nor without our keys.
    tenant.app.take_grants_of(None);
    assert_eq!(code().await, says(409, "grant-not-taken", ""));
    tenant.trusts(&rig, "harbour").await;
    rig.cluster.replaced("harbour");
    Tenant::is_met(&rig, "harbour", Phase::Ready);
    assert_eq!(code().await, says(409, "grant-not-taken", ""));
    tenant.trusts(&rig, "harbour").await;
    assert_eq!(code().await.0, 201);
    tenant.dies();
    assert_eq!(code().await, says(503, "platform-not-answering", "5"));
}

#[sqlx::test(migrations = false)]
async fn who_does_not_know_under_which_domain_platforms_are_met_asks_nobody(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Business).await;
    let (_tenant, id) = served(&rig, &acme, "harbour").await;
    let place = format!("/v1/platforms/{id}/admin-link");
    assert_eq!(acme.post(&place, &json!({})).await.status, 201);
    let bare = rig.without_installation();
    let answer = acme.at(&bare).post(&place, &json!({})).await;
    assert_eq!(answer.code(), (409, "platform-not-asked"));
    assert!(answer.body["detail"].as_str().unwrap().contains("settings in its own (operator)"));
    let lines = acme.get("/v1/audit").await.body.to_string();
    assert_eq!(lines.matches("platform.admin-link").count(), 1, "{lines}");
}

#[sqlx::test(migrations = false)]
async fn owners_and_admins_alone_are_let_in_and_keys_that_say_so(db: PgPool) {
    let rig = Rig::new(db).await;
    let owner = Some("olive@acme.test");
    let admitted = rig.admitted("acme", PlanName::Business, owner).await;
    let acme = rig.caller(Some(admitted.key.expose()));
    let (tenant, id) = served(&rig, &acme, "harbour").await;
    let place = format!("/v1/platforms/{id}/admin-link");
    let write = json!({"name": "deploy", "scopes": ["platforms:read", "platforms:write"]});
    let made = acme.post("/v1/keys", &write).await.body;
    let deploys = rig.caller(made["secret"].as_str());
    let refused = deploys.post(&place, &json!({})).await;
    assert_eq!(refused.code(), (403, "not-allowed"));
    assert!(refused.body["detail"].as_str().unwrap().contains("platforms:admin"));
    // A key cannot be made for it by whoever may not do it.
    let mut olive = Browser::join(&rig, &admitted.invitation.unwrap(), "Olive").await;
    let page = "/o/acme/platforms/harbour";
    for (role, may) in [("admin", true), ("developer", false), ("viewer", false)] {
        let email = format!("{role}@acme.test");
        let invited = acme.post("/v1/invitations", &json!({"email": email, "role": role})).await;
        let link = invited.body["url"].as_str().unwrap();
        let mut person = Browser::join(&rig, link, role).await;
        let looked = person.open(page).await;
        assert_eq!(looked.html.contains("Make an admin link"), may, "{role}");
        let made = person.fill(&format!("{page}/admin-link"), &[]).await;
        assert_eq!(made.status, if may { 201 } else { 403 }, "{role}");
    }
    let made = olive.fill(&format!("{page}/admin-link"), &[]).await;
    made.is(201).says("It is shown here and never again.");
    let link = made.between("<a href=\"http", "\"");
    let link = format!("http{link}").replace("&#x3D;", "=");
    assert_eq!(tenant.at(&link).await.0, 200, "{link}");
    olive.open(page).await.is(200).says_nothing_of("/welcome/");
    tenant.app.take_grants_of(None);
    let page = olive.fill(&format!("{page}/admin-link"), &[]).await;
    page.is(409).says("controlPlane.grants");
}

#[sqlx::test(migrations = false)]
async fn what_only_names_the_organization_lets_nobody_in(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Business).await;
    let _there = served(&rig, &acme, "harbour").await;
    let text = format!("{}  organization: acme\n", written("quay", "Quay"));
    rig.cluster.by_kubectl(blueprint::read(&text).unwrap());
    Tenant::is_met(&rig, "quay", Phase::Ready);
    control_plane::observer::round(&rig.app).await.unwrap();
    let listed = acme.get("/v1/platforms?name=quay").await.body;
    let id = listed["items"][0]["id"].as_str().unwrap();
    let answer = acme.post(&format!("/v1/platforms/{id}/admin-link"), &json!({})).await;
    assert_eq!(answer.code(), (409, "managed-elsewhere"));
}

#[sqlx::test(migrations = false)]
async fn another_key_signs_once_platforms_know_it_and_each_is_sealed(db: PgPool) {
    let rig = Rig::new(db.clone()).await;
    let acme = rig.admit("acme", PlanName::Business).await;
    let (tenant, id) = served(&rig, &acme, "harbour").await;
    let place = format!("/v1/platforms/{id}/admin-link");
    let asks = async || acme.post(&place, &json!({})).await.code().0;
    let mut conn = db.acquire().await.unwrap();
    let first = grants::published(&mut conn).await.unwrap();
    assert_eq!(first.len(), 1, "made once, by whoever needs it first");
    // The clock of whoever says it may be behind.
    let now = rig.clock.now() - jiff::SignedDuration::from_hours(1);
    let next = grants::add(&mut conn, &key_ring(&[7]), now).await.unwrap();
    assert_eq!(asks().await, 201, "it does not sign yet");
    // Too early: no platform knows it.
    grants::sign_with(&mut conn, &next, now).await.unwrap();
    assert_eq!(asks().await, 409);
    tenant.trusts(&rig, "harbour").await;
    assert_eq!(asks().await, 201);
    let shown = grants::published(&mut conn).await.unwrap();
    assert_eq!((shown[0].id(), shown[1].id()), (&*next, first[0].id()));
    let signs = grants::remove(&mut conn, &next).await.unwrap_err();
    assert!(matches!(signs, KeyError::Signs(_)), "{signs}");
    grants::remove(&mut conn, first[0].id()).await.unwrap();
    let none = grants::remove(&mut conn, first[0].id()).await.unwrap_err();
    assert!(matches!(none, KeyError::None(_)), "{none}");

    // Another root key takes the place of the one that it is sealed under.
    let turned = rig.beside(key_ring(&[8, 7]));
    let used = told::used(&mut conn).await.unwrap();
    assert_eq!(used[&key_ring(&[7]).seals().id()].signing_keys, 1);
    let done = resealed::all(&turned.app).await.unwrap();
    assert_eq!(done, resealed::Done { sealed: 1, refused: 0 });
    let used = told::used(&mut conn).await.unwrap();
    assert_eq!(used.keys().copied().collect::<Vec<_>>(), [key_ring(&[8]).seals().id()]);
    let after = rig.beside(key_ring(&[8]));
    let acme = acme.at(&after);
    assert_eq!(acme.post(&place, &json!({})).await.status, 201);
    let private = sqlx::query_scalar::<_, Vec<u8>>("select secret from control.signing_key");
    let private = private.fetch_one(&mut *conn).await.unwrap();
    assert!(private.len() > 100 && !shown[0].bytes().is_empty());
}
