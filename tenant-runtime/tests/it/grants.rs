//! What the control plane is granted at a platform.

use accounts::links::Purpose;
use axum::body::Body;
use axum::http::{Method, Request};
use jiff::SignedDuration;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use web::grant::{Kind, SigningKey, Trust, Wanted, audience, sign};

use crate::Browser;
use crate::browser::Answer;
use crate::platform::{OLIVE, PASSWORD};
use crate::{Simulator, TestPlatform};

const PLACE: &str = "/grants/admin-link";
const ISSUER: &str = "https://console.example";
const UID: &str = "0192f0c8-a1b2-4cc0-9d3e-5f6a7b8c9d0e";

/// A platform that takes grants signed with this key.
async fn trusting(key: &SigningKey) -> TestPlatform {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let keys = vec![key.public().clone()];
    let audience = audience("harbour", UID);
    platform.app.take_grants_of(Some(Trust { issuer: ISSUER.to_owned(), audience, keys }));
    platform
}

/// A grant that is good there and now.
fn grant(platform: &TestPlatform, key: &SigningKey) -> String {
    grant_at(platform, key, &own_host(platform))
}

/// The same for another name of the platform.
fn grant_at(platform: &TestPlatform, key: &SigningKey, host: &str) -> String {
    let audience = audience("harbour", UID);
    let wanted = Wanted { issuer: ISSUER, audience: &audience, host, kind: Kind::AdminLink };
    sign(key, wanted, platform.clock.now()).unwrap().expose_secret().to_owned()
}

/// The name that the platform has first.
fn own_host(platform: &TestPlatform) -> String {
    let origin: url::Url = platform.app.origin().parse().unwrap();
    origin.host_str().unwrap().to_owned()
}

async fn shown(platform: &TestPlatform, grant: &str) -> Answer {
    brought(&platform.visitor(), grant).await
}

async fn brought(browser: &Browser, grant: &str) -> Answer {
    let request = Request::builder().method(Method::POST).uri(PLACE);
    browser.send(request, Body::from(grant.to_owned())).await
}

#[tokio::test]
async fn a_grant_comes_to_a_link_that_lets_the_owner_in_once() {
    let (key, _) = SigningKey::random().unwrap();
    let platform = trusting(&key).await;
    let former = platform.admin_link().await;
    let answer = shown(&platform, &grant(&platform, &key)).await.expect(200);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let told: Value = serde_json::from_str(&answer.body).unwrap();
    let day = platform.clock.now() + Purpose::AdminWelcome.lifetime();
    assert_eq!(told["expiresAt"], day.to_string());
    let link = told["path"].as_str().unwrap();
    assert!(link.strip_prefix("/welcome/").is_some_and(|token| token.len() == 43), "{link}");
    // It has taken the place of the former one, and works once.
    let form = [("name", "Olive"), OLIVE, PASSWORD];
    platform.visitor().post(&former, &form).await.expect(410);
    platform.visitor().post(link, &form).await.expect(303);
    platform.visitor().post(link, &form).await.expect(410);
    // The next one lets the owner back in.
    let answer = shown(&platform, &grant(&platform, &key)).await.expect(200);
    let told: Value = serde_json::from_str(&answer.body).unwrap();
    let back = platform.visitor();
    let page = back.get(told["path"].as_str().unwrap()).await.expect(200);
    assert!(page.body.contains("This signs you in as Olive."), "{}", page.body);
    // Of the link the database has the hash alone.
    let token = told["path"].as_str().unwrap().strip_prefix("/welcome/").unwrap();
    let mut db = platform.as_administrator().await;
    let kept: String = sqlx::query_scalar("select string_agg(l::text, '') from accounts.link l")
        .fetch_one(&mut db)
        .await
        .unwrap();
    assert!(!kept.contains(token), "{kept}");
}

#[tokio::test]
async fn a_grant_is_taken_once_whichever_copy_it_comes_to() {
    let (key, _) = SigningKey::random().unwrap();
    let platform = trusting(&key).await;
    let other = platform.beside().await;
    other.take_grants_of(platform.app.trust().as_deref().cloned());
    let grant = grant(&platform, &key);
    let here = platform.visitor();
    let there = here.at(&other);
    let answers = [&here, &there, &here].map(|browser| brought(browser, &grant));
    let answers = futures::future::join_all(answers).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 403, 403]);
    // Later it is too old, and what was kept of it goes with the next one.
    platform.clock.advance(SignedDuration::from_hours(2));
    shown(&platform, &grant).await.expect(403);
    shown(&platform, &self::grant(&platform, &key)).await.expect(200);
    let mut db = platform.as_administrator().await;
    let kept: i64 = sqlx::query_scalar("select count(*) from tenant.spent_grant")
        .fetch_one(&mut db)
        .await
        .unwrap();
    assert_eq!(kept, 1);
}

#[tokio::test]
async fn whatever_is_wrong_with_a_grant_the_answer_is_the_same() {
    let (key, _) = SigningKey::random().unwrap();
    let (foreign, _) = SigningKey::random().unwrap();
    let platform = trusting(&key).await;
    let now = platform.clock.now();
    let own = audience("harbour", UID);
    let later = audience("harbour", "0192f0c8-a1b2-4cc0-9d3e-000000000000");
    let other = audience("haven", UID);
    let host = own_host(&platform);
    let made = |key: &SigningKey, issuer: &str, audience: &str, back: i64| {
        let wanted = Wanted { issuer, audience, host: &host, kind: Kind::AdminLink };
        let signed = sign(key, wanted, now - SignedDuration::from_secs(back));
        signed.unwrap().expose_secret().to_owned()
    };
    let good = made(&key, ISSUER, &own, 0);
    let body = good.split('.').nth(1).unwrap();
    // {"alg":"none","typ":"soulfra-grant+jwt"}
    let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoic291bGZyYS1ncmFudCtqd3QifQ";
    let lies = [
        String::new(),
        "nonsense".to_owned(),
        "\u{ff}".repeat(40),
        "x".repeat(3_000),
        format!("{unsigned}.{body}."),
        format!("{good}x"),
        made(&foreign, ISSUER, &own, 0),
        made(&key, "https://console.evil", &own, 0),
        made(&key, ISSUER, &later, 0),
        made(&key, ISSUER, &other, 0),
        made(&key, ISSUER, &own, 90),
        made(&key, ISSUER, &own, -90),
        grant_at(&platform, &key, "shop.example"),
    ];
    let mut answers = Vec::new();
    for lie in &lies {
        let Answer { headers, body, .. } = shown(&platform, lie).await.expect(403);
        assert!(!body.contains("signature") && !body.contains("expired"), "{body}");
        answers.push((headers, body));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    shown(&platform, &good).await.expect(200);
}

#[tokio::test]
async fn a_grant_is_taken_under_the_first_name_alone_whoever_brings_it() {
    let (key, _) = SigningKey::random().unwrap();
    let platform = trusting(&key).await;
    for host in ["shop.example", &*own_host(&platform)] {
        let request = Request::builder().method(Method::POST);
        let request = request.uri(format!("http://shop.example{PLACE}"));
        let grant = grant_at(&platform, &key, host);
        platform.visitor().send(request, Body::from(grant)).await.expect(403);
    }
    // Nor is one handed on that was made for another name.
    shown(&platform, &grant_at(&platform, &key, "shop.example")).await.expect(403);
    shown(&platform, &grant(&platform, &key)).await.expect(200);
}

#[tokio::test]
async fn without_a_control_plane_there_is_no_such_place() {
    let (key, _) = SigningKey::random().unwrap();
    let platform = TestPlatform::new(Simulator::echo()).await;
    let nothing = platform.visitor().get("/grants/nothing").await.expect(404);
    let good = grant(&platform, &key);
    let answer = shown(&platform, &good).await.expect(404);
    assert_eq!(answer.headers.get("allow"), None);
    let looked = platform.visitor().get(PLACE).await.expect(404);
    assert_eq!(looked.body, nothing.body);
    // With one, only what shows a grant finds it; once the settings have it no more, nobody.
    let platform = trusting(&key).await;
    platform.visitor().get(PLACE).await.expect(404);
    platform.app.take_grants_of(None);
    shown(&platform, &good).await.expect(404);
}
