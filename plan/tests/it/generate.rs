//! Blueprints of all sorts, each of which the schema allows, and installations.

use blueprint::templates::{self, from_template_with, merge};
use blueprint::{PlatformBlueprint, read};
use plan::{Installation, Plan, Seen};
use serde_json::{Value, json};

use crate::chance::Chance;

pub fn installation() -> Installation {
    serde_json::from_str(include_str!("../../fixtures/installation.json")).unwrap()
}

pub fn small() -> PlatformBlueprint {
    read(include_str!("../../../blueprint/fixtures/small.yaml")).unwrap()
}

/// Everything that can be said, awake.
pub fn full() -> PlatformBlueprint {
    let mut full = read(include_str!("../../../blueprint/fixtures/full.yaml")).unwrap();
    full.spec.suspended = false;
    full.spec.paused = false;
    full
}

/// A blueprint with more in its `spec`.
pub fn with(base: &PlatformBlueprint, spec: &Value) -> PlatformBlueprint {
    let mut text = serde_json::to_value(base).unwrap();
    merge(&mut text["spec"], spec);
    let mut made = read(&text.to_string()).unwrap();
    made.metadata.uid.clone_from(&base.metadata.uid);
    made.status.clone_from(&base.status);
    made
}

/// A blueprint of which this was seen.
pub fn seen(base: &PlatformBlueprint, status: Value) -> PlatformBlueprint {
    let mut made = base.clone();
    made.status = Some(serde_json::from_value(status).unwrap());
    made
}

/// One of everything, with what was seen of it.
pub struct Generated {
    pub blueprint: PlatformBlueprint,
    pub installation: Installation,
    pub seen: Seen,
}

impl Generated {
    pub fn plan(&self) -> Option<Plan<'_>> {
        Plan::new(&self.blueprint, &self.installation, self.seen).ok()
    }
}

/// So many that can be planned.
pub fn planned(count: usize, seed: u64) -> Vec<Generated> {
    let mut chance = Chance::seeded(seed);
    let all = std::iter::repeat_with(|| generate(&mut chance));
    let all: Vec<_> = all.take(count * 20).filter(|one| one.plan().is_some()).take(count).collect();
    assert_eq!(all.len(), count, "too many are refused");
    all
}

fn generate(chance: &mut Chance) -> Generated {
    let blueprint = loop {
        if let Some(made) = blueprint(chance) {
            break made;
        }
    };
    let mut installation = installation();
    if chance.maybe() {
        installation.gateway = None;
    }
    if let Some(gateway) = &mut installation.gateway
        && chance.maybe()
    {
        gateway.issuer = Some("letsencrypt".to_owned());
    }
    if chance.maybe() {
        installation.control_plane = None;
    }
    if chance.maybe() {
        installation.streams_metric = None;
    }
    if chance.below(4) == 0 {
        installation.fleet.stores.clear();
        installation.fleet.pools.clear();
        installation.storage_class = None;
    }
    let seen = Seen {
        past_grace: chance.below(8) == 0,
        admin_link: chance.maybe(),
        database_storage: chance.maybe().then_some(250),
        cache_storage: chance.maybe().then_some(7),
    };
    Generated { blueprint, installation, seen }
}

/// A blueprint, unless what chance put together breaks a rule.
fn blueprint(chance: &mut Chance) -> Option<PlatformBlueprint> {
    let name = label(chance, 40).parse().ok()?;
    let min = chance.below(50) + 1;
    let mut spec = json!({
        "identity": {"displayName": "Generated"},
        "runtime": {"replicas": {"min": min}},
        "suspended": chance.below(8) == 0,
        "paused": chance.below(8) == 0,
        "database": {
            "placement": chance.pick(&["shared", "shared", "dedicated"]),
            "deletionPolicy": chance.pick(&["Retain", "Delete"]),
        },
        "governance": {"dataResidency": chance.pick(&[json!("eu"), Value::Null])},
        "ai": {"safety": "maximum"},
    });
    let mut set = |path: &str, value: Value| *spec.pointer_mut(path).unwrap() = value;
    if chance.maybe() {
        set(
            "/runtime",
            json!({
                "replicas": {"min": min, "max": min + chance.below(51 - min)},
            }),
        );
    }
    if chance.maybe() {
        let version = format!("{}.{}.0", chance.below(3), chance.below(9));
        merge(&mut spec, &json!({"runtime": {"version": version}}));
    }
    if chance.maybe() {
        merge(&mut spec, &json!({"runtime": {"scaleToZeroAfter": chance.pick(&["1m", "2h"])}}));
    }
    match chance.below(3) {
        0 => merge(&mut spec, &json!({"inference": {"placement": "dedicated"}})),
        1 => merge(
            &mut spec,
            &json!({"inference": {
                "placement": "dedicated",
                "gpu": {"product": chance.pick(&["NVIDIA-L4", "NVIDIA-H100"]), "count": chance.below(16) + 1},
            }}),
        ),
        _ => {}
    }
    if chance.maybe() {
        let models =
            json!([{"id": "small"}, {"id": "Qwen/large:1"}, {"id": "far", "provider": "openai"}]);
        let ai = json!({
            "models": models,
            "defaultModel": chance.pick(&["small", "Qwen/large:1"]),
            "monthlyBudget": {"amount": chance.below(9_000), "currency": "EUR"},
            "perUserDailyTokens": chance.below(9_000) + 1,
        });
        merge(&mut spec, &json!({"ai": ai}));
    }
    let domains: Vec<_> = (0..chance.below(21)).map(|at| format!("d{at}.example.com")).collect();
    merge(&mut spec, &json!({"domains": domains}));
    let template = chance.pick(templates::all());
    let mut made = from_template_with(template, &name, &spec).ok()?;
    made.metadata.uid = chance.maybe().then(|| "3f1c9b1e-8c44-4f2e-9a35-0d6c6c1f5a77".to_owned());
    made.status = status(chance, &domains);
    Some(made)
}

fn status(chance: &mut Chance, domains: &[String]) -> Option<blueprint::BlueprintStatus> {
    if chance.maybe() {
        return None;
    }
    let paid = *chance.pick(&blueprint::PlanName::ALL);
    let stages = ["WaitingForRecord", "Verified", "Serving", "Claimed", "Failed"];
    let domains: Vec<_> =
        domains.iter().map(|name| json!({"name": name, "state": chance.pick(&stages)})).collect();
    let mut status = json!({
        "account": {"organization": "o", "plan": paid, "entitlements": paid.entitlements()},
        "domains": domains,
    });
    if chance.maybe() {
        status["database"] = json!({
            "placement": chance.pick(&["shared", "dedicated"]),
            "server": chance.pick(&["db-eu-1", "db-any-1"]),
            "name": "t_x",
        });
    }
    Some(serde_json::from_value(status).unwrap())
}

/// A DNS label of at most so many characters.
fn label(chance: &mut Chance, most: usize) -> String {
    let letters: Vec<char> = ('a'..='z').chain('0'..='9').collect();
    let length = if chance.below(4) == 0 { most } else { chance.below(most) + 1 };
    (0..length)
        .map(|at| {
            let inner = at > 0 && at + 1 < length;
            if inner && chance.below(6) == 0 { '-' } else { *chance.pick(&letters) }
        })
        .collect()
}
