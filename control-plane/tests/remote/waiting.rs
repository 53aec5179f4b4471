//! Waiting for a platform from afar.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use blueprint::status::Phase;
use blueprint::{BlueprintStatus, PlanName};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use remote::{Applied, Error, Standing};
use sqlx::PgPool;
use tokio::sync::mpsc;

use crate::rig::written;
use crate::served::{Afar, Served};

/// Longer than any of this takes.
const LONG: Duration = Duration::from_secs(20);

/// What an operator would have seen.
fn status(phase: Phase, is_true: bool) -> BlueprintStatus {
    let condition = |kind: &str| Condition {
        type_: kind.to_owned(),
        status: if is_true { "True" } else { "False" }.to_owned(),
        reason: "Reason".to_owned(),
        message: "no server\u{1b}[2J has room".to_owned(),
        last_transition_time: Time("2026-03-01T12:00:00Z".parse().unwrap()),
        observed_generation: None,
    };
    BlueprintStatus {
        observed_generation: Some(1),
        phase: Some(phase),
        url: Some("https://harbour.example".to_owned()),
        conditions: vec![condition("DatabaseReady"), condition("Ready")],
        ..BlueprintStatus::default()
    }
}

#[sqlx::test(migrations = false)]
async fn who_waits_hears_each_phase_once_and_where_it_answers_in_the_end(db: PgPool) {
    let afar = Afar::new(db, PlanName::Starter).await;
    let wanted = afar.difference(&written("harbour", "One")).await.unwrap();
    let made = wanted.create(&afar.client, 1).await.unwrap();
    let (tell, mut told) = mpsc::unbounded_channel();
    let waits = remote::wait(&afar.client, &made, LONG, |now: &Standing| {
        tell.send(now.to_string()).unwrap();
    });
    let operates = async {
        assert_eq!(told.recv().await.unwrap(), "Pending");
        afar.rig.cluster.seen_as("harbour", status(Phase::Provisioning, false));
        let waits_for = "Provisioning (DatabaseReady: no server[2J has room)";
        assert_eq!(told.recv().await.unwrap(), waits_for);
        afar.rig.cluster.seen_as("harbour", status(Phase::Provisioning, false));
        afar.rig.cluster.seen_as("harbour", status(Phase::Ready, true));
        assert_eq!(told.recv().await.unwrap(), "Ready");
    };
    let (ready, ()) = tokio::join!(waits, operates);
    let ready = ready.unwrap();
    assert_eq!((ready.ready, ready.url.unwrap().as_str()), (true, "https://harbour.example"));
}

#[sqlx::test(migrations = false)]
async fn after_a_change_it_is_ready_once_that_was_seen(db: PgPool) {
    let afar = Afar::new(db, PlanName::Starter).await;
    let wanted = afar.difference(&written("harbour", "One")).await.unwrap();
    wanted.create(&afar.client, 1).await.unwrap();
    afar.rig.cluster.seen_as("harbour", status(Phase::Ready, true));
    let wanted = afar.difference(&written("harbour", "Two")).await.unwrap();
    let Applied::Changed(changed, _) = wanted.apply(&afar.client, 2).await.unwrap() else {
        panic!("it is changed");
    };
    assert_eq!((changed.generation, changed.observed_generation), (Some(2), Some(1)));
    let patience = Duration::from_millis(200);
    let early = remote::wait(&afar.client, &changed, patience, |_: &Standing| {}).await;
    assert!(matches!(early, Err(Error::NotReady { .. })), "nobody has seen it yet");
    let seen = BlueprintStatus { observed_generation: Some(2), ..status(Phase::Ready, true) };
    afar.rig.cluster.seen_as("harbour", seen);
    let ready = remote::wait(&afar.client, &changed, LONG, |_: &Standing| {}).await.unwrap();
    assert_eq!(ready.observed_generation, Some(2));
}

#[sqlx::test(migrations = false)]
async fn nobody_waits_for_ever_or_for_what_was_stopped(db: PgPool) {
    let afar = Afar::new(db, PlanName::Starter).await;
    let wanted = afar.difference(&written("harbour", "One")).await.unwrap();
    let made = wanted.create(&afar.client, 1).await.unwrap();
    let quiet = |_: &Standing| {};
    let error = remote::wait(&afar.client, &made, Duration::ZERO, quiet).await.unwrap_err();
    assert!(matches!(error, Error::NotReady { .. }), "{error}");
    assert!(error.hint().contains("list"), "{}", error.hint());
    remote::delete(&afar.client, &made.name, "harbour").await.unwrap();
    let error = remote::wait(&afar.client, &made, LONG, quiet).await.unwrap_err();
    assert!(matches!(error, Error::Stopped { .. }), "{error}");
    let taken_back = afar.served.client("soulfra_wrong");
    let error = remote::wait(&taken_back, &made, LONG, quiet).await.unwrap_err();
    assert_eq!(error.kind(), remote::Kind::Key, "{error}");
}

/// Says how `harbour` stands, and breaks off. Knows the second time what was heard the first time.
fn cuts_off(headers: &HeaderMap, asked: usize) -> Response {
    let heard = headers.get("last-event-id").map(|id| id.to_str().unwrap());
    let (id, phase, ready) = match (asked, heard) {
        (0, None) => ("one", "Provisioning", false),
        (1, Some("one")) => return StatusCode::BAD_GATEWAY.into_response(),
        (2, Some("one")) => ("two", "Ready", true),
        other => panic!("{other:?}"),
    };
    let now = format!(
        "{{\"id\":\"plt_1\",\"name\":\"harbour\",\"phase\":\"{phase}\",\"ready\":{ready},\
          \"createdAt\":\"2026-03-01T12:00:00Z\"}}"
    );
    let text = format!(": alive\n\nevent: platform\nid: {id}\ndata: {now}\n\ndata: {{\"cut");
    ([(header::CONTENT_TYPE, "text/event-stream")], text).into_response()
}

#[tokio::test]
async fn who_is_cut_off_goes_on_behind_what_was_heard() {
    let asked = Arc::new(AtomicUsize::new(0));
    let router = Router::new()
        .fallback(async move |it: HeaderMap| cuts_off(&it, asked.fetch_add(1, Ordering::Relaxed)));
    let served = Served::new(router).await;
    let made = r#"{"id":"plt_1","name":"harbour","phase":"Pending","ready":false,"createdAt":"x"}"#;
    let mut heard = Vec::new();
    let (client, made) = (served.client("key"), serde_json::from_str(made).unwrap());
    let note = |now: &Standing| heard.push(now.to_string());
    let ready = remote::wait(&client, &made, LONG, note).await;
    assert!(ready.unwrap().ready);
    assert_eq!(heard, ["Pending", "Provisioning", "Ready"]);
}
