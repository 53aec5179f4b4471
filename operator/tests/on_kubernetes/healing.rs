//! Whatever is wrong with a blueprint is refused or told, and the next good one heals it.

use std::time::{Duration, Instant};

use blueprint::PlatformBlueprint;
use futures::StreamExt as _;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::House;
use crate::chance::Chance;
use crate::house::{example, said};

/// From a good blueprint to a platform that is as it should be.
const HEALS_WITHIN: Duration = Duration::from_secs(30);
/// Turns that a bad change and a good one may take together: each is a change of the blueprint, of
/// its status and of what is made, and each of these is heard of once more by a watch.
const TURNS: usize = 40;
/// Platforms that nobody touches.
const OTHERS: usize = 4;

/// Platforms that are changed at once: of one platform changes follow each other slowly where many
/// turns in a row have written.
const AT_ONCE: usize = 100;

/// What became of bad changes.
#[derive(Clone, Copy, Debug, Default)]
struct Became {
    refused: usize,
    told: usize,
    slowest: Duration,
}

impl Became {
    fn and(self, other: Self) -> Self {
        Self {
            refused: self.refused + other.refused,
            told: self.told + other.told,
            slowest: self.slowest.max(other.slowest),
        }
    }
}

fn word(chance: &mut Chance) -> String {
    let letters: Vec<char> = ('a'..='z').collect();
    (0..=chance.below(12)).map(|_| *chance.pick(&letters)).collect()
}

/// Something wrong in `spec`, and the path that must be told.
fn wrong(chance: &mut Chance) -> (Value, &'static str) {
    let word = word(chance);
    let number = i64::try_from(chance.below(100_000)).unwrap();
    match chance.below(14) {
        0 => (json!({"runtime": {"replicas": {"min": -number}}}), "spec.runtime.replicas.min"),
        1 => (json!({"runtime": {"replicas": {"min": word}}}), "spec.runtime.replicas.min"),
        2 => (
            json!({"runtime": {"replicas": {"min": 9, "max": number % 9}}}),
            "spec.runtime.replicas",
        ),
        3 => (json!({"plan": format!("no-{word}")}), "spec.plan"),
        4 => (json!({"domains": [format!("{word} {number}")]}), "spec.domains[0]"),
        5 => (json!({"identity": {"displayName": ""}}), "spec.identity.displayName"),
        6 => (json!({"database": {"placement": word}}), "spec.database.placement"),
        7 => (
            json!({"inference": {"gpu": {"product": word, "count": 17 + number}}}),
            "spec.inference",
        ),
        8 => (json!({"ai": {"perUserDailyTokens": -number}}), "spec.ai.perUserDailyTokens"),
        9 | 10 => (json!({"governance": {"dataResidency": word}}), "spec.governance.dataResidency"),
        11 => (json!({"database": {"placement": "dedicated"}}), "spec.database.placement"),
        _ => {
            let gpu = json!({"product": word, "count": number % 16 + 1});
            (json!({"inference": {"placement": "dedicated", "gpu": gpu}}), "spec.inference.gpu")
        }
    }
}

async fn put(house: &House, name: &str, spec: &Value) -> kube::Result<PlatformBlueprint> {
    let mut whole = serde_json::to_value(example(name)).unwrap();
    blueprint::templates::merge(&mut whole["spec"], spec);
    let mut parameters = PatchParams::apply("kubectl").force();
    parameters.field_validation = Some(kube::api::ValidationDirective::Strict);
    house.blueprints().patch(name, &parameters, &Patch::Apply(&whole)).await
}

fn message(blueprint: &PlatformBlueprint) -> String {
    let conditions = blueprint.status.iter().flat_map(|status| &status.conditions);
    conditions.filter(|it| it.type_ == "Ready").map(|it| it.message.clone()).collect()
}

/// A bad change of a platform, then a good one.
async fn pair(house: &House, name: &str, bad: &Value, path: &str, became: &mut Became) {
    let turns = house.turns_of(name);
    match put(house, name, bad).await {
        Err(kube::Error::Api(status)) => {
            // What is of another type is 500 to a server-side apply: its own way of saying 400.
            assert!((400..=500).contains(&status.code), "{bad}: {status:?}");
            // Deeper where a group is wrong in several fields.
            assert!(status.message.contains(path), "{bad}: {}", status.message);
            became.refused += 1;
        }
        Err(error) => panic!("{bad}: {error}"),
        Ok(applied) => {
            let about = applied.metadata.generation;
            let is_told = |it: &PlatformBlueprint| {
                let observed = it.status.as_ref().and_then(|status| status.observed_generation);
                observed >= about && said(it, "Ready").0 == "False" && message(it).contains(path)
            };
            house.until(name, "told what is wrong", is_told).await;
            became.told += 1;
        }
    }
    let begun = Instant::now();
    let about = put(house, name, &json!({})).await.unwrap().metadata.generation;
    let is_healed = |it: &PlatformBlueprint| {
        let observed = it.status.as_ref().and_then(|status| status.observed_generation);
        observed >= about && said(it, "Ready").0 == "True"
    };
    // Who makes pods is played: it has as much to do as the change asks for.
    let serves = async {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            house.serve(name).await;
        }
    };
    tokio::select! {
        _ = house.until(name, "healed", is_healed) => {}
        () = serves => {}
    }
    let took = begun.elapsed();
    assert!(took < HEALS_WITHIN, "{bad}: healed after {took:?}");
    became.slowest = became.slowest.max(took);
    let turns = house.turns_of(name) - turns;
    assert!(turns <= TURNS, "{bad}: {turns} turns");
}

async fn all_heal(platforms: usize, pairs: usize) {
    let house = House::open(4).await;
    let names: Vec<_> = (0..platforms).map(|at| house.name(&format!("p{at}"))).collect();
    let others: Vec<_> = (0..OTHERS).map(|at| house.name(&format!("o{at}"))).collect();
    let house = &house;
    let made = names.iter().chain(&others).map(|name| async move {
        house.apply(name, |_| {}).await;
        house.until_made(name).await;
        house.serve(name).await;
        house.until(name, "ready", |it| said(it, "Ready").0 == "True").await;
    });
    futures::stream::iter(made).buffer_unordered(8).collect::<()>().await;
    let versions = async |names: &[String]| {
        let mut found = Vec::new();
        for name in names {
            found.push(house.blueprints().get(name).await.unwrap().metadata.resource_version);
        }
        found
    };
    let before = versions(&others).await;
    let mut chance = Chance::seeded(4_242);
    let each = names.iter().map(|name| {
        let all: Vec<_> = (0..pairs).map(|_| wrong(&mut chance)).collect();
        async move {
            let mut became = Became::default();
            for (bad, path) in all {
                Box::pin(pair(house, name, &bad, path, &mut became)).await;
            }
            became
        }
    });
    let all = futures::stream::iter(each).buffer_unordered(AT_ONCE);
    let all = all.fold(Became::default(), async |all, one| all.and(one)).await;
    assert_eq!(versions(&others).await, before, "others are untouched");

    // Nobody goes on when there is nothing left to do.
    house.until_still().await;
    let turns: usize = names.iter().map(|name| house.turns_of(name)).sum();
    let Became { refused, told, slowest } = all;
    assert!(refused > 0 && told > 0, "both were tried: {all:?}");
    println!(
        "counted: {} bad changes ({refused} refused, {told} told) and as many good ones: all heal, \
         the slowest after {} ms; {turns} turns; {} other platforms untouched",
        refused + told,
        slowest.as_millis(),
        others.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn a_good_blueprint_heals_what_a_bad_one_did() {
    all_heal(10, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: cargo xtask soak healing"]
async fn soak_five_thousand_bad_blueprints_are_healed() {
    all_heal(200, 25).await;
}
