use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect};
use axum::routing::post;
use blueprint::Currency;
use futures::stream;
use serde_json::json;
use tokio::net::TcpListener;
use usage::{Allowance, LIFE, Micros};
use uuid::Uuid;

use super::*;

const KEY: &str = "soulfra_models_0123456789";

fn claim() -> Claim {
    Claim {
        holding: Uuid::from_u128(1),
        number: 1,
        tenant: "acme".to_owned(),
        currency: Currency::USD,
        spent: Micros::ZERO,
        want: Micros::new(5),
    }
}

/// A control plane that answers claims so, and what is asked of it.
async fn answering<R: IntoResponse + 'static>(
    lease: impl Fn(&HeaderMap) -> R + Clone + Send + Sync + 'static,
) -> Remote {
    let asked = post(async move |headers: HeaderMap| lease(&headers).into_response());
    let router = Router::new().route("/v1/inference/leases", asked);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    Remote::new(&at, &KEY.to_owned().into()).unwrap()
}

fn said(error: TreasuryError) -> String {
    match error {
        TreasuryError::Unreachable(why) => why,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_lease_is_read_and_the_key_is_sent() {
    let remote = answering(|headers| {
        assert_eq!(headers[header::AUTHORIZATION], format!("Bearer {KEY}"));
        axum::Json(json!({"allowance": {"upTo": 5}, "lifeMillis": 300_000, "else": 1}))
    });
    let lease = remote.await.lease(&claim()).await.unwrap();
    assert_eq!((lease.allowance, lease.life), (Allowance::UpTo(Micros::new(5)), LIFE));
}

#[tokio::test]
async fn refusals_are_told_apart_by_their_codes_and_all_else_is_no_answer() {
    for known in TreasuryError::ANSWERS {
        let code = known.code().unwrap();
        let remote =
            answering(move |_| (StatusCode::CONFLICT, axum::Json(json!({"code": code})))).await;
        assert_eq!(remote.lease(&claim()).await, Err(known));
    }
    for (status, code) in [(401, "no-key"), (503, "holding-ended"), (409, "name-taken")] {
        let status = StatusCode::from_u16(status).unwrap();
        let remote = answering(move |_| (status, axum::Json(json!({"code": code})))).await;
        let why = said(remote.lease(&claim()).await.unwrap_err());
        assert!(why.contains(code) && why.contains(status.as_str()), "{why}");
    }
}

#[tokio::test]
async fn what_is_no_answer_of_a_control_plane_is_not_believed_and_not_read_for_ever() {
    let page = answering(|_| "<html>").await;
    assert_eq!(said(page.lease(&claim()).await.unwrap_err()), "it speaks otherwise");
    let endless = answering(|_| {
        Body::from_stream(stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 1_000])))
    });
    assert_eq!(said(endless.await.lease(&claim()).await.unwrap_err()), "its answer does not end");
}

#[tokio::test]
async fn who_listens_nowhere_is_out_of_reach_and_the_address_says_nothing_of_the_key() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let remote = Remote::new(&at, &KEY.to_owned().into()).unwrap();
    let why = said(remote.lease(&claim()).await.unwrap_err());
    assert!(!why.contains(KEY) && !why.is_empty(), "{why}");
}

#[tokio::test]
async fn the_key_goes_nowhere_else() {
    let elsewhere = Arc::new(AtomicUsize::new(0));
    let count = elsewhere.clone();
    let there = post(async move || count.fetch_add(1, Ordering::Relaxed).to_string());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = format!("http://{}/x", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/x", there)).await });
    let remote = answering(move |_| Redirect::temporary(&to)).await;
    let why = said(remote.lease(&claim()).await.unwrap_err());
    assert!(why.contains("307"), "{why}");
    assert_eq!(elsewhere.load(Ordering::Relaxed), 0);
}

#[test]
fn a_control_plane_elsewhere_is_asked_over_tls_alone() {
    let asked = |at: &str| Remote::new(&at.parse().unwrap(), &KEY.to_owned().into()).err();
    for good in
        ["https://console.example", "https://a.example/b/", "http://127.0.0.1:1", "http://[::1]:1"]
    {
        assert_eq!(asked(good), None, "{good}");
    }
    for wrong in [
        "http://console.example",
        "http://10.0.0.1",
        "ftp://127.0.0.1",
        "https://me:secret@console.example",
        "https://console.example/?key=1",
        "http://localhost.example",
    ] {
        assert_eq!(asked(wrong), Some(RemoteError::Address), "{wrong}");
    }
    let key = "two\nlines".to_owned().into();
    let refused = Remote::new(&"https://console.example".parse().unwrap(), &key).err();
    assert_eq!(refused, Some(RemoteError::Key));
}
