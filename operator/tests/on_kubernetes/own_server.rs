//! A database server of a platform's own: waited for, then used like any other.
//!
//! Played here is `CloudNativePG`: its kind without its program, its Secret with the keys that its
//! documentation names, and the server of the tests behind it.

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::wait::{await_condition, conditions};
use operator::cluster::OWN_DATABASE_SECRET;
use operator::kind::Kind;
use plan::Installation;
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};

use crate::House;
use crate::house::{SOON, admin, client, said, told};
use crate::passwords::app_url;

const INSTALLATION: &str = include_str!("installation.json");

async fn define_clusters() {
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "clusters.postgresql.cnpg.io"},
        "spec": {
            "group": "postgresql.cnpg.io", "scope": "Namespaced",
            "names": {"kind": "Cluster", "plural": "clusters", "singular": "cluster"},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                }},
            }],
        },
    });
    let api: Api<CustomResourceDefinition> = Api::all(client().await);
    let name = "clusters.postgresql.cnpg.io";
    let by = PatchParams::apply("test").force();
    api.patch(name, &by, &Patch::Apply(&definition)).await.unwrap();
    let established = await_condition(api, name, conditions::is_crd_established());
    tokio::time::timeout(SOON, established).await.unwrap().unwrap();
}

fn installation() -> Installation {
    let mut installation: Value = serde_json::from_str(INSTALLATION).unwrap();
    installation["dedicatedDatabases"] = json!({
        "image": "ghcr.io/cloudnative-pg/postgresql:17.6",
        "operator": {"pods": {"namespace": "cnpg-system"}},
        "administrator": {"pods": {"namespace": "soulfra-system"}},
        "apiServer": {"network": {"cidr": "10.0.0.1/32"}},
        "apiPort": 6443,
    });
    serde_json::from_value(installation).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn a_server_of_its_own_is_waited_for_and_then_used() {
    define_clusters().await;
    let house = House::with(installation(), 0).await;
    let name = house.name("own");
    house.apply(&name, |it| it["spec"]["database"] = json!({"placement": "dedicated"})).await;
    house.until_known(&name, |it| it.resource.is_some()).await;
    house.settle(&name).await;
    let waits = house.blueprints().get(&name).await.unwrap();
    assert_eq!(said(&waits, "DatabaseReady"), ("False", "NoAccessYet"));
    let text = serde_json::to_string(&waits.status).unwrap();
    assert!(text.contains(OWN_DATABASE_SECRET), "{text}");
    assert!(house.child(&name, Kind::DatabaseCluster, "database").is_some());
    assert!(house.child(&name, Kind::Deployment, "runtime").is_none(), "pods would wait too");
    let before = house.driver.reconcile(&name).await.unwrap();
    assert!(before.writes == 0 && before.again.is_some(), "it looks again: {before:?}");

    let url = told("DATABASE_URL");
    let options: PgConnectOptions = url.parse().unwrap();
    let password = url.split_once('@').and_then(|(user, _)| user.splitn(3, ':').nth(2));
    let port = options.get_port().to_string();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth",
        "metadata": {"name": OWN_DATABASE_SECRET},
        "stringData": {
            "username": options.get_username(), "user": options.get_username(),
            "password": password.unwrap_or("none is asked for"), "dbname": "*", "host": options.get_host(), "port": port,
        },
    });
    let secrets: Api<Secret> = Api::namespaced(house.client.clone(), &format!("tenant-{name}"));
    let by = PatchParams::apply("cloudnative-pg");
    secrets.patch(OWN_DATABASE_SECRET, &by, &Patch::Apply(&secret)).await.unwrap();
    // Nobody tells of it: it is looked for again.
    house.clock.advance(SignedDuration::from_secs(31));
    house.settle(&name).await;
    let made = house.blueprints().get(&name).await.unwrap();
    assert_eq!(said(&made, "DatabaseReady"), ("True", "Made"));
    let database = made.status.unwrap().database.unwrap();
    assert_eq!(database.server, "database");
    let url = app_url(&house.client, &name).await;
    PgConnection::connect(&url).await.unwrap().close().await.unwrap();
    assert!(house.child(&name, Kind::Deployment, "runtime").is_some());
    house.until_known(&name, |it| it.rollout("runtime").is_some()).await;
    assert_eq!(house.settle(&name).await, 0, "a second run writes nothing");
    database::tenant::drop_tenant(&admin(), &name.parse().unwrap()).await.unwrap();
}
