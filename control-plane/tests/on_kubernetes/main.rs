//! The same as in memory, on a real API server.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the helpers here are no tests, but only tests call them"
)]

#[path = "../api/conformance.rs"]
mod conformance;

use std::time::Duration;

use control_plane::cluster::{Cluster as _, Kubernetes};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Client, Config};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Nothing here takes longer.
const SOON: Duration = Duration::from_secs(30);

#[expect(clippy::disallowed_methods, reason = "the suite says where it is")]
async fn client() -> Client {
    let file = std::env::var("SOULFRA_TEST_KUBECONFIG").expect("cargo xtask test --suite cluster");
    let file = Kubeconfig::read_from(file).unwrap();
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
    api_server::client(config.unwrap()).unwrap()
}

async fn define(client: &Client) {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let crd = blueprint::crd();
    let name = crd.metadata.name.clone().unwrap();
    let by = PatchParams::apply("test").force();
    api.patch(&name, &by, &Patch::Apply(&crd)).await.unwrap();
    let established = await_condition(api, &name, conditions::is_crd_established());
    tokio::time::timeout(SOON, established).await.unwrap().unwrap();
}

#[tokio::test]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn the_api_server_does_what_clusters_do() {
    let client = client().await;
    define(&client).await;
    let stop = CancellationToken::new();
    let cluster = Kubernetes::follow(client, stop.clone());
    let known = async {
        while !cluster.is_known() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, known).await.expect("what is there is known in time");
    let unique = Uuid::new_v4().simple().to_string();
    let (one, other) = (format!("one-{}", &unique[..8]), format!("other-{}", &unique[..8]));
    conformance::conforms(&cluster, &one, &other).await;
    stop.cancel();
}
