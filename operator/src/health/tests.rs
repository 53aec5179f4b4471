use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use kube::Client;
use tower::ServiceExt as _;

use super::*;
use crate::queue::Ended;
use crate::seen::Seen;

async fn ask(fleet: &Arc<Fleet>, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let answer = router(fleet.clone()).oneshot(request).await.unwrap();
    let status = answer.status();
    let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.into()).unwrap())
}

async fn readiness(fleet: &Arc<Fleet>) -> (StatusCode, Value) {
    let (status, body) = ask(fleet, "/readyz").await;
    (status, serde_json::from_str(&body).unwrap())
}

/// An API server that has nothing, and does not know blueprints until `defined`.
fn api_server(defined: Arc<AtomicBool>) -> Client {
    let answer = move |request: Request<kube::client::Body>| {
        let is_blueprints = request.uri().path().ends_with("/platformblueprints");
        let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        let is_known = !is_blueprints || defined.load(Ordering::Relaxed);
        async move {
            if is_watch {
                return std::future::pending().await;
            }
            let (status, body) = if is_known {
                let list = json!({
                    "apiVersion": "v1", "kind": "List",
                    "metadata": {"resourceVersion": "1"}, "items": [],
                });
                (StatusCode::OK, list)
            } else {
                let refused = json!({
                    "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": 404,
                    "reason": "NotFound", "message": "404 page not found", "metadata": {},
                });
                (StatusCode::NOT_FOUND, refused)
            };
            let body = Body::from(serde_json::to_vec(&body).unwrap());
            Ok::<_, Infallible>(Response::builder().status(status).body(body).unwrap())
        }
    };
    Client::new(tower::service_fn(answer), "default")
}

#[tokio::test(start_paused = true)]
async fn it_starts_before_anybody_defined_blueprints_says_so_and_waits() {
    let fleet = Fleet::new(Arc::new(Seen::default()));
    let (status, said) = readiness(&fleet).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(said["status"], "listing");
    let missing = said["notListed"].as_array().unwrap();
    assert_eq!(missing.len(), Listed::all().len());
    assert!(missing.contains(&json!("Secret database-access")), "{said}");

    let (defined, stop) = (Arc::new(AtomicBool::new(false)), CancellationToken::new());
    let watches = tokio::spawn(fleet.clone().watch(api_server(defined.clone()), stop.clone()));
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert!(!fleet.seen().is_known(), "that there are no platforms is not known");
    let (status, said) = readiness(&fleet).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(said["notKnownToTheCluster"], json!(["PlatformBlueprint"]));
    assert!(said["status"].as_str().unwrap().contains("CustomResourceDefinition"), "{said}");
    assert_eq!(ask(&fleet, "/healthz").await.0, StatusCode::OK);

    defined.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_mins(1)).await;
    let (status, said) = readiness(&fleet).await;
    assert_eq!((status, &said["status"]), (StatusCode::OK, &json!("ready")), "{said}");
    assert_eq!(said["inCharge"], json!(false), "who stands by is ready too");
    assert_eq!(fleet.seen().watches_broken(), 0);
    stop.cancel();
    watches.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_turn_without_end_is_unhealthy() {
    let fleet = Fleet::new(Arc::new(Seen::default()));
    let vitals = fleet.vitals().clone();
    let turn = tokio::spawn(async move { vitals.turn(std::future::pending()).await });
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(ask(&fleet, "/healthz").await.0, StatusCode::OK);
    tokio::time::sleep(Duration::from_mins(1)).await;
    let (status, body) = ask(&fleet, "/healthz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("a turn has been running for 180 s"), "{body}");
    turn.abort();
    assert!(turn.await.is_err());
    assert_eq!(ask(&fleet, "/healthz").await.0, StatusCode::OK);
}

#[tokio::test]
async fn every_number_is_told_and_none_is_about_one_platform() {
    let seen = Arc::new(Seen::default());
    let resource = crate::seen::Resource {
        uid: uuid::Uuid::nil(),
        version: 1,
        blueprint: Err(Box::new(crate::seen::Unreadable {
            why: "secretive".to_owned(),
            metadata: kube::api::ObjectMeta::default(),
            status: None,
        })),
    };
    seen.hear(crate::seen::News::Blueprint("acme".into(), Arc::new(resource)));
    seen.watch_broke();
    let fleet = Fleet::new(seen);
    let vitals = fleet.vitals();
    let _in_charge = vitals.in_charge();
    vitals.looked_at_all(jiff::Timestamp::from_second(1_700_000_000).unwrap());
    vitals.turn(async { Ended::Failed { after: None } }).await;
    vitals.turn(async { Ended::Still { wrote: true, again: None } }).await;
    fleet.queue().push("acme");
    let (_, text) = ask(&fleet, "/metrics").await;
    let told: HashMap<_, _> = text.lines().filter_map(|line| line.rsplit_once(' ')).collect();
    for (name, number) in [
        ("operator_turns_total{outcome=\"failed\"}", "1"),
        ("operator_turns_total{outcome=\"wrote\"}", "1"),
        ("operator_turn_seconds_count", "2"),
        ("operator_queue{place=\"now\"}", "1"),
        ("operator_queue{place=\"later\"}", "0"),
        ("operator_platforms{phase=\"new\"}", "1"),
        ("operator_platforms{phase=\"ready\"}", "0"),
        ("operator_watches_broken_total", "1"),
        ("operator_in_charge", "1"),
        ("operator_looked_at_all_seconds", "1700000000"),
    ] {
        assert_eq!(told.get(name), Some(&number), "{name} in\n{text}");
    }
    assert!(!text.contains("acme"), "{text}");
}
