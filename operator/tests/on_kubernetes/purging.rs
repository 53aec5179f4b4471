//! What is known may be older than what is there: no data goes for that.

use kube::api::{Patch, PatchParams};
use operator::cluster::CallError;
use operator::reconcile::{Failure, UNDELETE};
use operator::seen::facts::PURGE;
use serde_json::json;

use crate::House;
use crate::house::admin;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn who_did_not_hear_of_an_undeletion_drops_no_data() {
    let house = House::open(0).await;
    let name = house.name("a");
    made_and_deleted(&house, &name).await;
    // Each knows of the deletion, and acts a month later.
    let [before, meanwhile, after] = [(); 3].map(|()| house.stale(&name));
    let exists = async || database::tenant::exists(&admin(), &name.parse().unwrap()).await.unwrap();

    house
        .apply(&name, |it| {
            it["spec"]["database"] = json!({"deletionPolicy": "Delete"});
            it["metadata"]["annotations"] = json!({UNDELETE: "true"});
        })
        .await;
    let refused = before.reconcile(&name).await;
    assert!(matches!(refused, Err(Failure::Call(CallError::Conflict(_)))), "{refused:?}");
    assert!(exists().await, "somebody wants it back");

    house.until_known(&name, |it| it.resource.is_some()).await;
    house.settle(&name).await;
    let refused = meanwhile.reconcile(&name).await;
    assert!(matches!(refused, Err(Failure::Call(CallError::Conflict(_)))), "{refused:?}");
    assert!(exists().await, "it is back");

    // Deleted once more: there is no blueprint, as it was known, and the month begins anew.
    house.until_known(&name, |it| it.home().is_some_and(|(_, home)| home.deleted.is_none())).await;
    house.delete(&name).await;
    until_kept(&house, &name).await;
    let refused = after.reconcile(&name).await;
    assert!(matches!(refused, Err(Failure::Call(CallError::Conflict(_)))), "{refused:?}");
    assert!(exists().await, "it is kept for another month");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn a_name_that_was_typed_before_an_undeletion_counts_no_more() {
    let house = House::open(0).await;
    let name = house.name("a");
    made_and_deleted(&house, &name).await;
    let home = format!("tenant-{name}");
    let typed = json!({"metadata": {"annotations": {PURGE: name}}});
    let patch = Patch::Merge(&typed);
    house.apply(&name, |it| it["metadata"]["annotations"] = json!({UNDELETE: "true"})).await;
    house.until_known(&name, |it| it.resource.is_some()).await;
    house.namespaces().patch(&home, &PatchParams::default(), &patch).await.unwrap();
    house.until_known(&name, |it| it.home().is_some_and(|(_, home)| home.purge.is_some())).await;
    house.settle(&name).await;
    let notes = house.namespaces().get(&home).await.unwrap().metadata.annotations;
    assert_eq!(notes.unwrap_or_default().get(PURGE), None);

    house.delete(&name).await;
    until_kept(&house, &name).await;
    house.settle(&name).await;
    let exists = database::tenant::exists(&admin(), &name.parse().unwrap()).await.unwrap();
    assert!(exists, "nobody typed its name since it was deleted");
}

/// A platform whose data goes by itself a month after this.
async fn made_and_deleted(house: &House, name: &str) {
    house.apply(name, |it| it["spec"]["database"] = json!({"deletionPolicy": "Delete"})).await;
    house.until_known(name, |it| it.resource.is_some()).await;
    house.settle(name).await;
    house.delete(name).await;
    until_kept(house, name).await;
}

/// Turns until it is deleted, and that is known.
async fn until_kept(house: &House, name: &str) {
    house
        .until_known(name, |it| {
            let goes = |it: &operator::seen::Resource| it.metadata().deletion_timestamp.is_some();
            it.resource.as_deref().is_none_or(goes)
        })
        .await;
    house.settle(name).await;
    let is_kept = |it: &operator::seen::Tenant| {
        it.resource.is_none() && it.home().is_some_and(|(_, home)| home.deleted.is_some())
    };
    house.until_known(name, is_kept).await;
}
