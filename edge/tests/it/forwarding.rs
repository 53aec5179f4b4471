//! What a platform and a visitor see of each other.

use std::fmt::Write as _;

use axum::Router;
use axum::extract::Request;
use axum::http::header;
use axum::response::IntoResponse as _;
use axum::routing::any;
use http_body_util::Full;
use hyper::StatusCode;
use sqlx::PgPool;

use crate::Rig;

/// A platform that tells what it was asked.
fn mirror() -> Router {
    Router::new().fallback(any(async |request: Request| {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let mut said = format!("{} {} {:?}\n", head.method, head.uri, head.version);
        for (name, value) in &head.headers {
            writeln!(said, "{name}: {}", value.to_str().unwrap()).unwrap();
        }
        write!(said, "\n{}", String::from_utf8(body.to_vec()).unwrap()).unwrap();
        ([("connection", "x-inside"), ("x-inside", "1"), ("x-outside", "2")], said).into_response()
    }))
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn a_platform_is_told_who_the_visitor_is_by_the_edge_alone(db: PgPool) {
    let rig = Rig::start(db).await;
    rig.platform("acme", mirror(), &["a.example.com"]).await;
    rig.until_served("a.example.com").await;
    let request = |builder: hyper::http::request::Builder| {
        builder
            .header("x-forwarded-for", "10.0.0.1")
            .header("x-forwarded-proto", "http")
            .header("x-request-id", "mine")
            .header("te", "trailers")
            .header("origin", "https://a.example.com")
            .body(Full::from("three"))
            .unwrap()
    };
    // Whoever names what the edge says takes nothing of it away.
    let one = hyper::Request::post("/p?q=r")
        .header("host", "A.example.com:443")
        .header("connection", "x-forwarded-for, x-forwarded-proto, x-request-id");
    let two = hyper::Request::post("https://a.example.com/p?q=r");
    let answers = [
        rig.ask("a.example.com", request(one)).await,
        rig.ask_by_two("a.example.com", request(two)).await,
    ];
    for answer in answers {
        assert_eq!(answer.status, StatusCode::OK);
        let said = &answer.text;
        assert!(said.starts_with("POST /p?q=r HTTP/1.1\n"), "{said}");
        assert!(said.ends_with("\n\nthree"), "{said}");
        for line in [
            "host: a.example.com",
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-proto: https",
            "origin: https://a.example.com",
        ] {
            assert_eq!(said.lines().filter(|each| *each == line).count(), 1, "{line}: {said}");
        }
        assert!(!said.contains("mine") && !said.contains("trailers"), "{said}");
        // Both know the request by the same name.
        let id = answer.header("x-request-id");
        assert!(id.len() == 36 && said.contains(&format!("x-request-id: {id}\n")), "{id}: {said}");
        assert_eq!((answer.header("x-inside"), answer.header("x-outside")), ("", "2"));
        assert_eq!(answer.header("strict-transport-security"), "max-age=15552000");
    }
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn through_a_proxy_that_is_trusted_a_visitor_is_who_the_proxy_says(db: PgPool) {
    let rig = Rig::start(db).await;
    rig.platform("acme", mirror(), &[]).await;
    rig.until_served("acme.soulfra.test").await;
    for (from, expected) in [("127.0.0.9", "203.0.113.7"), ("127.0.0.8", "127.0.0.8")] {
        let request = hyper::Request::get("/")
            .header("host", "acme.soulfra.test")
            .header("x-forwarded-for", "10.0.0.1, 203.0.113.7");
        let request = request.body(Full::default()).unwrap();
        let answer = rig.ask_from(from, "acme.soulfra.test", request).await;
        let line = format!("x-forwarded-for: {expected}\n");
        assert!(answer.text.contains(&line), "{}", answer.text);
        assert!(!answer.text.contains("10.0.0.1"), "{}", answer.text);
    }
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn a_platform_that_does_not_answer_is_said_to_be_so_to_people_and_to_programs(db: PgPool) {
    let rig = Rig::start(db).await;
    let mut acme = rig.platform("acme", mirror(), &[]).await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    acme.backend = free.local_addr().unwrap().to_string();
    drop(free);
    rig.put(&acme).await;
    rig.until_served("acme.soulfra.test").await;
    let told = async {
        loop {
            let answer = rig.get("acme.soulfra.test", "/").await;
            if answer.status == StatusCode::SERVICE_UNAVAILABLE {
                break answer;
            }
        }
    };
    let page = tokio::time::timeout(crate::rig::PATIENCE, told).await.unwrap();
    assert!(page.header(header::CONTENT_TYPE.as_str()).starts_with("text/html"));
    assert!(page.text.contains("The acme platform"), "{}", page.text);
    let request = hyper::Request::get("/").header("host", "acme.soulfra.test");
    let problem = rig.ask("acme.soulfra.test", request.body(Full::default()).unwrap()).await;
    assert_eq!(problem.header("content-type"), "application/problem+json");
    assert!(problem.text.contains("\"code\":\"unreachable\""), "{}", problem.text);
    assert_eq!((page.header("retry-after"), problem.header("retry-after")), ("5", "5"));
}
