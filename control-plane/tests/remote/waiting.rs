//! Waiting for a platform from afar.

use std::time::Duration;

use blueprint::status::Phase;
use blueprint::{BlueprintStatus, PlanName};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use remote::{Error, Standing};
use sqlx::PgPool;
use tokio::sync::mpsc;

use crate::rig::written;
use crate::served::Afar;

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
