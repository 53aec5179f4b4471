//! A model server that needs graphics processors, where kwok plays nodes: bound by the real
//! scheduler, from a Deployment that the real controllers make pods of.

use k8s_openapi::api::core::v1::{Node, PersistentVolume, Pod};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use plan::Installation;
use serde_json::{Value, json};

use crate::House;
use crate::house::{INSTALLATION, said};

const PRODUCT: &str = "NVIDIA-L4";

/// Makes a node that kwok plays.
async fn add_node(house: &House, name: &str, labels: &Value, gpus: u32) {
    let nodes: Api<Node> = Api::all(house.client.clone());
    let node = json!({"metadata": {
        "name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"},
    }});
    let node = serde_json::from_value(node).unwrap();
    nodes.create(&PostParams::default(), &node).await.unwrap();
    let offers = json!({
        "cpu": "64", "memory": "512Gi", "pods": "110", "nvidia.com/gpu": gpus.to_string(),
    });
    let status = json!({"status": {"allocatable": offers, "capacity": offers}});
    let patch = Patch::Merge(&status);
    nodes.patch_status(name, &PatchParams::default(), &patch).await.unwrap();
}

/// Plays who makes volumes.
async fn add_volume(house: &House, name: &str) {
    let volumes: Api<PersistentVolume> = Api::all(house.client.clone());
    let volume = json!({
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "100Gi"}, "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": "/nowhere"},
            "claimRef": {"name": "model-cache", "namespace": format!("tenant-{name}")},
        },
    });
    let volume = serde_json::from_value(volume).unwrap();
    volumes.create(&PostParams::default(), &volume).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster with kwok: cargo xtask test --suite cluster"]
async fn played_a_model_server_waits_for_its_graphics_processors_and_lands_where_they_are() {
    let mut installation: Installation = serde_json::from_str(INSTALLATION).unwrap();
    installation.fleet.pools = serde_json::from_value(json!([
        {"name": "gpus", "nodes": {"pool": "gpus"}, "gpu": PRODUCT},
    ]))
    .unwrap();
    let house = House::with(installation, 2).await;
    let name = house.name("a");
    let [plain, few, gpus] = ["plain", "few", "gpus"].map(|word| house.name(word));
    add_node(&house, &plain, &json!({}), 0).await;
    let labels = json!({"pool": "gpus", "nvidia.com/gpu.product": PRODUCT});
    add_node(&house, &few, &labels, 1).await;
    add_volume(&house, &name).await;
    house
        .apply(&name, |it| {
            let gpu = json!({"product": PRODUCT, "count": 2});
            it["spec"]["inference"] = json!({"placement": "dedicated", "gpu": gpu});
        })
        .await;
    let waits = |it: &blueprint::PlatformBlueprint| {
        said(it, "InferenceReady") == ("False", "NoGpu") && said(it, "RuntimeReady").0 == "True"
    };
    let without = house.until(&name, "waiting for graphics processors", waits).await;
    assert_eq!(said(&without, "Ready"), ("False", "NoGpu"));
    let conditions = without.status.unwrap().conditions;
    let message = &conditions.iter().find(|it| it.type_ == "InferenceReady").unwrap().message;
    assert_eq!(
        *message,
        "no node of this cluster offers 2 graphics processors NVIDIA-L4 (nvidia.com/gpu: 2) and \
         has the labels nvidia.com/gpu.product=NVIDIA-L4, pool=gpus: the model server waits for \
         such a node; add one, or change spec.inference.gpu"
    );
    let pods: Api<Pod> = Api::namespaced(house.client.clone(), &format!("tenant-{name}"));
    let of_models = ListParams::default().labels("app.kubernetes.io/name=inference");
    let on = async || {
        let found = pods.list(&of_models).await.unwrap();
        let on = |pod: Pod| pod.spec.and_then(|spec| spec.node_name);
        found.items.into_iter().map(on).collect::<Vec<_>>()
    };
    assert_eq!(on().await, [None], "it is there, and on no node");

    add_node(&house, &gpus, &labels, 2).await;
    let serves = |it: &blueprint::PlatformBlueprint| said(it, "Ready").0 == "True";
    let with = house.until(&name, "serving", serves).await;
    assert_eq!(said(&with, "InferenceReady"), ("True", "Serving"));
    assert_eq!(on().await, [Some(gpus.clone())]);
    println!("counted: the model server of {name} runs on {gpus}");

    let nodes: Api<Node> = Api::all(house.client.clone());
    for node in [plain, few, gpus] {
        nodes.delete(&node, &DeleteParams::default()).await.unwrap();
    }
}
