//! Files that are kept at the edge, and answers that must not be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use axum::routing::get;
use certificates::served::{Platform, Sleeps};
use http_body_util::Full;
use hyper::{Method, StatusCode};
use sqlx::PgPool;

use crate::Rig;
use crate::rig::{Answer, PATIENCE};
use crate::sleeping::Played;

const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// A platform with one style sheet, which counts how often it is asked.
fn styled(asked: Arc<AtomicUsize>, colour: &'static str) -> Router {
    let sheet = async move |State(asked): State<Arc<AtomicUsize>>| {
        asked.fetch_add(1, Ordering::SeqCst);
        let kind = [(header::CONTENT_TYPE, "text/css"), (header::CACHE_CONTROL, FOR_EVER)];
        (kind, format!("a {{ color: {colour} }} ").repeat(100))
    };
    Router::new().route("/assets/app-1.css", get(sheet)).with_state(asked)
}

async fn sheet(rig: &Rig, host: &str, method: Method, encodings: &str) -> Answer {
    let request = hyper::Request::builder().method(method).uri("/assets/app-1.css");
    let request = request.header("host", host).header("accept-encoding", encodings);
    rig.ask(host, request.body(Full::default()).unwrap()).await
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn files_of_a_platform_that_sleeps_are_served_and_wake_nobody(db: PgPool) {
    let cluster = Played::new();
    let rig = Rig::in_cluster(db, Some(Arc::new(cluster.clone()))).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let acme = rig.platform("acme", styled(asked.clone(), "red"), &[]).await;
    rig.platform("other", styled(Arc::default(), "blue"), &[]).await;
    rig.until_served("other.soulfra.test").await;
    let host = "acme.soulfra.test";
    let first = sheet(&rig, host, Method::GET, "").await;
    assert_eq!((first.status, first.header("age")), (StatusCode::OK, ""));

    // It sleeps, and nobody answers where it was.
    let sleeps = Sleeps { namespace: "tenant-acme".to_owned(), copies: 1, asleep: true };
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let backend = free.local_addr().unwrap().to_string();
    drop(free);
    rig.put(&Platform { backend, sleeps: Some(sleeps), ..acme }).await;
    let small = async {
        loop {
            let small = sheet(&rig, host, Method::GET, "gzip, br").await;
            if small.header("content-encoding") == "br" {
                break small;
            }
            assert_eq!(small.text, first.text, "until it was made smaller it is as it was");
        }
    };
    let small = tokio::time::timeout(PATIENCE, small).await.unwrap();
    assert!(small.text.len() < first.text.len() / 5, "{}", small.text.len());
    assert_eq!(
        (small.header("vary"), small.header("cache-control")),
        ("accept-encoding", FOR_EVER)
    );
    let whole = sheet(&rig, host, Method::GET, "identity").await;
    assert_eq!((whole.text.as_str(), whole.header("content-encoding")), (&*first.text, ""));
    assert_eq!((whole.header("content-type"), whole.header("age")), ("text/css", "0"));
    let head = sheet(&rig, host, Method::HEAD, "zstd").await;
    assert_eq!((head.status, head.header("content-encoding")), (StatusCode::OK, "zstd"));
    assert!(head.text.is_empty());
    assert_eq!((asked.load(Ordering::SeqCst), cluster.started().len()), (1, 0));
    let others = sheet(&rig, "other.soulfra.test", Method::GET, "").await;
    assert!(others.text.starts_with("a { color: blue }"), "each platform has files of its own");
}

/// What answers say of who may keep them: in vain, or not at all.
const SAID: [&[(&str, &str)]; 12] = [
    &[],
    &[("cache-control", "private, max-age=31536000, immutable")],
    &[("cache-control", "no-store")],
    &[("cache-control", "public, max-age=31536000")],
    &[("cache-control", "immutable, max-age=31536000")],
    &[("cache-control", "public, max-age=60, immutable")],
    &[("cache-control", FOR_EVER), ("set-cookie", "session=1; HttpOnly")],
    &[("cache-control", FOR_EVER), ("vary", "cookie")],
    &[("cache-control", FOR_EVER), ("vary", "*")],
    &[("cache-control", FOR_EVER), ("cache-control", "private")],
    &[("cache-control", "public, max-age=31536000, immutable, no-cache")],
    &[("cache-control", "public, max-age=31536000, immutable, s-maxage=0")],
];

/// Tells each visitor what only they know.
async fn secret(Path(n): Path<usize>, asked: HeaderMap, request: Request) -> Response<Body> {
    let who = asked[header::COOKIE].to_str().unwrap().to_owned();
    let mut answer = Response::new(Body::from(format!("{who} at {}", request.uri())));
    for (name, value) in SAID[n % SAID.len()] {
        let value = HeaderValue::from_static(value);
        answer.headers_mut().append(HeaderName::from_static(name), value);
    }
    answer
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn no_visitor_is_given_what_was_another_ones(db: PgPool) {
    let rig = Rig::start(db).await;
    let names = ["acme", "other"].map(|name| format!("{name}.soulfra.test"));
    for name in ["acme", "other"] {
        rig.platform(name, Router::new().route("/{n}", get(secret)), &[]).await;
    }
    rig.until_served(&names[1]).await;
    let mut canaries = 0;
    for n in 0..20 * SAID.len() {
        for (host, who) in [(&names[0], "ada"), (&names[0], "bob"), (&names[1], "eve")] {
            let request = hyper::Request::get(format!("/{n}?x={}", n % 3)).header("host", host);
            let request = request.header("cookie", format!("who={who}-{n}"));
            let answer = rig.ask(host, request.body(Full::default()).unwrap()).await;
            assert!(answer.text.starts_with(&format!("who={who}-{n} at ")), "{}", answer.text);
            canaries += 1;
        }
    }
    println!("counted: {canaries} answers that were of one visitor, 0 given to another");
}
