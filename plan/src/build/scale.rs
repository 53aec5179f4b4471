//! How many copies there are while things change: drains of nodes, and crowds.

use serde_json::json;

use super::labels::{Part, matching, object};
use super::runtime::NAME;
use crate::decide::Plan;
use crate::node::{Node, always, group, list};
use crate::object::Object;
use crate::origin::Origin;

/// The share of its kept processor time, in percent, at which another copy is started.
const BUSY: u32 = 70;

pub(super) fn scale(plan: &Plan<'_>) -> Vec<Object> {
    std::iter::once(disruptions(plan)).chain(autoscaler(plan)).collect()
}

fn disruptions(plan: &Plan<'_>) -> Object {
    let why = "nodes can be emptied, one copy after the other";
    let spec = group([
        ("maxUnavailable", always(why, 1)),
        ("selector", matching(plan, Part::Runtime)),
        ("unhealthyPodEvictionPolicy", always(why, "AlwaysAllow")),
    ]);
    object(plan, ("policy/v1", "PodDisruptionBudget"), NAME, [("spec", spec)])
}

/// While a platform sleeps, with no copies, the autoscaler rests by itself.
fn autoscaler(plan: &Plan<'_>) -> Option<Object> {
    if !plan.copies.autoscaled() {
        return None;
    }
    let why = "a crowd is met at once, and left slowly";
    let behavior = json!({
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": 300,
            "selectPolicy": "Max",
            "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
        },
    });
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME});
    let spec = group([
        ("behavior", always(why, behavior)),
        ("maxReplicas", plan.copies.max.node()),
        ("metrics", list(metrics(plan))),
        ("minReplicas", plan.copies.min.node()),
        ("scaleTargetRef", always("what it counts for", target)),
    ]);
    Some(object(plan, ("autoscaling/v2", "HorizontalPodAutoscaler"), NAME, [("spec", spec)]))
}

fn metrics(plan: &Plan<'_>) -> Vec<Node> {
    let busy = json!({"type": "Utilization", "averageUtilization": BUSY});
    let cpu = always(
        "another copy before the processor is short",
        json!({"type": "Resource", "resource": {"name": "cpu", "target": busy}}),
    );
    let streams = plan.installation.streams_metric.as_deref().map(|metric| {
        let setting = Origin::Installation("its metric of open streams");
        let target = group([
            ("type", always("by copy", "AverageValue")),
            ("averageValue", plan.pays.origin.of(plan.allowance.streams.to_string())),
        ]);
        group([
            ("type", setting.of("Pods")),
            ("pods", group([("metric", setting.of(json!({"name": metric}))), ("target", target)])),
        ])
    });
    std::iter::once(cpu).chain(streams).collect()
}
