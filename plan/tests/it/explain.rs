//! Every value of every object says where it comes from.

use plan::{Origin, Plan, Seen};
use serde_json::Value;

use crate::generate::{full, installation, planned, seen, small};

/// Single values, empty groups and empty lists.
fn count(value: &Value) -> usize {
    match value {
        Value::Object(fields) if !fields.is_empty() => fields.values().map(count).sum(),
        Value::Array(items) if !items.is_empty() => items.iter().map(count).sum(),
        _ => 1,
    }
}

/// Whether the schema knows a field such as `spec.runtime.replicas.min`.
fn is_known(schema: &Value, field: &str) -> bool {
    let found = field.split('.').try_fold(schema, |at, step| at["properties"].get(step));
    found.is_some() || field == "metadata.name"
}

#[test]
fn every_value_is_explained_and_by_fields_that_there_are() {
    let schema = blueprint::json_schema();
    let mut explained = 0;
    for generated in planned(500, 0x5eed_0109) {
        let asked = serde_json::to_value(&generated.blueprint).unwrap();
        let is_written =
            |field: &str| field.split('.').try_fold(&asked, |at, step| at.get(step)).is_some();
        for object in &generated.plan().unwrap().objects() {
            let leaves = object.leaves();
            // What stands in a text counts as one value of the object.
            let mut places: Vec<_> =
                leaves.iter().map(|leaf| leaf.path.split(':').next().unwrap()).collect();
            places.dedup();
            assert_eq!(places.len(), count(&object.shown()), "{}", object.id());
            for leaf in &leaves {
                match leaf.origin {
                    Origin::Written(field) => {
                        assert!(is_written(field), "{field}");
                        assert!(is_known(&schema, field), "{field}");
                    }
                    Origin::Default(field) => {
                        assert!(!is_written(field), "{field}");
                        assert!(is_known(&schema, field), "{field}");
                    }
                    Origin::Bounded { field, .. } => assert!(is_written(field), "{field}"),
                    Origin::Chosen { field, .. } => assert!(is_written(field), "{field}"),
                    _ => {}
                }
                assert!(object.explain(&leaf.path).contains(leaf), "{}", leaf.path);
                explained += 1;
            }
        }
    }
    println!("counted: {explained} values of 500 plans explained");
}

#[test]
fn a_field_is_explained_in_words() {
    let blueprint = full();
    let business = serde_json::json!({"account": {
        "organization": "o",
        "plan": "business",
        "entitlements": blueprint::PlanName::Enterprise.entitlements(),
    }});
    let mut blueprint = seen(&blueprint, business);
    blueprint.spec.runtime.replicas.max = Some(40);
    let installation = installation();
    let objects = Plan::new(&blueprint, &installation, Seen::default()).unwrap().objects();
    let told = |kind, name, path| {
        let found = objects.find(kind, name).unwrap().explain(path);
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        told("HorizontalPodAutoscaler", "runtime", ".spec.maxReplicas"),
        ["spec.maxReplicas = 10: the most that the business plan gives; the blueprint's \
             spec.runtime.replicas.max is 40"]
    );
    assert_eq!(
        told("Deployment", "runtime", "spec.template.spec.nodeSelector"),
        ["spec.template.spec.nodeSelector.pool = \"plain-eu\": the nodes of plain-eu, chosen by \
             the blueprint's spec.governance.dataResidency"]
    );
    assert_eq!(
        told(
            "Deployment",
            "inference",
            "spec.template.spec.containers[0].resources.limits['nvidia.com/gpu']"
        ),
        ["spec.template.spec.containers[0].resources.limits[\"nvidia.com/gpu\"] = \"2\": the \
             blueprint's spec.inference.gpu.count"]
    );
    assert_eq!(
        told("ConfigMap", "inference-settings", "data[\"model-server.yaml\"]:tenants[0].class"),
        ["data[\"model-server.yaml\"]:tenants[0].class = \"business\": what was there before: \
             status.account.plan"]
    );
    assert!(told("Deployment", "runtime", "spec.nothing").is_empty());
}

#[test]
fn a_default_is_told_from_what_was_written() {
    let (blueprint, installation) = (small(), installation());
    let objects = Plan::new(&blueprint, &installation, Seen::default()).unwrap().objects();
    let replicas = objects.find("Deployment", "runtime").unwrap().explain("spec.replicas");
    assert_eq!(
        replicas[0].to_string(),
        "spec.replicas = 1: the default of the blueprint's spec.runtime.replicas.min"
    );
}
