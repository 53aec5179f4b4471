//! Connections that stay: events, and `WebSocket`.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use sqlx::PgPool;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

use crate::Rig;

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn each_event_comes_as_it_is_said(db: PgPool) {
    let rig = Rig::start(db).await;
    let (say, heard) = mpsc::channel::<Result<Bytes, Infallible>>(1);
    let heard = Arc::new(Mutex::new(Some(heard)));
    let events = Router::new().route(
        "/events",
        get(async move || {
            let heard = heard.lock().unwrap().take().unwrap();
            let heard = futures::stream::unfold(heard, async |mut heard| {
                Some((heard.recv().await?, heard))
            });
            ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(heard))
        }),
    );
    rig.platform("acme", events, &["a.example.com"]).await;
    rig.until_served("a.example.com").await;
    let stream = rig.visitor("a.example.com", "http/1.1").await.unwrap();
    let (mut asking, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = hyper::Request::get("/events").header("host", "a.example.com");
    let answer = asking.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let mut body = answer.into_body();
    for word in ["data: one\n\n", "data: two\n\n", ": still here\n\n"] {
        say.send(Ok(Bytes::from(word))).await.unwrap();
        // Each is there before the next was said.
        let frame = tokio::time::timeout(crate::rig::PATIENCE, body.frame()).await.unwrap();
        assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), word);
    }
    drop(say);
    assert!(body.frame().await.is_none());
}

/// Takes the connection over and says everything back.
async fn echo(mut request: Request) -> Response {
    if request.headers().get(header::UPGRADE).is_none() {
        return StatusCode::UPGRADE_REQUIRED.into_response();
    }
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let (mut read, mut write) = tokio::io::split(TokioIo::new(upgrade.await.unwrap()));
        tokio::io::copy(&mut read, &mut write).await.unwrap();
    });
    let headers = [(header::CONNECTION, "upgrade"), (header::UPGRADE, "websocket")];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn a_websocket_goes_both_ways_until_its_end(db: PgPool) {
    let rig = Rig::start(db).await;
    rig.platform("acme", Router::new().fallback(any(echo)), &["a.example.com"]).await;
    rig.until_served("a.example.com").await;
    let stream = rig.visitor("a.example.com", "http/1.1").await.unwrap();
    let (mut asking, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    let request = |protocol: &str| {
        hyper::Request::get("/socket")
            .header("host", "a.example.com")
            .header("connection", "Upgrade")
            .header("upgrade", protocol.to_owned())
            .body(Empty::<Bytes>::new())
            .unwrap()
    };
    let refused = asking.send_request(request("h2c")).await.unwrap();
    assert_eq!(refused.status(), StatusCode::UPGRADE_REQUIRED, "nothing else is passed on");
    drop(refused.into_body().collect().await);
    let answer = asking.send_request(request("websocket")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SWITCHING_PROTOCOLS);
    let mut socket = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
    for word in ["one", "three"] {
        socket.write_all(word.as_bytes()).await.unwrap();
        let mut said = vec![0; word.len()];
        socket.read_exact(&mut said).await.unwrap();
        assert_eq!(said, word.as_bytes());
    }
    socket.shutdown().await.unwrap();
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
}
