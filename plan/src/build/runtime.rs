//! The tenant runtime: its pods, and the one address they are reached at.

use serde_json::json;

use super::config::{self, BLUEPRINT, BLUEPRINT_FOLDER, SECRETS_FOLDER, SETTINGS};
use super::labels::{Part, matching, object, pod_labels, selector};
use super::limits::resources;
use super::network::RUNTIME;
use super::pod;
use crate::decide::Plan;
use crate::node::{Node, always, group, list};
use crate::object::{Object, reads};

/// The annotation of pods that differs where settings do which are read only at start.
pub const SETTINGS_HASH: &str = "soulfra.io/settings-hash";

/// Name of the Deployment, its Service and what scales it.
pub(super) const NAME: &str = "runtime";

/// Conversations under way have so long to end, in seconds, when a pod is to go.
const PATIENCE: u32 = 60;
/// A pod that is to go still serves for so long, in seconds, until nobody sends it visitors.
const FAREWELL: u32 = 5;

pub(super) fn deployment(plan: &Plan<'_>) -> Object {
    let why = "a new copy serves before an old one goes";
    let rolling = json!({
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    });
    let spec = group([
        ("minReadySeconds", always(why, 5)),
        ("progressDeadlineSeconds", always("a rollout that does not move is told", 600)),
        ("revisionHistoryLimit", always("earlier versions to go back to", 3)),
        ("selector", matching(plan, Part::Runtime)),
        ("strategy", always(why, rolling)),
        ("template", template(plan)),
    ])
    .and_some("replicas", plan.copies.replicas());
    object(plan, ("apps/v1", "Deployment"), NAME, [("spec", spec)])
}

fn template(plan: &Plan<'_>) -> Node {
    let metadata = group([
        ("annotations", group([(SETTINGS_HASH, reads(&config::settings(plan)))])),
        ("labels", pod_labels(plan, Part::Runtime)),
    ]);
    let blueprint = json!({"name": "blueprint", "configMap": {"name": BLUEPRINT}});
    let volumes = [
        always("running pods read a changed blueprint again", blueprint),
        config::secret_volume(plan),
        pod::scratch("64Mi"),
    ];
    let spec = pod::harmless(Part::Runtime)
        .and("containers", list([container(plan)]))
        .and_some("nodeSelector", pod::nodes(plan.pool.as_ref()))
        .and(
            "terminationGracePeriodSeconds",
            always("conversations under way come to their end", PATIENCE),
        )
        .and("topologySpreadConstraints", pod::spread(plan, Part::Runtime))
        .and("volumes", list(volumes));
    group([("metadata", metadata), ("spec", spec)])
}

fn container(plan: &Plan<'_>) -> Node {
    let image = format!("{}:{}", plan.installation.images.runtime, plan.version.value);
    let name = "the one container";
    let farewell = json!({"preStop": {"sleep": {"seconds": FAREWELL}}});
    let ports = json!([{"name": "http", "containerPort": RUNTIME, "protocol": "TCP"}]);
    let settings = json!([{"configMapRef": {"name": SETTINGS}}]);
    let mounts = [
        pod::reads("blueprint", BLUEPRINT_FOLDER),
        pod::reads("secrets", SECRETS_FOLDER),
        pod::writes("tmp", "/tmp"),
    ];
    let container = group([
        ("envFrom", always("settings that are read only at start", settings)),
        ("image", plan.version.origin.of(image)),
        ("lifecycle", always("visitors go elsewhere before a copy goes", farewell)),
        ("name", always(name, NAME)),
        ("ports", always("the port that this part listens on", ports)),
        ("resources", resources(plan.allowance.runtime, &plan.pays.origin, None)),
        ("securityContext", pod::harmless_container()),
        ("volumeMounts", list(mounts)),
    ]);
    pod::probes(container, "/healthz", "/readyz", "http")
}

pub(super) fn service(plan: &Plan<'_>) -> Object {
    let why = "the one address that the edge hands visitors on to";
    let ports = json!([{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}]);
    let spec = group([
        ("ports", always(why, ports)),
        ("selector", selector(plan, Part::Runtime)),
        ("type", always(why, "ClusterIP")),
    ]);
    object(plan, ("v1", "Service"), NAME, [("spec", spec)])
}
