//! Where things go, what is refused, and what is told.

use blueprint::PlatformBlueprint;
use plan::{Installation, Plan, Seen};
use serde_json::{Value, json};

use crate::generate::{full, installation, seen, small, with};

fn refused(blueprint: &PlatformBlueprint, installation: &Installation) -> Vec<String> {
    let problems = Plan::new(blueprint, installation, Seen::default()).unwrap_err();
    problems.into_iter().map(|problem| problem.path).collect()
}

fn reasons(blueprint: &PlatformBlueprint, installation: &Installation) -> Vec<&'static str> {
    let plan = Plan::new(blueprint, installation, Seen::default()).unwrap();
    plan.notices.iter().map(|notice| notice.reason).collect()
}

fn shown(blueprint: &PlatformBlueprint, kind: &str, name: &str) -> Option<Value> {
    let installation = installation();
    let plan = Plan::new(blueprint, &installation, Seen::default()).unwrap();
    plan.objects().find(kind, name).map(plan::Object::shown)
}

fn residency(region: &str) -> Value {
    json!({"governance": {"dataResidency": region}})
}

fn lives(placement: &str, server: &str) -> Value {
    json!({"database": {"placement": placement, "server": server, "name": "t_harbour"}})
}

#[test]
fn residency_picks_server_models_store_and_nodes() {
    let (blueprint, installation) = (with(&small(), &residency("eu")), installation());
    let plan = Plan::new(&blueprint, &installation, Seen::default()).unwrap();
    assert_eq!(plan.database.server.as_ref().unwrap().value.name, "db-eu-2");
    assert_eq!(plan.store.as_ref().unwrap().value.name, "files-eu");
    assert_eq!(plan.pool.as_ref().unwrap().value.name, "plain-eu");
    assert_eq!(
        refused(&with(&small(), &residency("moon")), &installation),
        ["spec.governance.dataResidency"; 4]
    );
}

#[test]
fn data_stays_where_it_is_when_another_server_has_more_room() {
    let installation = installation();
    let there = seen(&small(), lives("shared", "db-eu-1"));
    let plan = Plan::new(&there, &installation, Seen::default()).unwrap();
    assert_eq!(plan.database.server.as_ref().unwrap().value.name, "db-eu-1");
    let gone = seen(&small(), lives("shared", "db-gone"));
    assert_eq!(refused(&gone, &installation), ["status.database.server"]);
    let outside = seen(&with(&small(), &residency("eu")), lives("shared", "db-any-1"));
    assert_eq!(reasons(&outside, &installation), ["OutsideRegion"]);
}

#[test]
fn a_home_that_holds_data_is_never_planned_away() {
    let there = seen(&small(), lives("dedicated", "database"));
    assert!(shown(&there, "Cluster", "database").is_some());
    assert!(shown(&small(), "Cluster", "database").is_none());
}

#[test]
fn a_volume_never_shrinks() {
    let (blueprint, installation) = (full(), installation());
    let with = |gib| {
        let seen = Seen { database_storage: Some(gib), ..Seen::default() };
        let objects = Plan::new(&blueprint, &installation, seen).unwrap().objects();
        objects.find("Cluster", "database").unwrap().shown()["spec"]["storage"]["size"].clone()
    };
    assert_eq!([with(10), with(500)], ["100Gi", "500Gi"]);
}

#[test]
fn what_the_plan_does_not_give_is_refused_with_its_path() {
    let mut installation = installation();
    installation.default_plan = blueprint::PlanName::Starter;
    assert_eq!(
        refused(&full(), &installation),
        [
            "spec.inference.placement",
            "spec.database.placement",
            "spec.features.whiteLabelMobile",
            "spec.identity.mobileApp"
        ]
    );
    // What a person writes is a request; what was confirmed counts.
    let account = json!({"account": {
        "organization": "o",
        "plan": "enterprise",
        "entitlements": blueprint::PlanName::Enterprise.entitlements(),
    }});
    assert!(Plan::new(&seen(&full(), account), &installation, Seen::default()).is_ok());
    installation.default_plan = blueprint::PlanName::Enterprise;
    installation.dedicated_databases = None;
    assert_eq!(refused(&full(), &installation), ["spec.database.placement"]);
}

#[test]
fn who_writes_replicas_writes_them_alone() {
    let replicas = |spec: Value| {
        let blueprint = with(&small(), &spec);
        let scaled = shown(&blueprint, "HorizontalPodAutoscaler", "runtime").is_some();
        (
            shown(&blueprint, "Deployment", "runtime").unwrap()["spec"].get("replicas").cloned(),
            scaled,
        )
    };
    let runtime = |runtime: Value| json!({"runtime": runtime});
    assert_eq!(replicas(json!({})), (Some(json!(1)), false));
    assert_eq!(replicas(runtime(json!({"replicas": {"min": 3}}))), (Some(json!(3)), false));
    assert_eq!(replicas(runtime(json!({"replicas": {"min": 2, "max": 5}}))), (None, true));
    assert_eq!(replicas(runtime(json!({"scaleToZeroAfter": "15m"}))), (None, false));
    let both = json!({"scaleToZeroAfter": "15m", "replicas": {"max": 5}});
    assert_eq!(replicas(runtime(both.clone())), (None, true));
    let stopped = json!({"runtime": both, "suspended": true});
    assert_eq!(replicas(stopped), (Some(json!(0)), false));
}

#[test]
fn an_unpaid_bill_or_a_deletion_stops_it_and_keeps_its_data() {
    let installation = installation();
    let unpaid = Seen { past_grace: true, ..Seen::default() };
    let mut paused = full();
    paused.spec.paused = true;
    assert!(Plan::new(&paused, &installation, Seen::default()).unwrap().paused());
    assert!(!Plan::new(&paused, &installation, unpaid).unwrap().paused(), "no way around a bill");
    let mut deleted = serde_json::to_value(full()).unwrap();
    deleted["metadata"]["deletionTimestamp"] = json!("2026-11-21T12:00:00Z");
    let deleted = serde_json::from_value(deleted).unwrap();
    for (blueprint, seen) in [(full(), unpaid), (deleted, Seen::default())] {
        let objects = Plan::new(&blueprint, &installation, seen).unwrap().objects();
        for name in ["runtime", "inference"] {
            assert_eq!(objects.find("Deployment", name).unwrap().shown()["spec"]["replicas"], 0);
        }
        assert!(objects.find("Cluster", "database").is_some());
        assert!(objects.find("PersistentVolumeClaim", "model-cache").is_some());
    }
}

#[test]
fn graphics_processors_are_asked_for_where_data_may_be() {
    let nodes = |blueprint: &PlatformBlueprint, installation: &Installation| {
        let plan = Plan::new(blueprint, installation, Seen::default()).unwrap();
        let objects = plan.objects();
        let shown = objects.find("Deployment", "inference").unwrap().shown();
        let pod = shown["spec"]["template"]["spec"].clone();
        assert_eq!(pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"], "2");
        assert_eq!(pod["tolerations"][0]["key"], "nvidia.com/gpu");
        pod["nodeSelector"].clone()
    };
    let mut installation = installation();
    let product = "nvidia.com/gpu.product";
    assert_eq!(nodes(&full(), &installation), json!({"pool": "gpu-eu", product: "NVIDIA-L4"}));
    assert_eq!(reasons(&full(), &installation), ["OnlyLocalModels"]);
    installation.fleet.pools.pop();
    assert_eq!(
        nodes(&full(), &installation),
        json!({"soulfra.io/residency": "eu", product: "NVIDIA-L4"})
    );
    assert_eq!(reasons(&full(), &installation), ["NoGpu", "OnlyLocalModels"]);
}

#[test]
fn the_autoscaler_counts_streams_where_the_cluster_does() {
    let mut installation = installation();
    let blueprint = with(&small(), &json!({"runtime": {"replicas": {"max": 4}}}));
    let metrics = |installation: &Installation| {
        let objects = Plan::new(&blueprint, installation, Seen::default()).unwrap().objects();
        let shown = objects.find("HorizontalPodAutoscaler", "runtime").unwrap().shown();
        let metrics = shown["spec"]["metrics"].as_array().unwrap().clone();
        metrics.iter().map(|metric| metric["type"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(metrics(&installation), ["Resource", "Pods"]);
    installation.streams_metric = None;
    assert_eq!(metrics(&installation), ["Resource"]);
}

#[test]
fn routes_name_only_proven_domains_and_at_most_sixteen_each() {
    let names: Vec<_> = (0..20).map(|at| format!("d{at}.example.com")).collect();
    let states: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let state = if at == 7 { "WaitingForRecord" } else { "Serving" };
            json!({"name": name, "state": state})
        })
        .collect();
    let blueprint = with(&small(), &json!({"domains": names}));
    let blueprint = seen(&blueprint, json!({"domains": states}));
    let hosts = |name| {
        let shown = shown(&blueprint, "HTTPRoute", name).unwrap();
        shown["spec"]["hostnames"].as_array().unwrap().clone()
    };
    let (first, second) = (hosts("runtime"), hosts("runtime-2"));
    assert_eq!((first.len(), second.len()), (16, 4));
    assert_eq!(first[0], "harbour.platforms.example");
    assert!(!first.contains(&json!("d7.example.com")));
}

#[test]
fn quotas_leave_room_for_all_that_is_planned() {
    let (blueprint, installation) = (full(), installation());
    let objects = Plan::new(&blueprint, &installation, Seen::default()).unwrap().objects();
    let quota = objects.find("ResourceQuota", "platform").unwrap().shown();
    let hard = &quota["spec"]["hard"];
    // Six copies and two more, a model server, two instances and one more.
    assert_eq!(hard["pods"], "12");
    assert_eq!(hard["requests.nvidia.com/gpu"], "2");
    assert_eq!(hard["requests.cpu"], "9");
    assert_eq!(hard["requests.memory"], "60Gi");
    assert_eq!(hard["requests.storage"], "300Gi");
    assert_eq!(hard["persistentvolumeclaims"], "3");
}
