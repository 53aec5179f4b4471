//! What a change would do, told before it is made.

use blueprint::PlatformBlueprint;
use plan::difference::{Manner, Risk};
use plan::{Difference, FleetDifference, Installation, Plan, Seen, difference};
use serde_json::{Value, json};

use crate::generate::{full, installation, planned, seen, small, with};

fn between(
    (before, old): (&PlatformBlueprint, &Installation),
    (after, new): (&PlatformBlueprint, &Installation),
) -> Difference {
    let before = Plan::new(before, old, Seen::default()).unwrap();
    difference(&before, &Plan::new(after, new, Seen::default()).unwrap())
}

fn edit(blueprint: &PlatformBlueprint, change: &Value) -> Difference {
    let installation = installation();
    between((blueprint, &installation), (&with(blueprint, change), &installation))
}

#[test]
fn the_same_twice_is_nothing() {
    let none = edit(&full(), &json!({}));
    assert!(none.is_empty());
    assert_eq!(none.to_string(), "Nothing changes.\n");
}

#[test]
fn a_new_name_changes_one_text_and_starts_nothing() {
    let told = edit(&small(), &json!({"identity": {"displayName": "Haven"}}));
    assert_eq!(
        told.to_string(),
        "The blueprint:\n  spec.identity.displayName: \"Harbour\" -> \"Haven\"\n\
         Objects:\n  ~ ConfigMap blueprint\n      data[\"blueprint.yaml\"]: a text of 134 bytes -> \
         a text of 132 bytes (the blueprint's spec)\n"
    );
}

#[test]
fn a_new_version_starts_copies_one_after_the_other() {
    let (blueprint, old) = (small(), installation());
    let mut new = old.clone();
    new.version = "1.5.0".parse().unwrap();
    let told = between((&blueprint, &old), (&blueprint, &new));
    assert_eq!(
        told.to_string(),
        "Starts again:\n  Deployment runtime: new copies serve before old ones go (a setting of \
         this installation: its version)\n\
         Objects:\n  ~ Deployment runtime\n      spec.template.spec.containers[0].image: \
         \"registry.example/soulfra/tenant-runtime:1.4.0\" -> \
         \"registry.example/soulfra/tenant-runtime:1.5.0\" (a setting of this installation: its \
         version)\n"
    );
}

#[test]
fn a_model_server_that_starts_again_is_away_meanwhile() {
    let told = edit(&full(), &json!({"ai": {"perUserDailyTokens": 7}}));
    let manners: Vec<_> = told.restarts.iter().map(|r| (&*r.object.name, r.manner)).collect();
    assert_eq!(manners, [("inference", Manner::Away)]);
    let gone = edit(&full(), &json!({"inference": {"placement": "shared", "gpu": null}}));
    let manners: Vec<_> = gone.restarts.iter().map(|r| (&*r.object.name, r.manner)).collect();
    assert_eq!(manners, [("runtime", Manner::Rolling), ("inference", Manner::Stopped)]);
}

#[test]
fn suspending_stops_without_risk() {
    let told = edit(&full(), &json!({"suspended": true}));
    let stopped: Vec<_> = told.restarts.iter().map(|r| (&*r.object.name, r.manner)).collect();
    assert_eq!(stopped, [("inference", Manner::Stopped), ("runtime", Manner::Stopped)]);
    assert!(told.risks.is_empty());
}

#[test]
fn what_happens_to_data_is_told_first() {
    let lives = json!({"database": {"placement": "shared", "server": "db-any-1", "name": "t_h"}});
    let moved = edit(&seen(&small(), lives), &json!({"database": {"placement": "dedicated"}}));
    let (from, to) = ("db-any-1".to_owned(), "a server of its own".to_owned());
    assert_eq!(moved.risks, [Risk::Moves { from, to }]);
    let risks = edit(
        &small(),
        &json!({
            "database": {"deletionPolicy": "Delete"},
            "governance": {"dataRetentionDays": 90, "dataResidency": "eu"},
            "runtime": {"version": "1.3.9"},
        }),
    );
    assert_eq!(
        risks.risks,
        [
            Risk::RemovedAfterDeletion,
            Risk::Forgotten { before: None, days: 90 },
            Risk::Region { before: None, after: "eu".into() },
            Risk::OlderVersion { before: "1.4.0".into(), after: "1.3.9".into() },
        ]
    );
    let text = risks.to_string();
    assert!(text.find("Data at risk:") < text.find("Starts again:"), "{text}");
    let gone = edit(&full(), &json!({"database": {"placement": "shared"}}));
    assert_eq!(gone.risks, [Risk::Gone { object: "Cluster database".into() }]);
    assert!(edit(&full(), &json!({"governance": {"dataRetentionDays": 400}})).risks.is_empty());
}

#[test]
fn a_paused_platform_says_so() {
    let told = edit(&full(), &json!({"paused": true, "runtime": {"version": "2.0.0"}}));
    assert!(told.to_string().starts_with("Paused: "));
}

#[test]
fn a_whole_fleet_is_previewed_in_moments() {
    let all = planned(1_000, 0x5eed_010b);
    let begun = std::time::Instant::now();
    let mut fleet = FleetDifference::default();
    for one in &all {
        let mut new = one.installation.clone();
        new.version = "1.5.0".parse().unwrap();
        let (before, after) =
            (one.plan().unwrap(), Plan::new(&one.blueprint, &new, one.seen).unwrap());
        fleet.add(before.name.as_str(), &difference(&before, &after));
    }
    println!("measured: 1000 platforms previewed in {} ms", begun.elapsed().as_millis());
    println!("{fleet}");
    // Many are pinned to a version of their own, and some are stopped.
    assert_eq!(fleet.platforms, 1_000);
    assert!(fleet.restarted > 200 && fleet.unchanged > 200, "{fleet}");
    assert!(fleet.restarted + fleet.unchanged <= 1_000);
}

#[test]
fn a_fleet_under_a_new_version_is_told_in_numbers() {
    let old = installation();
    let mut new = old.clone();
    new.version = "1.3.0".parse().unwrap();
    let pinned = with(&small(), &json!({"runtime": {"version": "1.4.0"}}));
    let mut fleet = FleetDifference::default();
    for (name, blueprint) in [("moves", &small()), ("stays", &pinned)] {
        fleet.add(name, &between((blueprint, &old), (blueprint, &new)));
    }
    fleet.refuse("broken");
    assert_eq!(
        fleet.to_string(),
        "3 platforms: 1 unchanged, 1 started again (0 away meanwhile), 1 with data at risk, 1 \
         refused\nLook at: moves, broken\n"
    );
}
