//! A platform from its blueprint to its end.

use std::time::{Duration, Instant};

use blueprint::status::Phase;
use kube::api::{Patch, PatchParams, PostParams};
use operator::cluster::{CallError, Cluster as _, Kubernetes, MANAGER, Write};
use operator::kind::Kind;
use operator::reconcile::{KEPT_FOR, UNDELETE};
use operator::seen::ChildId;
use operator::seen::facts::PURGE;
use plan::{OWNER, TENANT};
use serde_json::{Value, json};

use crate::House;
use crate::house::{admin, client, said};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn a_blueprint_becomes_a_platform_and_its_status_says_how_far_it_is() {
    let house = House::open(2).await;
    let name = house.name("a");
    house.apply(&name, |_| {}).await;
    let made = house.until_made(&name).await;
    let status = made.status.as_ref().unwrap();
    assert_eq!(status.phase, Some(Phase::Provisioning));
    assert_eq!(said(&made, "DatabaseReady"), ("True", "Made"));
    assert_eq!(said(&made, "RuntimeReady"), ("False", "Starting"));
    assert_eq!(said(&made, "Ready"), ("False", "Starting"));
    assert_eq!(status.url, Some(format!("https://{name}.platforms.example")));

    house.serve(&name).await;
    let ready = house.until(&name, "ready", |it| said(it, "Ready").0 == "True").await;
    let status = ready.status.as_ref().unwrap();
    assert_eq!(status.phase, Some(Phase::Ready));
    assert_eq!(status.runtime.as_ref().unwrap().replicas, 1);
    assert!(status.conditions.iter().all(|it| it.observed_generation == ready.metadata.generation));
    let database = &status.database.as_ref().unwrap().name;
    assert!(admin().connect_to(database).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn a_namespace_that_is_there_is_made_by_nobody_again() {
    let house = House::open(2).await;
    let name = house.name("a");
    house.apply(&name, |_| {}).await;
    house.until_made(&name).await;
    let namespace = format!("tenant-{name}");
    let before = house.namespaces().get(&namespace).await.unwrap();
    // What an operator asked for long ago, when there was another platform of this name.
    let late = Kubernetes::new(client().await, "late");
    let earlier = uuid::Uuid::new_v4().to_string();
    let object = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": namespace, "labels": {TENANT: name, OWNER: earlier}},
    });
    let id = ChildId { kind: Kind::Namespace, name: namespace.as_str().into() };
    let write = Write { tenant: &name, id: &id, object: &object, manager: MANAGER, at: None };
    assert!(matches!(late.apply(write).await, Err(CallError::Conflict(_))));
    let after = house.namespaces().get(&namespace).await.unwrap();
    assert_eq!(after.metadata.labels, before.metadata.labels);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn a_suspended_platform_stops_and_a_resumed_one_starts() {
    let house = House::open(2).await;
    let name = house.name("a");
    house.apply(&name, |_| {}).await;
    house.until_made(&name).await;
    house.apply(&name, |it| it["spec"]["suspended"] = json!(true)).await;
    let phase = |wanted| {
        move |it: &blueprint::PlatformBlueprint| {
            it.status.as_ref().and_then(|status| status.phase) == Some(wanted)
        }
    };
    let stopped = house.until(&name, "suspended", phase(Phase::Suspended)).await;
    assert_eq!(said(&stopped, "RuntimeReady"), ("False", "Suspended"));
    let copies =
        async || house.deployments(&name).get("runtime").await.unwrap().spec.unwrap().replicas;
    assert_eq!(copies().await, Some(0));
    house.apply(&name, |_| {}).await;
    house.until(&name, "resumed", |it| said(it, "RuntimeReady").1 != "Suspended").await;
    assert_eq!(copies().await, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn what_the_plan_does_not_give_is_refused_with_its_path_and_a_good_version_heals() {
    let house = House::open(2).await;
    let name = house.name("a");
    house.apply(&name, |it| it["spec"]["governance"] = json!({"dataResidency": "moon"})).await;
    let refused = house.until(&name, "refused", |it| said(it, "Ready").1 == "Refused").await;
    let ready = refused.status.unwrap().conditions.into_iter().find(|it| it.type_ == "Ready");
    let message = ready.unwrap().message;
    assert!(message.contains("spec.governance.dataResidency"), "{message}");
    assert!(house.namespaces().get_opt(&format!("tenant-{name}")).await.unwrap().is_none());
    house.apply(&name, |_| {}).await;
    house.until_made(&name).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn a_paused_platform_is_left_as_it_is() {
    let house = House::open(2).await;
    let name = house.name("a");
    house.apply(&name, |_| {}).await;
    house.until_made(&name).await;
    let pause = |it: &mut Value| {
        it["spec"]["paused"] = json!(true);
        it["spec"]["runtime"] = json!({"replicas": {"min": 3}});
    };
    house.apply(&name, pause).await;
    house.until(&name, "paused", |it| said(it, "Ready").1 == "Paused").await;
    let runtime = house.deployments(&name).get("runtime").await.unwrap();
    assert_eq!(runtime.spec.unwrap().replicas, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn a_deleted_platform_stops_is_kept_and_comes_back_with_its_data() {
    let house = House::open(2).await;
    let name = house.name("a");
    house.apply(&name, |_| {}).await;
    let made = house.until_made(&name).await;
    let database = made.status.unwrap().database.unwrap().name;
    let mut inside = admin().connect_to(&database).await.unwrap();
    sqlx::query("CREATE TABLE kept AS SELECT 42 AS answer").execute(&mut inside).await.unwrap();

    house.delete(&name).await;
    house.until_gone(&name).await;
    let runtime = house.deployments(&name).get("runtime").await.unwrap();
    assert_eq!(runtime.spec.unwrap().replicas, Some(0));

    house.apply(&name, |_| {}).await;
    let kept = house.until(&name, "refused", |it| said(it, "Ready").1 == "NameKept").await;
    let ready = kept.status.unwrap().conditions.into_iter().find(|it| it.type_ == "Ready");
    assert!(ready.unwrap().message.contains(UNDELETE), "it says how");

    let asked = Instant::now();
    house.apply(&name, |it| it["metadata"]["annotations"] = json!({UNDELETE: "true"})).await;
    let back = house.until_made(&name).await;
    let took = asked.elapsed();
    println!("{name} is back after {took:?}");
    assert!(took <= Duration::from_mins(1), "{took:?}");
    assert_eq!(said(&back, "DatabaseReady"), ("True", "Made"));
    let runtime = house.deployments(&name).get("runtime").await.unwrap();
    assert_eq!(runtime.spec.unwrap().replicas, Some(1));
    let answer: i32 =
        sqlx::query_scalar("SELECT answer FROM kept").fetch_one(&mut inside).await.unwrap();
    assert_eq!(answer, 42);
    house.until_known(&name, |it| it.home().is_some_and(|(_, home)| home.deleted.is_none())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn data_goes_by_itself_only_where_that_was_said_and_only_after_its_time() {
    let house = House::open(2).await;
    let (goes, stays) = (house.name("goes"), house.name("stays"));
    house.apply(&goes, |it| it["spec"]["database"] = json!({"deletionPolicy": "Delete"})).await;
    house.apply(&stays, |_| {}).await;
    for name in [&goes, &stays] {
        house.until_made(name).await;
        house.delete(name).await;
        house.until_gone(name).await;
    }
    let exists = async |name: &str| {
        database::tenant::exists(&admin(), &name.parse().unwrap()).await.unwrap()
    };
    for name in [&goes, &stays] {
        house.driver.turn(name).await;
        assert!(exists(name).await, "{name} is kept");
    }
    house.clock.advance(KEPT_FOR.try_into().unwrap());
    // A turn of the house's own may be in the midst of it, and each of the two in the other's way.
    let (namespaces, of_goes) = (house.namespaces(), format!("tenant-{goes}"));
    let ends = async {
        while namespaces.get(&of_goes).await.unwrap().metadata.deletion_timestamp.is_none() {
            house.driver.turn(&goes).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ends).await.expect("it goes in time");
    house.driver.turn(&stays).await;
    assert!(!exists(&goes).await);
    assert!(exists(&stays).await);

    let typed = json!({"metadata": {"annotations": {PURGE: stays}}});
    let home = format!("tenant-{stays}");
    let patch = Patch::Merge(&typed);
    house.namespaces().patch(&home, &PatchParams::default(), &patch).await.unwrap();
    house.until_known(&stays, |it| it.home().is_none_or(|(child, _)| child.going)).await;
    assert!(!exists(&stays).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn a_namespace_of_somebody_else_is_not_taken() {
    let house = House::open(2).await;
    let name = house.name("a");
    let foreign = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": format!("tenant-{name}")},
    });
    let foreign = serde_json::from_value(foreign).unwrap();
    house.namespaces().create(&PostParams::default(), &foreign).await.unwrap();
    house.apply(&name, |_| {}).await;
    let refused = house.until(&name, "refused", |it| said(it, "Ready").0 == "False").await;
    assert_eq!(said(&refused, "Ready"), ("False", "NamespaceTaken"));
    let left = house.namespaces().get(&format!("tenant-{name}")).await.unwrap();
    assert_eq!(left.metadata.labels.unwrap_or_default().get(plan::TENANT), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn what_the_api_server_writes_is_what_we_wanted_to_the_letter() {
    let house = House::open(0).await;
    let name = house.name("a");
    house.apply(&name, |_| {}).await;
    house.until_known(&name, |it| it.resource.is_some()).await;
    let writes = house.settle(&name).await;
    assert!(writes > 15, "{writes}");
    assert_eq!(house.turn(&name).await, 0);
    assert!(house.child(&name, Kind::Deployment, "runtime").is_some());
    assert_eq!(house.driver.memory.written_in_another_way(&name), Vec::<String>::new());
}
