//! How much of the cluster a platform's namespace may use, and each container in it.

use super::labels::object;
use crate::allowance::{Size, cpu, gibi, mebi};
use crate::decide::{Models, Plan};
use crate::node::{Node, always, group, list};
use crate::object::Object;
use crate::origin::Origin;

const QUOTA: Origin = Origin::Reckoned(
    "the most copies with one more while they are replaced, one job, and what is dedicated",
);

pub(super) fn limits(plan: &Plan<'_>) -> Vec<Object> {
    vec![quota(plan), ranges(plan)]
}

fn quota(plan: &Plan<'_>) -> Object {
    let needs = Needs::of(plan);
    let none = "platforms are reached through the edge alone";
    let hard = group([
        ("limits.cpu", QUOTA.of(cpu(needs.cpu_most))),
        ("limits.memory", QUOTA.of(mebi(needs.memory))),
        ("persistentvolumeclaims", QUOTA.of(needs.volumes.to_string())),
        ("pods", QUOTA.of(needs.pods.to_string())),
        ("requests.cpu", QUOTA.of(cpu(needs.cpu_kept))),
        ("requests.memory", QUOTA.of(mebi(needs.memory))),
        ("requests.nvidia.com/gpu", QUOTA.of(needs.gpus.to_string())),
        ("requests.storage", QUOTA.of(storage(needs.storage))),
        ("services.loadbalancers", always(none, "0")),
        ("services.nodeports", always(none, "0")),
    ]);
    object(plan, ("v1", "ResourceQuota"), "platform", [("spec", group([("hard", hard)]))])
}

fn ranges(plan: &Plan<'_>) -> Object {
    let pays = &plan.pays.origin;
    let one = plan.allowance.runtime;
    let most = Needs::of(plan).largest;
    let resources = |kept: u32, memory: u32, origin: &Origin| {
        group([("cpu", origin.of(cpu(kept))), ("memory", origin.of(mebi(memory)))])
    };
    let largest = Origin::Reckoned("the largest container of the platform");
    let limit = group([
        ("type", always("what is limited", "Container")),
        ("default", resources(one.cpu_most, one.memory, pays)),
        ("defaultRequest", resources(one.cpu_kept, one.memory, pays)),
        ("max", resources(most.cpu_most, most.memory, &largest)),
    ]);
    let limits = group([("limits", list([limit]))]);
    object(plan, ("v1", "LimitRange"), "containers", [("spec", limits)])
}

/// What all pods of a platform need together.
#[derive(Default)]
struct Needs {
    cpu_kept: u32,
    cpu_most: u32,
    memory: u32,
    pods: u32,
    gpus: u32,
    volumes: u32,
    storage: u32,
    largest: Largest,
}

/// The most that one container may use.
#[derive(Clone, Copy, Default)]
struct Largest {
    cpu_most: u32,
    memory: u32,
}

impl Needs {
    fn of(plan: &Plan<'_>) -> Self {
        let mut needs = Self::default();
        // One more while copies are replaced, and one for a job.
        needs.add(u32::from(plan.copies.max.value) + 2, plan.allowance.runtime);
        if let Models::Dedicated(own) = &plan.models {
            needs.add(1, plan.allowance.inference);
            needs.gpus = own.gpu.map_or(0, |gpu| u32::from(gpu.count));
            needs.volumes += 1;
            needs.storage += own.cache.value;
        }
        if let Some(cluster) = &plan.database.cluster {
            let instances = u32::from(plan.allowance.database_instances);
            // One more for the job that makes each instance.
            needs.add(instances + 1, plan.allowance.database);
            needs.volumes += instances;
            needs.storage += instances * cluster.storage.value;
        }
        needs
    }

    fn add(&mut self, pods: u32, size: Size) {
        self.cpu_kept += pods * size.cpu_kept;
        self.cpu_most += pods * size.cpu_most;
        self.memory += pods * size.memory;
        self.pods += pods;
        self.largest.cpu_most = self.largest.cpu_most.max(size.cpu_most);
        self.largest.memory = self.largest.memory.max(size.memory);
    }
}

fn storage(count: u32) -> String {
    if count == 0 { "0".into() } else { gibi(count) }
}

/// `requests` and `limits` of a container of this size.
pub(super) fn resources(size: Size, origin: &Origin, gpus: Option<Node>) -> Node {
    let kept = group([("cpu", origin.of(cpu(size.cpu_kept))), ("memory", memory(size, origin))]);
    let most = group([("cpu", origin.of(cpu(size.cpu_most))), ("memory", memory(size, origin))]);
    group([("requests", kept), ("limits", most.and_some("nvidia.com/gpu", gpus))])
}

// Kept and most are the same: who is promised less than it uses is ended first when memory is short.
fn memory(size: Size, origin: &Origin) -> Node {
    origin.of(mebi(size.memory))
}
