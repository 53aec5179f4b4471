//! What a blueprint would do is told before, and is what it does then.

use std::collections::BTreeSet;

use blueprint::{PlanName, PlatformBlueprint, changes};
use control_plane::domain::preview::Preview;
use plan::{Installation, Plan, Seen};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::Rig;
use crate::browser::Browser;
use crate::rig::{Caller, installation, written};

/// Changes that are previewed, and applied.
const CHANGES: usize = 500;
/// How they are made.
const SEED: u64 = 0x5eed_0700;

/// A field that people change, with values that it may have.
fn fields() -> Vec<(&'static str, Vec<Value>)> {
    let money = |amount| json!({"amount": amount, "currency": "USD"});
    vec![
        ("/identity/displayName", vec![json!("Harbour"), json!("Quay")]),
        ("/identity/tagline", vec![Value::Null, json!("Ships and more")]),
        ("/suspended", vec![json!(false), json!(true)]),
        ("/paused", vec![json!(false), json!(true)]),
        (
            "/runtime/replicas",
            vec![Value::Null, json!({"min": 2, "max": 4}), json!({"min": 3, "max": 3})],
        ),
        ("/runtime/version", vec![Value::Null, json!("1.3.0"), json!("1.4.1")]),
        ("/ai/monthlyBudget", vec![Value::Null, money(5_000), money(9_000)]),
        ("/ai/perUserDailyTokens", vec![Value::Null, json!(1_000), json!(2_000)]),
        ("/governance/dataRetentionDays", vec![Value::Null, json!(30), json!(90)]),
        ("/governance/dataResidency", vec![Value::Null, json!("eu"), json!("moon")]),
        ("/database/placement", vec![json!("shared"), json!("dedicated")]),
        ("/database/deletionPolicy", vec![json!("Retain"), json!("Delete")]),
        ("/inference/placement", vec![json!("shared"), json!("dedicated")]),
        ("/features/agentMarketplace", vec![Value::Null, json!(true), json!(false)]),
    ]
}

/// The blueprint with one to three fields changed.
fn changed(spec: &Value, chance: &mut StdRng) -> Value {
    let (mut spec, fields) = (spec.clone(), fields());
    for _ in 0..chance.random_range(1..=3) {
        let (path, values) = &fields[chance.random_range(0..fields.len())];
        let value = values[chance.random_range(0..values.len())].clone();
        let (group, field) = path.rsplit_once('/').unwrap();
        let group = group.split('/').filter(|name| !name.is_empty()).fold(&mut spec, |at, name| {
            let fields = at.as_object_mut().unwrap();
            fields.entry(name).or_insert_with(|| json!({}))
        });
        match value {
            Value::Null => group.as_object_mut().unwrap().remove(field),
            value => group.as_object_mut().unwrap().insert(field.to_owned(), value),
        };
    }
    spec
}

/// The parts of a platform whose pods are others then, or none; nothing, where it cannot be planned.
fn started_again(
    before: &PlatformBlueprint,
    after: &PlatformBlueprint,
    installation: &Installation,
) -> Option<BTreeSet<String>> {
    let objects = |it| Some(Plan::new(it, installation, Seen::default()).ok()?.objects());
    let (old, new) = (objects(before)?, objects(after)?);
    let of = |objects: &plan::Objects, kind, name| {
        objects.find(kind, name).map(|object| object.shown()["spec"].clone())
    };
    let mut parts = BTreeSet::new();
    for part in ["runtime", "inference"] {
        let (old, new) = (of(&old, "Deployment", part), of(&new, "Deployment", part));
        let Some(old) = old else { continue };
        let is_stopped = |spec: &Value| spec["replicas"] == 0;
        let differs = match &new {
            None => true,
            Some(new) if is_stopped(new) => !is_stopped(&old),
            Some(new) => old["template"] != new["template"],
        };
        parts.extend(differs.then(|| part.to_owned()));
    }
    let (old, new) = (of(&old, "Cluster", "database"), of(&new, "Cluster", "database"));
    let differs = old.is_some_and(|old| {
        // Of what a database server is made, this is what its maker starts instances again for.
        let is_other = |new: &Value| {
            ["imageName", "resources", "affinity"].iter().any(|field| old[field] != new[field])
        };
        new.as_ref().is_none_or(is_other)
    });
    parts.extend(differs.then(|| "database".to_owned()));
    Some(parts)
}

async fn preview(caller: &Caller<'_>, text: String) -> Preview {
    let told = caller.send("POST", "/v1/blueprints/preview", &[], text).await;
    assert_eq!(told.status, 200, "{:?}", told.body);
    serde_json::from_value(told.body).unwrap()
}

#[sqlx::test(migrations = false)]
async fn five_hundred_previews_are_what_was_done_then(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Enterprise).await;
    let (mut chance, installation) = (StdRng::seed_from_u64(SEED), installation());
    println!("seed {SEED:#x}");
    let made = acme.send("POST", "/v1/platforms", &[], written("harbour", "Harbour")).await;
    let path = format!("/v1/platforms/{}/blueprint", made.body["id"].as_str().unwrap());
    let (mut refused, mut unbuildable, mut restarts, mut risks) = (0, 0, 0, 0);
    for _ in 0..CHANGES {
        let read = acme.get(&path).await;
        let mut wanted = read.body.clone();
        wanted["spec"] = changed(&wanted["spec"], &mut chance);
        let text = wanted.to_string();
        let before = rig.cluster.of("harbour").unwrap();
        let told = acme.send("POST", "/v1/blueprints/preview", &[], text.clone()).await;
        assert_eq!(rig.cluster.of("harbour").unwrap(), before, "a preview changes nothing");
        let headers = [("if-match", read.header("etag"))];
        let done = acme.send("PUT", &path, &headers, text).await;
        if told.status != 200 {
            assert_eq!((told.status, &told.body), (done.status, &done.body));
            refused += 1;
            continue;
        }
        assert_eq!(done.status, 200, "{:?} {:?}", told.body, done.body);
        let told: Preview = serde_json::from_value(told.body).unwrap();
        let after = rig.cluster.of("harbour").unwrap();
        let fields: Vec<_> = changes(&before, &after).iter().map(ToString::to_string).collect();
        let said: Vec<_> = told.fields.iter().map(|field| field.text.clone()).collect();
        assert_eq!(said, fields);
        let effects = told.effects.unwrap();
        let parts: BTreeSet<_> = effects.restarts.iter().map(|it| it.part.clone()).collect();
        let can_be_built = Plan::new(&after, &installation, Seen::default()).is_ok();
        assert_eq!(effects.problems.is_empty(), can_be_built, "{:?}", effects.problems);
        if let Some(again) = started_again(&before, &after, &installation) {
            assert_eq!(parts, again, "{fields:?}");
        }
        unbuildable += usize::from(!can_be_built);
        restarts += usize::from(!parts.is_empty());
        risks += usize::from(!effects.data.is_empty());
    }
    // All kinds came about.
    println!(
        "{refused} refused, {unbuildable} unbuildable, {restarts} start again, {risks} at risk"
    );
    assert!(unbuildable > 10 && restarts > 50 && risks > 20);
}

#[sqlx::test(migrations = false)]
async fn what_a_new_platform_costs_is_told_before_it_is_made(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let told = preview(&acme, written("harbour", "Harbour")).await;
    assert!(told.is_new);
    assert_eq!(
        told.summary,
        "A new platform is made. The starter plan costs 99.00 USD a month for it, from 1 March 2026 on."
    );
    assert!(rig.cluster.of("harbour").is_none());
    acme.send("POST", "/v1/platforms", &[], written("harbour", "Harbour")).await;
    let told = preview(&acme, written("harbour", "Harbour")).await;
    assert_eq!((told.is_new, told.summary.as_str()), (false, "Nothing changes."));
    // Refused is what would be refused then.
    let other = rig.admit("other", PlanName::Starter).await;
    let told = other.send("POST", "/v1/blueprints/preview", &[], written("harbour", "Mine")).await;
    assert_eq!(told.code(), (409, "name-taken"));
    rig.cluster.by_kubectl(blueprint::read(&written("quay", "Quay")).unwrap());
    let told = acme.send("POST", "/v1/blueprints/preview", &[], written("quay", "Mine")).await;
    assert_eq!(told.code(), (409, "name-taken"));
}

#[sqlx::test(migrations = false)]
async fn who_changes_a_platform_in_the_console_reads_what_it_would_do_first(db: PgPool) {
    let rig = Rig::new(db).await;
    let admitted = rig.admitted("acme", PlanName::Business, Some("olive@acme.test")).await;
    let mut olive = Browser::join(&rig, &admitted.invitation.unwrap(), "Olive").await;
    let text = written("harbour", "Harbour");
    let told = olive.fill("/o/acme/new/preview", &[("blueprint", &text)]).await;
    told.is(200).says("Nothing is done yet.").says("999.00 USD a month").says("Create platform");
    let broken = text.replace("displayName", "displayname");
    let told = olive.fill("/o/acme/new/preview", &[("blueprint", &broken)]).await;
    told.is(422).says("displayname").says("See what it would do");
    assert!(rig.cluster.of("harbour").is_none());
    olive.fill("/o/acme/new", &[("blueprint", &text)]).await.is(303);

    let base = "/o/acme/platforms/harbour";
    let page = olive.open(base).await;
    let seen = page.between("name=\"seen\" value=\"", "\"");
    let stopped = format!("{text}  suspended: true\n");
    let fields = [("blueprint", stopped.as_str()), ("seen", seen.as_str())];
    let told = olive.fill(&format!("{base}/preview"), &fields).await;
    told.is(200).says("The platform stops.").says("Data stays as it is.").says("spec.suspended");
    assert!(!rig.cluster.of("harbour").unwrap().spec.suspended);
    // What is applied from there is over what was seen then.
    assert_eq!(told.between("name=\"seen\" value=\"", "\""), seen);
    olive.fill(&format!("{base}/blueprint"), &fields).await.leads_to(base);
    assert!(rig.cluster.of("harbour").unwrap().spec.suspended);
    let other = written("quay", "Quay");
    let told = olive.fill(&format!("{base}/preview"), &[("blueprint", &other)]).await;
    told.is(422).says("is called harbour");
}
