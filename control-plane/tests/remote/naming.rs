//! Names of a platform's own, the link into it, and what was done to it, from afar.

use std::time::Duration;

use blueprint::status::{DnsRecord, DomainState, DomainStatus, Phase};
use blueprint::{BlueprintStatus, PlanName};
use control_plane::cluster::RECHECK;
use remote::{Applied, Kind, Looked, Standing};
use sqlx::PgPool;
use tokio::sync::mpsc;

use crate::rig::written;
use crate::served::Afar;
use crate::tenant::{Tenant, served};

/// Longer than any of this takes.
const LONG: Duration = Duration::from_secs(20);
const SHOP: &str = "shop.example";

/// What an operator says of that name.
fn told(state: DomainState, found: &[&str]) -> BlueprintStatus {
    let record = DnsRecord {
        kind: "CNAME".to_owned(),
        name: SHOP.to_owned(),
        value: "harbour.edge.example".to_owned(),
    };
    let shop = DomainStatus {
        name: SHOP.to_owned(),
        state,
        record: Some(record),
        found: found.iter().map(|it| (*it).to_owned()).collect(),
        expires_at: None,
    };
    BlueprintStatus { domains: vec![shop], ..BlueprintStatus::default() }
}

fn domains(afar: &Afar) -> Vec<String> {
    let spec = afar.rig.cluster.of("harbour").unwrap().spec;
    spec.domains.iter().map(ToString::to_string).collect()
}

#[sqlx::test(migrations = false)]
async fn a_name_is_added_and_taken_away_and_nothing_else_is_changed(db: PgPool) {
    let afar = Afar::new(db, PlanName::Business).await;
    let text =
        format!("{}  domains: [harbour.example]\n  suspended: true\n", written("harbour", "One"));
    afar.apply_text(&text).await.unwrap();
    let before = afar.rig.cluster.of("harbour").unwrap().spec;
    let (name, shop) = ("harbour".parse().unwrap(), SHOP.parse().unwrap());
    let Applied::Changed(changed, changes) =
        remote::add_domain(&afar.client, &name, &shop).await.unwrap()
    else {
        panic!("it is new");
    };
    assert_eq!((changes.len(), changes[0].path.as_str()), (1, "spec.domains"));
    assert_eq!(domains(&afar), ["harbour.example", SHOP]);
    let again = remote::add_domain(&afar.client, &name, &shop).await.unwrap();
    assert!(matches!(again, Applied::Unchanged(_)));

    // Its operator tells a moment later which record is to be set.
    let watched = remote::watch_domain(&afar.client, &changed, SHOP, LONG);
    let waits = told(DomainState::WaitingForRecord, &["192.0.2.1"]);
    let seen = async {
        tokio::task::yield_now().await;
        afar.rig.cluster.seen_as("harbour", waits);
    };
    let (watched, ()) = tokio::join!(watched, seen);
    let Looked::News(news) = watched.unwrap() else { panic!("there are news") };
    assert_eq!((news.state.as_str(), news.found[0].as_str()), ("WaitingForRecord", "192.0.2.1"));
    assert_eq!(news.record.unwrap().value.as_str(), "harbour.edge.example");

    for _ in 0..2 {
        remote::remove_domain(&afar.client, &name, &shop).await.unwrap();
    }
    assert_eq!(afar.rig.cluster.of("harbour").unwrap().spec, before);
    let other = "nobody".parse().unwrap();
    let error = remote::add_domain(&afar.client, &other, &shop).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NoPlatform, "{error}");
}

#[sqlx::test(migrations = false)]
async fn who_has_a_name_looked_at_again_hears_what_came_of_it(db: PgPool) {
    let afar = Afar::new(db, PlanName::Business).await;
    afar.apply("harbour", "One").await.unwrap();
    afar.rig.cluster.seen_as("harbour", told(DomainState::WaitingForRecord, &[]));
    let name = "harbour".parse().unwrap();
    let before = remote::recheck(&afar.client, &name).await.unwrap();
    let notes = afar.rig.cluster.of("harbour").unwrap().metadata.annotations.unwrap();
    assert!(notes.contains_key(RECHECK), "{notes:?}");
    let early = Duration::from_millis(200);
    let nothing = remote::watch_domain(&afar.client, &before, SHOP, early).await.unwrap();
    assert_eq!(nothing, Looked::Nothing(Some(before.domains[0].clone())));
    afar.rig.cluster.seen_as("harbour", told(DomainState::Verified, &[]));
    let news = remote::watch_domain(&afar.client, &before, SHOP, LONG).await.unwrap();
    assert!(matches!(news, Looked::News(news) if news.state.as_str() == "Verified"));
    // One that serves is not waited for, nor one that nobody has.
    afar.rig.cluster.seen_as("harbour", told(DomainState::Serving, &[]));
    let serves = remote::recheck(&afar.client, &name).await.unwrap();
    let looked = remote::watch_domain(&afar.client, &serves, SHOP, LONG).await.unwrap();
    assert!(matches!(looked, Looked::Nothing(Some(serves)) if serves.is_served()));
    let nobodys = remote::watch_domain(&afar.client, &before, "no.example", early).await.unwrap();
    assert_eq!(nobodys, Looked::Nothing(None));
}

#[sqlx::test(migrations = false)]
async fn the_link_into_a_platform_comes_once_it_is_met(db: PgPool) {
    let afar = Afar::new(db, PlanName::Business).await;
    let acme = afar.rig.caller(Some(&afar.key));
    let (mut tenant, _) = served(&afar.rig, &acme, "harbour").await;
    let platform = remote::find(&afar.client, &"harbour".parse().unwrap()).await.unwrap();
    let link = remote::admin_link(&afar.client, &platform).await.unwrap();
    assert_eq!(tenant.at(link.url.as_str()).await.0, 200);
    assert_eq!(link.expires_at.as_str(), "2026-03-02T12:00:00Z");
    Tenant::is_met(&afar.rig, "harbour", Phase::Provisioning);
    let error = remote::admin_link(&afar.client, &platform).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotReady, "{error}");
    Tenant::is_met(&afar.rig, "harbour", Phase::Ready);
    tenant.dies();
    let error = remote::admin_link(&afar.client, &platform).await.unwrap_err();
    assert!(error.kind() == Kind::NotReady && error.hint().contains("5 s"), "{error}");
}

#[sqlx::test(migrations = false)]
async fn what_was_done_is_told_in_order_and_how_it_stands_as_it_changes(db: PgPool) {
    let afar = Afar::new(db, PlanName::Business).await;
    afar.apply("harbour", "One").await.unwrap();
    afar.apply("harbour", "Two").await.unwrap();
    let platform = remote::find(&afar.client, &"harbour".parse().unwrap()).await.unwrap();
    let done = remote::operations(&afar.client, &platform).await.unwrap();
    let lines: Vec<_> = done.iter().map(ToString::to_string).collect();
    let kinds: Vec<_> = done.iter().map(|it| it.kind.as_str()).collect();
    assert_eq!(kinds, ["create", "change"], "{lines:?}");
    assert!(
        lines[1].starts_with("2026-03-01T12:00:00Z  change     running (0 %), by key_"),
        "{lines:?}"
    );

    let (tell, mut heard) = mpsc::unbounded_channel();
    let listens = remote::listen(&afar.client, &platform, |now: &Standing| {
        tell.send(now.to_string()).unwrap();
    });
    let operates = async {
        assert_eq!(heard.recv().await.unwrap(), "Pending");
        let ready = BlueprintStatus {
            phase: Some(Phase::Ready),
            observed_generation: Some(2),
            ..BlueprintStatus::default()
        };
        afar.rig.cluster.seen_as("harbour", ready);
        assert_eq!(heard.recv().await.unwrap(), "Ready");
        remote::delete(&afar.client, &platform.name, "harbour").await.unwrap();
        assert_eq!(heard.recv().await.unwrap(), "Deleted");
    };
    let (listened, ()) = tokio::join!(listens, operates);
    listened.unwrap();
}
