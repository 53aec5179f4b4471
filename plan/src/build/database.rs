//! A database server of a platform's own, as `CloudNativePG` makes it.

use serde_json::json;

use super::labels::{Part, object, pod_labels};
use super::limits::resources;
use super::pod;
use crate::allowance::gibi;
use crate::decide::Plan;
use crate::node::{always, group};
use crate::object::Object;
use crate::origin::Origin;

pub(super) fn cluster(plan: &Plan<'_>) -> Option<Object> {
    let wanted = plan.database.cluster.as_ref()?;
    let needs = plan.installation.dedicated_databases.as_ref()?;
    let pays = &plan.pays.origin;
    let storage = group([("size", wanted.storage.origin.of(gibi(wanted.storage.value)))])
        .and_some("storageClass", super::inference::storage_class(plan));
    let apart = "one node that fails takes no more instances with it than it must";
    let affinity = always(
        apart,
        json!({
            "enablePodAntiAffinity": true,
            "podAntiAffinityType": "preferred",
            "topologyKey": "kubernetes.io/hostname",
        }),
    )
    .and_some("nodeSelector", pod::nodes(plan.pool.as_ref()));
    let spec = group([
        ("affinity", affinity),
        ("enableSuperuserAccess", always("our operator makes databases and roles on it", true)),
        ("imageName", Origin::Installation("its dedicated databases").of(needs.image.as_str())),
        ("inheritedMetadata", group([("labels", pod_labels(plan, Part::Database))])),
        ("instances", pays.of(plan.allowance.database_instances)),
        ("resources", resources(plan.allowance.database, pays, None)),
        ("storage", storage),
    ]);
    let kind = ("postgresql.cnpg.io/v1", "Cluster");
    Some(object(plan, kind, Part::Database.name(), [("spec", spec)]))
}
