//! What admission refuses, and to whom. Everybody here may do everything by RBAC.

use blueprint::PlatformBlueprint;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::Client;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use operator::seen::facts::PURGED;
use serde_json::{Value, json};

use crate::House;
use crate::chart::{ACCOUNT, SPACE, bind, install, unbind};
use crate::house::{client_of, config, until_refused};

/// A client of a service account to whom RBAC refuses nothing.
async fn almighty(account: &str) -> Client {
    let mut config = config().await;
    config.auth_info.impersonate = Some(format!("system:serviceaccount:{SPACE}:{account}"));
    config.auth_info.impersonate_groups = Some(vec!["system:masters".to_owned()]);
    client_of(config)
}

/// Whether a merge was done, or refused by a policy whose message says this.
fn is_refused<T: std::fmt::Debug>(outcome: kube::Result<T>, why: &str) {
    match outcome {
        Err(kube::Error::Api(status)) if status.code == 403 => {
            assert!(status.message.contains(why), "{}", status.message);
        }
        other => panic!("not refused because {why}: {other:?}"),
    }
}

async fn merge<K>(api: &Api<K>, name: &str, change: Value) -> kube::Result<K>
where
    K: Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    api.patch(name, &PatchParams::default(), &Patch::Merge(&change)).await
}

fn tried() -> PostParams {
    PostParams { dry_run: true, ..PostParams::default() }
}

fn object<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn space_of(tenant: &str) -> Namespace {
    object(json!({"metadata": {
        "name": format!("tenant-{tenant}"), "labels": {plan::TENANT: tenant},
    }}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn a_platforms_namespace_goes_only_with_the_mark_that_the_operator_sets() {
    const POLICY: &str = "soulfra-tenant-namespaces";
    let house = House::open(0).await;
    let name = house.name("a");
    install(&house.client).await;
    bind(&house.client, POLICY, &[&name]).await;
    let (spaces, space) = (house.namespaces(), format!("tenant-{name}"));
    let made = spaces.create(&PostParams::default(), &space_of(&name)).await.unwrap();
    let uid = made.metadata.uid.unwrap();
    let tries = DeleteParams { dry_run: true, ..DeleteParams::default() };
    until_refused(async || spaces.delete(&space, &tries).await).await;
    let refused = spaces.delete(&space, &DeleteParams::default()).await.map(|_| ());
    is_refused(refused, &format!("soulfra.io/purge={name}"));

    let noted = |note: &str, value: &str| json!({"metadata": {"annotations": {note: value}}});
    is_refused(merge(&spaces, &space, noted(PURGED, &uid)).await, "the operator's to set");
    let unmarked = json!({"metadata": {"labels": {plan::TENANT: null}}});
    is_refused(merge(&spaces, &space, unmarked.clone()).await, "stays as it is");
    let (plainly, unmarked) = (PatchParams::default(), Patch::Merge(&unmarked));
    is_refused(spaces.patch_status(&space, &plainly, &unmarked).await, "stays as it is");
    merge(&spaces, &space, noted("of-somebody", "else")).await.unwrap();

    let operators: Api<Namespace> = Api::all(almighty(ACCOUNT).await);
    let of_another = uuid::Uuid::nil().to_string();
    merge(&operators, &space, noted(PURGED, &of_another)).await.unwrap();
    let refused = operators.delete(&space, &DeleteParams::default()).await.map(|_| ());
    is_refused(refused, "holds the data");
    merge(&operators, &space, noted(PURGED, &uid)).await.unwrap();
    spaces.delete(&space, &DeleteParams::default()).await.unwrap();
    unbind(&house.client, POLICY, &[&name]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn what_was_paid_and_used_says_the_control_plane_alone() {
    const POLICY: &str = "soulfra-billing";
    let house = House::open(0).await;
    let name = house.name("a");
    install(&house.client).await;
    bind(&house.client, POLICY, &[&name]).await;
    house.apply(&name, |it| it["metadata"]["labels"] = json!({plan::TENANT: name})).await;
    let plan = blueprint::plan::PlanName::Business;
    let account = json!({
        "organization": "org", "plan": plan, "entitlements": plan.entitlements(),
    });
    let usage =
        json!({"month": "2026-11", "users": 1, "messages": 1, "tokens": 1, "storageBytes": 1});
    let condition = |kind: &str, status: &str| {
        json!({
            "type": kind, "status": status, "reason": "Said", "message": "",
            "lastTransitionTime": "2026-11-21T00:00:00Z",
        })
    };
    let anybody = house.blueprints();
    let control: Api<PlatformBlueprint> = Api::all(almighty("control-plane").await);
    let write = async |api: &Api<PlatformBlueprint>, status: Value| {
        let change = json!({"status": status});
        api.patch_status(&name, &PatchParams::default(), &Patch::Merge(&change)).await
    };
    let theirs = json!({
        "account": account, "usage": usage, "conditions": [condition("BillingCurrent", "True")],
    });
    until_refused(async || {
        let change = json!({"status": {"usage": usage}});
        let tried = PatchParams { dry_run: true, ..PatchParams::default() };
        anybody.patch_status(&name, &tried, &Patch::Merge(&change)).await
    })
    .await;
    for part in ["account", "usage", "conditions"] {
        let only = json!({part: theirs[part]});
        is_refused(write(&anybody, only).await, "the control plane's to write");
    }
    let both = [condition("BillingCurrent", "True"), condition("Ready", "False")];
    write(&control, theirs).await.unwrap();
    write(&anybody, json!({"phase": "Ready", "conditions": both})).await.unwrap();
    let changed = [condition("BillingCurrent", "False"), condition("Ready", "False")];
    for taken in [
        json!({"account": null}),
        json!({"usage": {"users": 2}}),
        json!({"conditions": changed}),
        json!({"conditions": [condition("Ready", "False")]}),
        Value::Null,
    ] {
        is_refused(write(&anybody, taken).await, "the control plane's to write");
    }
    write(&control, json!({"usage": {"users": 2}})).await.unwrap();
    house.delete(&name).await;
    unbind(&house.client, POLICY, &[&name]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn the_operator_writes_only_where_platforms_are() {
    const WHY: &str = "only in namespaces of platforms";
    let house = House::open(0).await;
    let (name, plain) = (house.name("a"), house.name("plain"));
    install(&house.client).await;
    let spaces = house.namespaces();
    spaces.create(&PostParams::default(), &space_of(&name)).await.unwrap();
    let unmarked = json!({"metadata": {"name": format!("tenant-{plain}")}});
    spaces.create(&PostParams::default(), &object(unmarked)).await.unwrap();
    house.apply(&name, |_| {}).await;

    let operator = almighty(ACCOUNT).await;
    let note: ConfigMap = object(json!({"metadata": {"name": "tried"}}));
    let configs = |space: &str| Api::<ConfigMap>::namespaced(operator.clone(), space);
    until_refused(async || configs("default").create(&tried(), &note).await).await;
    for space in ["kube-system", SPACE, &format!("tenant-{plain}")] {
        is_refused(configs(space).create(&tried(), &note).await, WHY);
    }
    configs(&format!("tenant-{name}")).create(&tried(), &note).await.unwrap();
    let as_admin = Api::<ConfigMap>::namespaced(house.client.clone(), "default");
    as_admin.create(&tried(), &note).await.unwrap();

    let leases = |space: &str| Api::<Lease>::namespaced(operator.clone(), space);
    let lease = |name: &str| object::<Lease>(json!({"metadata": {"name": name}}));
    is_refused(leases(SPACE).create(&tried(), &lease("another")).await, WHY);
    is_refused(leases("kube-system").create(&tried(), &lease(ACCOUNT)).await, WHY);
    let own = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": ACCOUNT},
    });
    let applied = PatchParams { dry_run: true, ..PatchParams::apply("test").force() };
    leases(SPACE).patch(ACCOUNT, &applied, &Patch::Apply(&own)).await.unwrap();

    // What is not a platform's is not made one's.
    let operators: Api<Namespace> = Api::all(operator.clone());
    let marked = json!({"metadata": {"labels": {plan::TENANT: plain}}});
    is_refused(merge(&operators, &format!("tenant-{plain}"), marked).await, WHY);
    let taken = operators.delete(&format!("tenant-{plain}"), &DeleteParams::default()).await;
    is_refused(taken.map(|_| ()), WHY);

    let blueprints: Api<PlatformBlueprint> = Api::all(operator);
    is_refused(merge(&blueprints, &name, json!({"spec": {"suspended": true}})).await, WHY);
    merge(&blueprints, &name, json!({"metadata": {"finalizers": []}})).await.unwrap();
    is_refused(blueprints.delete(&name, &DeleteParams::default()).await.map(|_| ()), WHY);
    house.delete(&name).await;
}
