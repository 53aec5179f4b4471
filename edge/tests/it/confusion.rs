//! No request reaches a platform that its name does not mean.

use axum::Router;
use axum::extract::Request;
use axum::routing::any;
use http_body_util::Full;
use hyper::StatusCode;
use sqlx::PgPool;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::Rig;

fn says(what: &'static str) -> Router {
    Router::new().fallback(any(async move || what))
}

async fn two(db: PgPool) -> Rig {
    let rig = Rig::start(db).await;
    rig.platform("acme", says("I am acme"), &["a.example.com"]).await;
    rig.platform("berta", says("I am berta"), &["b.example.com"]).await;
    for host in ["a.example.com", "b.example.com", "acme.soulfra.test"] {
        rig.until_served(host).await;
    }
    rig
}

/// What is answered to these very bytes, over a connection for this name.
async fn raw(rig: &Rig, name: &str, bytes: &str) -> String {
    let mut stream = rig.visitor(name, "http/1.1").await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    // Who is refused may be cut off in the middle of it.
    let _ended = stream.read_to_end(&mut said).await;
    String::from_utf8_lossy(&said).into_owned()
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn a_request_under_another_name_than_its_connection_is_misdirected(db: PgPool) {
    let rig = two(db).await;
    for host in ["b.example.com", "acme.soulfra.test", "nobody.example.com", "127.0.0.1"] {
        let one = hyper::Request::get("/").header("host", host);
        let answer = rig.ask("a.example.com", one.body(Full::default()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{host}");
        let two = hyper::Request::get(format!("https://{host}/"));
        let answer = rig.ask_by_two("a.example.com", two.body(Full::default()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{host}");
    }
    let same = hyper::Request::get("https://A.example.com./").body(Full::default()).unwrap();
    assert_eq!(rig.ask_by_two("a.example.com", same).await.text, "I am acme");
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn whatever_a_head_says_it_reaches_one_platform_or_none(db: PgPool) {
    let rig = two(db).await;
    let end = "connection: close\r\n\r\n";
    let heads = [
        "GET / HTTP/1.1\r\nhost: b.example.com\r\n",
        "GET / HTTP/1.1\r\nhost: a.example.com\r\nhost: b.example.com\r\n",
        "GET / HTTP/1.1\r\nhost: b.example.com\r\nhost: a.example.com\r\n",
        "GET http://b.example.com/ HTTP/1.1\r\nhost: a.example.com\r\n",
        "GET https://b.example.com/ HTTP/1.1\r\nhost: a.example.com\r\n",
        "GET http://a.example.com@b.example.com/ HTTP/1.1\r\nhost: a.example.com\r\n",
        "GET / HTTP/1.1\r\nhost: a.example.com, b.example.com\r\n",
        "GET / HTTP/1.1\r\nhost: a.example.com b.example.com\r\n",
        "GET / HTTP/1.1\r\nhost: b.example.com:443@a.example.com\r\n",
        "GET / HTTP/1.1\r\nhost : a.example.com\r\nhost: b.example.com\r\n",
        "GET / HTTP/1.1\r\n host: b.example.com\r\nhost: a.example.com\r\n",
        "GET / HTTP/1.1\r\nx: y\r\n host: b.example.com\r\n",
        "GET / HTTP/1.1\r\nhost: \r\n",
        "GET / HTTP/1.0\r\n",
        "GET / HTTP/1.1\r\n",
        "CONNECT b.example.com:443 HTTP/1.1\r\nhost: b.example.com\r\n",
        "GET / HTTP/1.1\r\nhost: a.example.com\r\nx-forwarded-host: b.example.com\r\n",
        "GET / HTTP/1.1\r\nhost: a.example.com\r\nconnection: host\r\nforwarded: host=b.example.com\r\n",
    ];
    for head in heads {
        let said = raw(&rig, "a.example.com", &format!("{head}{end}")).await;
        assert!(!said.contains("I am berta"), "{head}{said}");
        let is_for_acme = head.contains("\r\nhost: a.example.com\r\n");
        assert!(is_for_acme || !said.contains("I am acme"), "{head}{said}");
    }
    // And what is plainly meant for one reaches it.
    let plain = format!("GET / HTTP/1.1\r\nhost: B.example.com:443\r\n{end}");
    assert!(raw(&rig, "b.example.com", &plain).await.contains("I am berta"));
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn a_body_cannot_pass_for_a_second_request(db: PgPool) {
    let rig = Rig::start(db).await;
    let echo = Router::new().fallback(any(async |request: Request| {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
        format!("[{} {} {}]", head.method, head.uri, body.len())
    }));
    rig.platform("acme", echo, &["a.example.com"]).await;
    rig.until_served("a.example.com").await;
    let inner = "GET /stolen HTTP/1.1\r\nhost: a.example.com\r\nx: y";
    let length = inner.len();
    let smuggled = [
        format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n\r\n0\r\n\r\n{inner}"),
        format!("content-length: 0\r\ncontent-length: {length}\r\n\r\n{inner}"),
        format!("transfer-encoding: xchunked\r\n\r\n{inner}"),
        format!("transfer-encoding: chunked, identity\r\n\r\n{inner}"),
        format!("content-length: +{length}\r\n\r\n{inner}"),
        format!("transfer-encoding:\x0bchunked\r\n\r\n{inner}"),
    ];
    for rest in smuggled {
        let head = "POST /first HTTP/1.1\r\nhost: a.example.com\r\n";
        let end = "\r\nconnection: close\r\n\r\n";
        let said = raw(&rig, "a.example.com", &format!("{head}{rest}{end}")).await;
        // What follows a body is the visitor's own second request, or refused. The platform behind
        // must never see more requests than were answered here.
        let answered = said.matches("HTTP/1.1 200").count();
        assert_eq!(
            said.matches("[POST /first").count() + said.matches("[GET /stolen").count(),
            answered,
            "{rest}: {said}"
        );
        let next = rig.get("a.example.com", "/next").await;
        assert_eq!(next.text, "[GET /next 0]", "{rest}");
    }
}

/// As many as `SOULFRA_ROUNDS` says.
#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn of_many_confused_requests_none_reaches_another(db: PgPool) {
    let (seed, rounds) = (crate::number("SOULFRA_SEED", 1), crate::number("SOULFRA_ROUNDS", 400));
    println!("SOULFRA_SEED={seed} SOULFRA_ROUNDS={rounds}");
    let rig = two(db).await;
    let mut chance = crate::Chance(seed);
    let names =
        ["a.example.com", "b.example.com", "acme.soulfra.test", "A.EXAMPLE.COM", "nobody.test"];
    let (mut refused, mut served) = (0, 0);
    for _ in 0..rounds {
        let sni = ["a.example.com", "b.example.com"][chance.below(2)];
        let mut lines = Vec::new();
        for _ in 0..=chance.below(3) {
            let name = names[chance.below(names.len())];
            let header =
                ["host", "Host", "x-forwarded-host", "forwarded", "HOST", ":authority", " host"];
            let spaces = ["", " ", "\t"][chance.below(3)];
            let tail =
                ["", ":443", ".", ":8443", "@x", "#", "/", "?", "%00", ", "][chance.below(10)];
            lines.push(format!("{}:{spaces}{name}{tail}\r\n", header[chance.below(header.len())]));
        }
        let target = match chance.below(4) {
            0 => format!("https://{}/", names[chance.below(names.len())]),
            1 => format!("//{}/", names[chance.below(names.len())]),
            _ => "/".to_owned(),
        };
        let version = ["1.1", "1.1", "1.0", "2.0"][chance.below(4)];
        let head =
            format!("GET {target} HTTP/{version}\r\n{}connection: close\r\n\r\n", lines.concat());
        let said = raw(&rig, sni, &head).await;
        let (own, other) = match sni {
            "a.example.com" => ("I am acme", "I am berta"),
            _ => ("I am berta", "I am acme"),
        };
        assert!(!said.contains(other), "{sni}: {head}{said}");
        if said.contains(own) { served += 1 } else { refused += 1 }
    }
    println!(
        "counted: {rounds} requests over raw sockets: {served} served, {refused} refused, 0 at another"
    );
    assert!(served > 0 && refused > 0);
}
