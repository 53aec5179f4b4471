//! The same as in memory, on a real API server.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the helpers here are no tests, but only tests call them"
)]

#[path = "../api/conformance.rs"]
mod conformance;

use std::time::Duration;

use blueprint::templates::{self, Overrides};
use control_plane::cluster::{Cluster as _, Kubernetes, Made};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Client, Config};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Nothing here takes longer.
const SOON: Duration = Duration::from_secs(30);

#[expect(clippy::disallowed_methods, reason = "the suite says where it is")]
fn from_suite(variable: &str) -> String {
    std::env::var(variable).expect("cargo xtask test --suite cluster")
}

async fn client() -> Client {
    let file = Kubeconfig::read_from(from_suite("SOULFRA_TEST_KUBECONFIG")).unwrap();
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
    Box::pin(conformance::conforms(&cluster, &unique("one"), &unique("other"))).await;
    stop.cancel();
}

/// What API, console and command make of a blueprint is the same: see `tests/remote`. What this makes
/// of it is what they do.
#[tokio::test]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn kubectl_makes_the_same_of_a_blueprint_as_we_do() {
    let client = client().await;
    define(&client).await;
    let stop = CancellationToken::new();
    let cluster = Kubernetes::follow(client.clone(), stop.clone());
    for template in templates::all() {
        let (by_kubectl, by_us) = (unique("by-kubectl"), unique("by-us"));
        let overrides = Overrides::named(by_kubectl.parse().unwrap());
        let blueprint = templates::from_template(template, &overrides).unwrap();
        applied(&blueprint::write(&blueprint)).await;
        let (name, of) = (by_us.parse().unwrap(), ("plt_1", Made::New));
        cluster.create(&name, of, &blueprint.spec).await.unwrap();
        let [kubectls, ours] = [stored(&client, &by_kubectl).await, stored(&client, &by_us).await];
        assert_eq!(kubectls, ours, "{}", template.name);
        assert!(ours["identity"]["displayName"].is_string(), "{ours}");
    }
    stop.cancel();
}

fn unique(what: &str) -> String {
    format!("{what}-{}", &Uuid::new_v4().simple().to_string()[..8])
}

/// As `kubectl apply -f` takes a file.
async fn applied(text: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let mut kubectl = tokio::process::Command::new(from_suite("SOULFRA_TEST_KUBECTL"));
    kubectl.arg("--kubeconfig").arg(from_suite("SOULFRA_TEST_KUBECONFIG"));
    let done = kubectl.args(["apply", "-f"]).arg(file.path()).output();
    let done = tokio::time::timeout(SOON, done).await.unwrap().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// A spec as the API server has it, to the letter.
async fn stored(client: &Client, name: &str) -> Value {
    let kind = GroupVersionKind::gvk("soulfra.io", "v1alpha1", "PlatformBlueprint");
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from_gvk(&kind));
    api.get(name).await.unwrap().data["spec"].clone()
}
