//! A second pass over what is unchanged, and one after a stranger came by.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use operator::seen::ChildId;
use serde_json::json;

use crate::times::row;
use crate::world::{World, mark};

const ALTERED: usize = 100;
const DELETED: usize = 20;

pub(crate) async fn passes(world: &World) {
    world.rest().await;
    // The first pass knows everything anew.
    pass(world).await;
    let (writes, calls, time) = pass(world).await;
    let n = world.driver.seen.names().len();
    row("second pass", time.as_secs_f64() * 1e3, "ms", n, "");
    row("its writes", writes, "", n, "");
    row("its calls beside watches", u32::try_from(calls).unwrap(), "", n, "");
    let touched = visit(world).await;
    let (writes, calls, _) = pass(world).await;
    row("altered and deleted", u32::try_from(touched).unwrap(), "", n, "");
    row("writes of the next pass", writes, "", n, "");
    row("calls of the next pass", u32::try_from(calls).unwrap(), "", n, "");
}

async fn pass(world: &World) -> (u32, usize, Duration) {
    let (names, before) = (world.driver.seen.names(), world.calls.count());
    let begun = Instant::now();
    let mut writes = 0;
    for name in names {
        writes += world.driver.reconcile(&name).await.map_or(0, |done| done.writes);
    }
    (writes, world.calls.count() - before, begun.elapsed())
}

/// Alters objects of all kinds and deletes some, and waits until that is known.
async fn visit(world: &World) -> usize {
    let seen = &world.driver.seen;
    let mut all: Vec<(Box<str>, ChildId)> = Vec::new();
    seen.look_at_all(|name, tenant| {
        let children = tenant.children.keys().filter(|id| !id.kind.holds_data());
        all.extend(children.map(|id| (name.into(), id.clone())));
    });
    all.sort();
    let step = all.len() / (ALTERED + DELETED);
    let chosen: Vec<_> = all.into_iter().step_by(step + 1).take(ALTERED + DELETED).collect();
    let kinds: BTreeSet<_> = chosen.iter().map(|(_, id)| id.kind).collect();
    row("kinds among them", u32::try_from(kinds.len()).unwrap(), "", chosen.len(), "");
    for (at, (name, id)) in chosen.iter().enumerate() {
        let namespace = format!("tenant-{name}");
        let api: Api<DynamicObject> =
            Api::namespaced_with(world.client.clone(), &namespace, &id.kind.resource());
        if at < DELETED {
            api.delete(&id.name, &DeleteParams::default()).await.unwrap();
        } else {
            let mut change = mark();
            change["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "stranger"});
            let by = PatchParams { field_manager: Some("stranger".into()), ..Default::default() };
            api.patch(&id.name, &by, &Patch::Merge(&change)).await.unwrap();
        }
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    chosen.len()
}
