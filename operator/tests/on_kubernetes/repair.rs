//! What strangers do to a platform's objects, and what becomes of it.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use operator::kind::Kind;
use serde_json::json;

use crate::House;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn what_a_stranger_changed_or_removed_is_repaired_and_what_they_added_is_left() {
    let house = House::open(0).await;
    let name = house.name("a");
    house.apply(&name, |_| {}).await;
    house.until_known(&name, |it| it.resource.is_some()).await;
    house.settle(&name).await;
    let before = house.child(&name, Kind::Deployment, "runtime").unwrap();

    let by = PatchParams { field_manager: Some("stranger".into()), ..PatchParams::default() };
    let change = json!({
        "metadata": {"annotations": {"stranger": "1"}},
        "spec": {"replicas": 9, "minReadySeconds": 77},
    });
    house.deployments(&name).patch("runtime", &by, &Patch::Merge(&change)).await.unwrap();
    let configs: Api<ConfigMap> = Api::namespaced(house.client.clone(), &format!("tenant-{name}"));
    configs.delete("blueprint", &DeleteParams::default()).await.unwrap();
    house
        .until_known(&name, |it| {
            it.children.keys().all(|id| &*id.name != "blueprint")
                && it.children.values().all(|child| child.version != before.version)
        })
        .await;

    let repaired = house.driver.reconcile(&name).await.unwrap();
    assert_eq!(repaired.writes, 2);
    assert!(configs.get_opt("blueprint").await.unwrap().is_some());
    let runtime = house.deployments(&name).get("runtime").await.unwrap();
    let spec = runtime.spec.unwrap();
    assert_eq!((spec.replicas, spec.min_ready_seconds), (Some(1), Some(5)));
    assert_eq!(runtime.metadata.annotations.unwrap()["stranger"], "1");
    assert_eq!(house.turn(&name).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn what_has_our_mark_and_is_not_wanted_goes_and_what_has_not_stays() {
    let house = House::open(0).await;
    let name = house.name("a");
    house.apply(&name, |_| {}).await;
    house.until_known(&name, |it| it.resource.is_some()).await;
    house.settle(&name).await;
    let configs: Api<ConfigMap> = Api::namespaced(house.client.clone(), &format!("tenant-{name}"));
    for (object, labels) in [("marked", json!({plan::TENANT: name})), ("plain", json!({}))] {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": object, "labels": labels},
        });
        let object = serde_json::from_value(object).unwrap();
        configs.create(&PostParams::default(), &object).await.unwrap();
    }
    let marked = |it: &operator::seen::Tenant| it.children.keys().any(|id| &*id.name == "marked");
    house.until_known(&name, marked).await;
    assert_eq!(house.driver.reconcile(&name).await.unwrap().writes, 1);
    assert!(configs.get_opt("marked").await.unwrap().is_none());
    assert!(configs.get_opt("plain").await.unwrap().is_some());
}
