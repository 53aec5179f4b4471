//! What is no control plane, or none just now.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use blueprint::PlanName;
use remote::{Client, Kind};
use sqlx::PgPool;
use tokio::net::TcpListener;

use crate::played::Silent;
use crate::served::{AT_ONCE, Afar, Served};

/// A server that says this to everything, and how often it was asked.
async fn says<T: IntoResponse + Clone + Send + Sync + 'static>(
    answer: T,
) -> (Served, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let router = Router::new().fallback(async move || {
        counted.fetch_add(1, Ordering::Relaxed);
        answer
    });
    (Served::new(router).await, asked)
}

#[tokio::test]
async fn what_is_not_there_or_is_something_else_is_told() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", nobody.local_addr().unwrap()).parse().unwrap();
    drop(nobody);
    let client = Client::new(address, &"key".parse().unwrap(), AT_ONCE).unwrap();
    let error = remote::list(&client).await.unwrap_err();
    assert_eq!(error.kind(), Kind::ControlPlane);
    assert!(error.to_string().contains("refused"), "{error}");

    let to = [(header::LOCATION, "https://elsewhere.example/")];
    let moved = (StatusCode::PERMANENT_REDIRECT, to);
    let large = vec![b' '; 5 << 20];
    for (answer, why) in [
        ((StatusCode::OK, "<html>").into_response(), "cannot be read"),
        ((StatusCode::OK, large).into_response(), "bytes"),
        ((StatusCode::NOT_FOUND, "?").into_response(), "404"),
        (moved.into_response(), "leads to https://elsewhere.example/"),
    ] {
        let (head, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, 8 << 20).await.unwrap();
        let (served, asked) = says((head.status, head.headers, body)).await;
        let error = remote::organization(&served.client("key")).await.unwrap_err();
        assert_eq!(error.kind(), Kind::ControlPlane, "{error}");
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(asked.load(Ordering::Relaxed), 1, "{error}");
    }
}

#[tokio::test]
async fn what_passes_is_tried_again_and_nobody_sits_before_what_takes_long() {
    for (retry_after, times) in [("0", 3), ("900", 1)] {
        let (served, asked) =
            says((StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, retry_after)])).await;
        let error = remote::list(&served.client("key")).await.unwrap_err();
        assert_eq!(error.kind(), Kind::ControlPlane, "{error}");
        assert_eq!(asked.load(Ordering::Relaxed), times, "Retry-After: {retry_after}");
    }
}

#[sqlx::test(migrations = false)]
async fn a_cluster_that_does_not_answer_is_told_and_what_it_did_is_not_done_twice(db: PgPool) {
    let afar = Afar::new(db, PlanName::Starter).await;
    for (silent, name) in [(Silent::Dead, "harbour"), (Silent::Mute, "haven")] {
        afar.rig.cluster.be(silent);
        let error = afar.apply(name, "One").await.unwrap_err();
        assert_eq!(error.kind(), Kind::ControlPlane, "{error}");
        assert!(error.hint().contains("5 s"), "{}", error.hint());
        afar.rig.cluster.be(Silent::No);
        afar.apply(name, "One").await.unwrap();
    }
    assert_eq!(remote::list(&afar.client).await.unwrap().len(), 2);
}
