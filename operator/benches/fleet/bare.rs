//! A bare client that applies what a platform is made of, as fast as it can.

use std::time::Instant;

use futures::StreamExt as _;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use operator::kind::Kind;
use plan::{Plan, SecretKey, Secrets, Seen};

use crate::times::many;
use crate::world::{World, example};

/// So many platforms at once; more make it no faster.
const AT_ONCE: usize = 64;

/// Platforms a second, without blueprint and status, of which only an operator has to know.
pub(crate) async fn apply(world: &World, count: usize) -> f64 {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let first = NEXT.fetch_add(count, std::sync::atomic::Ordering::SeqCst);
    let begun = Instant::now();
    futures::stream::iter(first..first + count)
        .for_each_concurrent(AT_ONCE, |number| async move {
            let name = format!("bare-{number}");
            let blueprint = example(&name);
            let installation = &world.driver.installation;
            let plan = Plan::new(&blueprint, installation, Seen::default()).unwrap();
            let secrets = SecretKey::ALL.into_iter().fold(Secrets::default(), |secrets, key| {
                secrets.with(key, "secret".to_owned().into())
            });
            let parameters = PatchParams::apply("bare").force();
            for object in &plan.objects() {
                let mut filled = object.filled(&secrets).unwrap();
                // Not ours, so that no operator looks at it.
                filled["metadata"]["labels"].as_object_mut().unwrap().remove(plan::TENANT);
                let kind = Kind::of(object.id().api_version, object.id().kind).unwrap();
                let client = world.client.clone();
                let api: Api<DynamicObject> = if kind.in_namespace() {
                    Api::namespaced_with(client, &plan.namespace(), &kind.resource())
                } else {
                    Api::all_with(client, &kind.resource())
                };
                let object_name = object.id().name.clone();
                api.patch(&object_name, &parameters, &Patch::Apply(&filled)).await.unwrap();
            }
        })
        .await;
    many(count) / begun.elapsed().as_secs_f64()
}
