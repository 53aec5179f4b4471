//! What all our pods have in common: nothing that could harm others, and an orderly end.

use serde_json::json;

use super::labels::{Part, matching};
use crate::decide::Plan;
use crate::fleet::Pool;
use crate::node::{Node, always, group};
use crate::origin::Sourced;

/// User and group of our images; owns nothing on any node.
const NOBODY: u32 = 65_532;

/// The fields of a pod that keep it apart from the node and from the API server.
pub(super) fn harmless(part: Part) -> Node {
    let apart = "pods are kept apart from the node";
    let alone = "pods ask neither the API server nor its environment";
    let context = json!({
        "runAsNonRoot": true,
        "runAsUser": NOBODY,
        "runAsGroup": NOBODY,
        "fsGroup": NOBODY,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    group([
        ("automountServiceAccountToken", always(alone, false)),
        ("enableServiceLinks", always(alone, false)),
        ("securityContext", always(apart, context)),
        ("serviceAccountName", always("a name without rights", part.name())),
    ])
}

/// The same for its container.
pub(super) fn harmless_container() -> Node {
    let context = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": true,
    });
    always("pods are kept apart from the node", context)
}

/// Copies are spread over zones and nodes, where there are several.
pub(super) fn spread(plan: &Plan<'_>, part: Part) -> Node {
    let why = "one node or zone that fails takes no more copies with it than it must";
    let over = |key: &str| {
        let rule = json!({
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "matchLabelKeys": ["pod-template-hash"],
        });
        always(why, rule).and("labelSelector", matching(plan, part))
    };
    Node::List(vec![over("topology.kubernetes.io/zone"), over("kubernetes.io/hostname")])
}

/// The nodes of a pool, where there is one.
pub(super) fn nodes(pool: Option<&Sourced<&Pool>>) -> Option<Node> {
    let pool = pool.filter(|pool| !pool.value.nodes.is_empty())?;
    Some(pool.origin.of(json!(pool.value.nodes)))
}

/// Probes of a container. One that waits for something is not killed for that: it lives, and is not
/// ready.
pub(super) fn probes(container: Node, live: &str, ready: &str, port: &str) -> Node {
    let get = |path: &str| json!({"path": path, "port": port});
    let why = "a copy gets visitors while it says that it is ready, and is replaced when it hangs";
    let starting = json!({
        "httpGet": get(live), "periodSeconds": 2, "timeoutSeconds": 3, "failureThreshold": 60,
    });
    let readiness = json!({
        "httpGet": get(ready), "periodSeconds": 5, "timeoutSeconds": 3, "failureThreshold": 3,
    });
    let liveness = json!({
        "httpGet": get(live), "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6,
    });
    container
        .and("startupProbe", always(why, starting))
        .and("readinessProbe", always(why, readiness))
        .and("livenessProbe", always(why, liveness))
}

/// A folder in memory of the node's disk that ends with the pod.
pub(super) fn scratch(size: &str) -> Node {
    let why = "the one folder that can be written, since the image cannot";
    let folder = json!({"sizeLimit": size});
    group([("name", always(why, "tmp")), ("emptyDir", always(why, folder))])
}

/// Where a container reads a volume.
pub(super) fn reads(volume: &str, path: &str) -> Node {
    let mount = json!({"name": volume, "mountPath": path, "readOnly": true});
    always("where the program looks for it", mount)
}

/// Where a container reads and writes a volume.
pub(super) fn writes(volume: &str, path: &str) -> Node {
    always("where the program writes", json!({"name": volume, "mountPath": path}))
}
