//! Whatever is planned is taken by the API server, and every pod of it is harmless in its eyes.

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use operator::kind::Kind;
use plan::{Object, SecretKey, Secrets};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::generate::{Generated, planned};
use crate::house;

/// Blueprints in every run; the soak says another number.
const ROUNDS: usize = 60;
const AT_ONCE: usize = 8;

/// A namespace like a platform's, in which nothing is made.
struct Place {
    client: Client,
    namespace: String,
}

impl Place {
    async fn open() -> Self {
        let client = house::client().await;
        let namespace = format!("admitted-{}", Uuid::new_v4().simple());
        let labels: serde_json::Map<_, _> = ["enforce", "audit", "warn"]
            .map(|mode| (format!("pod-security.kubernetes.io/{mode}"), json!("restricted")))
            .into_iter()
            .collect();
        let home = json!({"metadata": {"name": namespace, "labels": labels}});
        let homes: Api<Namespace> = Api::all(client.clone());
        let create = PostParams::default();
        homes.create(&create, &serde_json::from_value(home).unwrap()).await.unwrap();
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &namespace);
        for name in ["runtime", "inference", "database"] {
            let account = json!({"metadata": {"name": name}});
            accounts.create(&create, &serde_json::from_value(account).unwrap()).await.unwrap();
        }
        Self { client, namespace }
    }

    /// What the API server says of an object, and of the pods that it would have.
    async fn complaints(&self, object: &Object) -> Vec<String> {
        let kind = Kind::of(object.id().api_version, object.id().kind).unwrap();
        if kind.of_others() || !kind.in_namespace() {
            return Vec::new();
        }
        let secrets = SecretKey::ALL
            .into_iter()
            .fold(Secrets::default(), |secrets, key| secrets.with(key, "secret".to_owned().into()));
        let mut filled = object.filled(&secrets).unwrap();
        filled["metadata"]["namespace"] = json!(self.namespace);
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &self.namespace, &kind.resource());
        let parameters = PatchParams { dry_run: true, ..PatchParams::apply("test").force() };
        let applied = api.patch(&object.id().name, &parameters, &Patch::Apply(&filled)).await;
        let pod = (kind == Kind::Deployment).then(|| &filled["spec"]["template"]);
        let pod = match pod {
            Some(template) => self.pod(template).await,
            None => Ok(()),
        };
        let complaints = [applied.map(drop), pod];
        let words = complaints.into_iter().filter_map(Result::err);
        words.map(|error| format!("{}: {error}", object.id())).collect()
    }

    async fn pod(&self, template: &Value) -> kube::Result<()> {
        let mut pod = template.clone();
        pod["metadata"]["name"] = json!(Uuid::new_v4().simple().to_string());
        let pod: Pod = serde_json::from_value(pod).unwrap();
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        pods.create(&dry, &pod).await.map(drop)
    }

    async fn of_one(&self, one: &Generated) -> (usize, Vec<String>) {
        let objects = one.plan().unwrap().objects();
        let mut complaints = Vec::new();
        for object in &objects {
            complaints.extend(self.complaints(object).await);
        }
        (objects.iter().filter(|it| it.id().kind == "Deployment").count(), complaints)
    }
}

async fn all_are_taken(rounds: usize) {
    let place = Place::open().await;
    let all = planned(rounds, 11);
    let mut looked_at = std::pin::pin!(
        futures::stream::iter(&all).map(|one| place.of_one(one)).buffer_unordered(AT_ONCE)
    );
    let mut pods = 0;
    while let Some((count, complaints)) = looked_at.next().await {
        pods += count;
        assert!(complaints.is_empty(), "{complaints:#?}");
    }
    println!("counted: {rounds} blueprints with {pods} sorts of pods");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn whatever_is_planned_is_taken_and_every_pod_is_harmless() {
    all_are_taken(ROUNDS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: cargo xtask soak admitted"]
async fn soak_two_thousand_blueprints_are_taken() {
    all_are_taken(2_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn a_pod_that_could_harm_others_is_refused_there() {
    let place = Place::open().await;
    let all = planned(1, 11);
    let objects = all[0].plan().unwrap().objects();
    let runtime = objects.find("Deployment", "runtime").unwrap().shown();
    let mut template = runtime["spec"]["template"].clone();
    template["spec"]["hostNetwork"] = json!(true);
    let refused = place.pod(&template).await.unwrap_err().to_string();
    assert!(refused.contains("violates PodSecurity"), "{refused}");
}
