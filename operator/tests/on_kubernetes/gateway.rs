//! A gateway that is not ours: routes and listeners are what the Gateway API's own definitions take.

use kube::api::{Api, DynamicObject, Patch, PatchParams, ValidationDirective};
use operator::kind::Kind;
use plan::{Installation, Plan};
use serde_json::{Value, json};

use crate::House;
use crate::house::{SOON, client, example, told};
use crate::kubectl::Kubectl;

const INSTALLATION: &str = include_str!("installation.json");

async fn define_kinds() {
    let kubectl = Kubectl::new();
    let kinds = told("SOULFRA_TEST_GATEWAY_KINDS");
    kubectl.does(&format!("apply --server-side -f {kinds}")).await;
    let wait = format!("wait --for condition=established --timeout {}s -f {kinds}", SOON.as_secs());
    kubectl.does(&wait).await;
}

fn installation() -> Installation {
    let mut installation: Value = serde_json::from_str(INSTALLATION).unwrap();
    installation["gateway"] = json!({
        "name": "public", "namespace": "gateways", "issuer": "letsencrypt",
        "at": {"pods": {"namespace": "gateways"}},
    });
    serde_json::from_value(installation).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn routes_and_listeners_for_another_gateway_are_taken_as_they_are() {
    define_kinds().await;
    // The operator makes the route of a platform's name below the domain of the service.
    let house = House::with(installation(), 2).await;
    let name = house.name("gate");
    house.apply(&name, |_| {}).await;
    house.until_made(&name).await;
    house.settle(&name).await;
    assert!(house.child(&name, Kind::HttpRoute, "runtime").is_some());
    assert_eq!(house.settle(&name).await, 0, "a second run writes nothing");

    // Of a platform with as many names of its own as there may be.
    let names: Vec<_> = (0..20).map(|n| format!("n{n}.xn--bcher-kva.example")).collect();
    let mut blueprint = example(&name);
    blueprint.spec.domains = names.iter().map(|name| name.parse().unwrap()).collect();
    let served = names.iter().map(|name| json!({"name": name, "state": "Serving"}));
    let status = json!({"domains": served.collect::<Vec<_>>()});
    blueprint.status = Some(serde_json::from_value(status).unwrap());
    let installation = installation();
    let objects = Plan::new(&blueprint, &installation, plan::Seen::default()).unwrap().objects();
    let strict = PatchParams {
        dry_run: true,
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::apply("test").force()
    };
    let mut taken = Vec::new();
    for object in &objects {
        let id = object.id();
        let Some(kind @ (Kind::HttpRoute | Kind::ListenerSet)) = Kind::of(id.api_version, id.kind)
        else {
            continue;
        };
        let namespace = format!("tenant-{name}");
        let resource = kind.resource();
        let api: Api<DynamicObject> = Api::namespaced_with(client().await, &namespace, &resource);
        let shown = object.shown();
        let answer = api.patch(&id.name, &strict, &Patch::Apply(&shown)).await.unwrap();
        let listeners = answer.data["spec"]["listeners"].as_array().map(Vec::len);
        let hostnames = answer.data["spec"]["hostnames"].as_array().map(Vec::len);
        taken.push((kind.word(), listeners.or(hostnames).unwrap()));
    }
    taken.sort_unstable();
    let expected = [("HTTPRoute", 1), ("HTTPRoute", 4), ("HTTPRoute", 16), ("ListenerSet", 20)];
    assert_eq!(taken, expected);
}
