//! Objects have the shape that Kubernetes gives their kind: each reads as its type, and writes
//! back the same, so no field is misspelt or of another kind.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{
    ConfigMap, LimitRange, Namespace, PersistentVolumeClaim, ResourceQuota, Secret, Service,
    ServiceAccount,
};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use plan::{SecretKey, Secrets};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::generate::planned;

fn again<T: Serialize + DeserializeOwned>(value: &Value) -> Value {
    let typed: T = serde_json::from_value(value.clone()).unwrap_or_else(|error| {
        panic!("{error}: {value:#}");
    });
    serde_json::to_value(typed).unwrap()
}

#[test]
fn every_object_reads_as_its_kind_and_writes_back_the_same() {
    let secrets = SecretKey::ALL
        .into_iter()
        .fold(Secrets::default(), |secrets, key| secrets.with(key, "x".to_owned().into()));
    for generated in planned(500, 0x5eed_0108) {
        for object in &generated.plan().unwrap().objects() {
            let filled = object.filled(&secrets).unwrap();
            let read = match object.id().kind {
                "ConfigMap" => again::<ConfigMap>(&filled),
                "Deployment" => again::<Deployment>(&filled),
                "HorizontalPodAutoscaler" => again::<HorizontalPodAutoscaler>(&filled),
                "LimitRange" => again::<LimitRange>(&filled),
                "Namespace" => again::<Namespace>(&filled),
                "NetworkPolicy" => again::<NetworkPolicy>(&filled),
                "PersistentVolumeClaim" => again::<PersistentVolumeClaim>(&filled),
                "PodDisruptionBudget" => again::<PodDisruptionBudget>(&filled),
                "ResourceQuota" => again::<ResourceQuota>(&filled),
                "Secret" => again::<Secret>(&filled),
                "Service" => again::<Service>(&filled),
                "ServiceAccount" => again::<ServiceAccount>(&filled),
                // Kinds that Kubernetes itself does not know.
                "Cluster" | "HTTPRoute" | "ListenerSet" => continue,
                other => panic!("no type for {other}"),
            };
            assert_eq!(read, filled, "{}", object.id());
        }
    }
}
