//! Names come, change and go while an edge runs, and without a database.

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certificates::served::{Looks, Shades, Standing};
use http_body_util::Full;
use hyper::{Request, StatusCode};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use work::sealed::RootKey;

use crate::Rig;
use crate::rig::Edge;

fn says(what: &'static str) -> Router {
    Router::new().fallback(get(async move || what))
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn a_name_is_served_as_soon_as_it_has_a_certificate(db: PgPool) {
    let rig = Rig::start(db).await;
    let acme = rig.bare_platform("acme", says("I am acme")).await;
    rig.verify(&acme, "shop.example.com").await;
    assert!(rig.visitor("shop.example.com", "http/1.1").await.is_none());
    rig.issue("shop.example.com").await;
    rig.until_served("shop.example.com").await;
    let answer = rig.get("shop.example.com", "/").await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "I am acme"));
    // Its own name has none yet, and a name of nobody never will.
    assert!(rig.visitor("acme.soulfra.test", "http/1.1").await.is_none());
    assert!(rig.visitor("nobody.example.com", "http/1.1").await.is_none());
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn one_certificate_of_a_zone_serves_every_platform_in_it(db: PgPool) {
    let rig = Rig::start(db).await;
    rig.issue("*.soulfra.test").await;
    rig.bare_platform("acme", says("I am acme")).await;
    rig.until_served("acme.soulfra.test").await;
    assert_eq!(rig.get("acme.soulfra.test", "/").await.text, "I am acme");
    rig.bare_platform("berta", says("I am berta")).await;
    rig.until_served("berta.soulfra.test").await;
    assert_eq!(rig.get("berta.soulfra.test", "/").await.text, "I am berta");
    // A new one is used from then on, by all of them.
    let before = rig.visitor("berta.soulfra.test", "http/1.1").await.unwrap();
    rig.issue("*.soulfra.test").await;
    let certificate = |stream: &tokio_rustls::client::TlsStream<_>| {
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    };
    let renewed = async {
        loop {
            let now = rig.visitor("berta.soulfra.test", "http/1.1").await.unwrap();
            if certificate(&now) != certificate(&before) {
                break;
            }
        }
    };
    tokio::time::timeout(crate::rig::PATIENCE, renewed).await.unwrap();
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn a_name_that_is_given_up_is_not_served_any_more(db: PgPool) {
    let rig = Rig::start(db.clone()).await;
    rig.platform("acme", says("I am acme"), &["shop.example.com"]).await;
    rig.until_served("shop.example.com").await;
    let release = "update certificates.claim
                   set state = 'released', released_at = now(), verified_at = null";
    sqlx::query(release).execute(&db).await.unwrap();
    let gone = async { while rig.visitor("shop.example.com", "http/1.1").await.is_some() {} };
    tokio::time::timeout(crate::rig::PATIENCE, gone).await.unwrap();
    // What it has besides stays.
    rig.until_served("acme.soulfra.test").await;
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn an_edge_that_starts_without_a_database_serves_what_it_knew(db: PgPool) {
    let mut rig = Rig::start(db).await;
    rig.platform("acme", says("I am acme"), &["shop.example.com"]).await;
    rig.until_served("shop.example.com").await;
    rig.until_served("acme.soulfra.test").await;
    rig.edge.end().await;
    // Somebody holds this port and answers nobody.
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://nobody@{}/fleet", nobody.local_addr().unwrap());
    let patience = std::time::Duration::from_millis(50);
    let lost = PgPoolOptions::new().acquire_timeout(patience).connect_lazy(&url).unwrap();
    let folder = rig.folder.path().to_owned();
    rig.edge = Edge::start(lost, &folder).await;
    for (host, path) in [("shop.example.com", "/"), ("acme.soulfra.test", "/any/path")] {
        assert_eq!(rig.get(host, path).await.text, "I am acme");
    }
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn an_edge_that_was_given_another_key_says_so_and_has_all_again_with_the_right_one(
    db: PgPool,
) {
    let mut rig = Rig::start(db.clone()).await;
    rig.platform("acme", says("I am acme"), &[]).await;
    rig.until_served("acme.soulfra.test").await;
    rig.edge.end().await;
    let folder = rig.folder.path().to_owned();
    rig.edge = Edge::with_key(db.clone(), &folder, RootKey::from_bytes([8; 32])).await;
    let told = rig.edge.failure.wait_for(Option::is_some);
    let told = tokio::time::timeout(crate::rig::PATIENCE, told).await.unwrap().unwrap().clone();
    assert!(told.is_some_and(|why| why.contains("with another key")));
    assert_eq!(rig.edge.table.names(), 0, "so it is not ready");
    rig.edge.end().await;
    // Without a database: from its disk.
    db.close().await;
    rig.edge = Edge::start(db, &folder).await;
    assert_eq!(rig.get("acme.soulfra.test", "/").await.text, "I am acme");
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn a_platform_that_is_not_to_answer_says_so_in_its_own_name_and_colours(db: PgPool) {
    let rig = Rig::start(db).await;
    let mut acme = rig.platform("acme", says("I am acme"), &[]).await;
    rig.until_served("acme.soulfra.test").await;
    for (standing, says) in [(Standing::Suspended, "paused"), (Standing::Failed, "at the moment")] {
        acme.standing = standing;
        acme.display_name = "Acme <b>& Sons".to_owned();
        let shade = |text: &str| text.parse().unwrap();
        let (page, text) = (shade("#fff8ee"), shade("#221100"));
        let light = Shades { page, text, quiet: text, link: text };
        acme.looks = Some(Looks { light: Some(light), dark: None });
        rig.put(&acme).await;
        let told = async {
            loop {
                let answer = rig.get("acme.soulfra.test", "/").await;
                if answer.text.contains(says) {
                    break answer;
                }
            }
        };
        let answer = tokio::time::timeout(crate::rig::PATIENCE, told).await.unwrap();
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.text.contains("Acme &lt;b&gt;&amp; Sons"), "{}", answer.text);
        assert!(answer.text.contains("mailto:help@acme.test"), "{}", answer.text);
        assert!(answer.text.contains("--page:#fff8ee"), "{}", answer.text);
        // What styles the page is that, and nothing else.
        let (_, style) = answer.text.split_once("<style>").unwrap();
        let (style, _) = style.split_once("</style>").unwrap();
        let hash = STANDARD.encode(digest(&SHA256, style.as_bytes()));
        let policy = answer.header("content-security-policy");
        assert!(policy.contains(&format!("style-src 'sha256-{hash}';")), "{policy}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(!answer.header("retry-after").is_empty());
    }
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn over_plain_http_visitors_are_sent_on_and_authorities_answered(db: PgPool) {
    let rig = Rig::start(db.clone()).await;
    let acme = rig.platform("acme", says("I am acme"), &[]).await;
    rig.verify(&acme, "shop.example.com").await;
    rig.until_served("acme.soulfra.test").await;
    let port = rig.edge.https.port();
    let said = rig.plain("acme.soulfra.test", "/a?b=c").await;
    assert!(said.starts_with("HTTP/1.1 308"), "{said}");
    assert!(
        said.contains(&format!("location: https://acme.soulfra.test:{port}/a?b=c\r\n")),
        "{said}"
    );
    // Where TLS cannot be spoken yet nobody is sent to.
    let told = async {
        loop {
            let said = rig.plain("shop.example.com", "/").await;
            if !said.starts_with("HTTP/1.1 404") {
                break said;
            }
        }
    };
    let said = tokio::time::timeout(crate::rig::PATIENCE, told).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 503") && said.contains("being set up"), "{said}");
    assert!(rig.plain("nobody.example.com", "/").await.starts_with("HTTP/1.1 404"));

    let answer =
        "insert into certificates.challenge values ('tok-en_1', 'x', 'tok-en_1.key', now())";
    sqlx::query(answer).execute(&db).await.unwrap();
    let of = |token: &str| format!("/.well-known/acme-challenge/{token}");
    let said = rig.plain("shop.example.com", &of("tok-en_1")).await;
    assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("tok-en_1.key"), "{said}");
    for token in ["other", "", "tok-en_1/..", "tok%2Den_1", &"a".repeat(129)] {
        let said = rig.plain("shop.example.com", &of(token)).await;
        assert!(said.starts_with("HTTP/1.1 404"), "{token}: {said}");
    }
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn visitors_are_sent_to_the_one_name_a_platform_wants_to_be_met_under(db: PgPool) {
    let rig = Rig::start(db).await;
    let mut acme = rig.platform("acme", says("I am acme"), &["shop.example.com"]).await;
    let berta = rig.platform("berta", says("I am berta"), &["berta.example.com"]).await;
    for host in ["acme.soulfra.test", "shop.example.com", "berta.example.com"] {
        rig.until_served(host).await;
    }
    let port = rig.edge.https.port();
    let moved_to = async |host: &str| {
        let answer = rig.get(host, "/a?b=c").await;
        (answer.status == StatusCode::PERMANENT_REDIRECT)
            .then(|| answer.header("location").to_owned())
    };
    acme.primary_host = Some("shop.example.com".to_owned());
    rig.put(&acme).await;
    let told = async {
        loop {
            if let Some(to) = moved_to("acme.soulfra.test").await {
                break to;
            }
        }
    };
    let to = tokio::time::timeout(crate::rig::PATIENCE, told).await.unwrap();
    assert_eq!(to, format!("https://shop.example.com:{port}/a?b=c"));
    assert_eq!(moved_to("shop.example.com").await, None);
    // Whoever has the DNS of that name gets no grant and no link of an owner, who is in under the first one.
    let asked = async |path: &str, cookie: &str| {
        let request = Request::get(path).header("host", "acme.soulfra.test");
        let request = request.header("accept", "text/html").header("cookie", cookie);
        let asked = rig.ask("acme.soulfra.test", request.body(Full::default()).unwrap());
        asked.await.status
    };
    for path in ["/grants/admin-link", "/welcome/a-token"] {
        assert_eq!(asked(path, "theme=dark").await, StatusCode::OK, "{path}");
    }
    assert_eq!(asked("/admin", "theme=dark").await, StatusCode::PERMANENT_REDIRECT);
    assert_eq!(asked("/admin", "theme=dark; __Host-session=a").await, StatusCode::OK);
    // Neither to a name without certificate, nor to one of somebody else.
    let mut other = berta.clone();
    for primary in ["new.example.com", "shop.example.com"] {
        other.primary_host = Some(primary.to_owned());
        other.support_email = Some(primary.to_owned());
        rig.put(&other).await;
        rig.verify(&other, &format!("{primary}.after")).await;
        rig.issue(&format!("{primary}.after")).await;
        rig.until_served(&format!("{primary}.after")).await;
        assert_eq!(moved_to("berta.example.com").await, None);
    }
}
