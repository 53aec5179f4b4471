use std::collections::BTreeMap;

use super::*;

/// A fleet that does what waves say.
struct Fleet(BTreeMap<String, (bool, Health)>);

impl Fleet {
    fn of(count: usize) -> Self {
        Self((0..count).map(|n| (format!("p-{n}"), (false, Health::Well))).collect())
    }

    fn waves(&self) -> Waves {
        let stand = |(name, (has_new, health)): (&'_ String, &(bool, Health))| Stand {
            name: name.as_str().into(),
            has_new: *has_new,
            health: *health,
        };
        Waves::of(&new(), self.0.iter().map(stand).collect())
    }

    /// Gives everybody who may have it the new version; how many have it.
    fn upgrade(&mut self, comes_up_as: Health) -> usize {
        let waves = self.waves();
        for (name, (has_new, health)) in &mut self.0 {
            if !*has_new && waves.admit(name) {
                (*has_new, *health) = (true, comes_up_as);
            }
        }
        self.0.values().filter(|(has_new, _)| *has_new).count()
    }

    /// What was started has come up.
    fn come_up(&mut self) {
        for (_, health) in self.0.values_mut().filter(|(has_new, _)| *has_new) {
            *health = Health::Well;
        }
    }
}

fn new() -> Version {
    Version::new(2, 0, 0)
}

#[test]
fn each_wave_begins_when_the_one_before_is_well() {
    let mut fleet = Fleet::of(1_000);
    let mut have = Vec::new();
    while *have.last().unwrap_or(&0) < 1_000 {
        have.push(fleet.upgrade(Health::Moving));
        // While copies start, nobody else begins.
        assert_eq!(fleet.upgrade(Health::Moving), *have.last().unwrap());
        fleet.come_up();
        assert!(have.len() < 10, "{have:?}");
    }
    assert_eq!(have, [1, 10, 100, 1_000]);
    assert_eq!(fleet.waves().progress, Progress::Done);
}

#[test]
fn one_that_does_not_come_up_in_the_first_waves_halts_the_rest() {
    for healthy_waves in 0..2 {
        let mut fleet = Fleet::of(500);
        for _ in 0..healthy_waves {
            fleet.upgrade(Health::Well);
        }
        let have = fleet.upgrade(Health::Ill);
        assert!(have <= 50, "{have}");
        assert_eq!(fleet.upgrade(Health::Ill), have, "nobody else gets it");
        let Progress::Halted { ill } = fleet.waves().progress else { panic!("it goes on") };
        assert!(!ill.is_empty() && ill.len() <= TOLD);
        // Mended, it goes on.
        fleet.come_up();
        assert!(fleet.upgrade(Health::Well) > have);
    }
}

#[test]
fn who_sleeps_or_was_ill_before_holds_nobody_up() {
    let mut fleet = Fleet::of(300);
    for (n, (_, health)) in fleet.0.values_mut().enumerate() {
        *health = match n % 3 {
            0 => Health::Well,
            1 => Health::Idle,
            _ => Health::Ill,
        };
    }
    let first: Vec<_> = (0..3)
        .map(|_| {
            let waves = fleet.waves();
            for (name, (has_new, health)) in &mut fleet.0 {
                if !*has_new && waves.admit(name) {
                    assert_ne!(*health, Health::Ill, "the ill come last");
                    *has_new = true;
                }
            }
            fleet.0.values().filter(|(has_new, _)| *has_new).count()
        })
        .collect();
    assert_eq!(first, [1, 3, 30]);
    assert_eq!(fleet.upgrade(Health::Well), 300);
}

#[test]
fn a_small_fleet_is_upgraded_one_first() {
    let mut fleet = Fleet::of(3);
    assert_eq!(fleet.upgrade(Health::Moving), 1);
    fleet.come_up();
    assert_eq!(fleet.upgrade(Health::Well), 3);
    assert_eq!(Waves::of(&new(), Vec::new()).progress, Progress::Done);
}

#[test]
fn a_version_begins_with_another_platform_than_the_one_before() {
    let names: Vec<_> = (0..50).map(|n| format!("p-{n}")).collect();
    let first = |version: &Version| {
        let stand = |name: &str| Stand { name: name.into(), has_new: false, health: Health::Well };
        let platforms: Vec<_> = names.iter().map(|name| stand(name.as_str())).collect();
        let waves = Waves::of(version, platforms);
        names.iter().find(|name| waves.admit(name)).unwrap().clone()
    };
    let firsts: HashSet<_> = (0..20).map(|n| first(&Version::new(n, 0, 0))).collect();
    assert!(firsts.len() > 5, "{firsts:?}");
}

#[test]
fn what_a_status_says_is_how_a_platform_stands() {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
    let status = |version: &str, phase, runtime: &str, reason: &str| BlueprintStatus {
        phase: Some(phase),
        runtime: Some(blueprint::status::RuntimeStatus {
            version: version.to_owned(),
            replicas: 1,
            awake: true,
        }),
        conditions: vec![Condition {
            type_: "RuntimeReady".to_owned(),
            status: runtime.to_owned(),
            reason: reason.to_owned(),
            message: String::new(),
            last_transition_time: Time(jiff::Timestamp::UNIX_EPOCH),
            observed_generation: None,
        }],
        ..BlueprintStatus::default()
    };
    let of = |status: &BlueprintStatus| {
        Stand::of("a", status, &new()).map(|stand| (stand.has_new, stand.health))
    };
    let well = status("1.0.0", Phase::Ready, "True", "Serving");
    assert_eq!(of(&well), Some((false, Health::Well)));
    let moving = status("2.0.0", Phase::Upgrading, "True", "RollingOut");
    assert_eq!(of(&moving), Some((true, Health::Moving)));
    let stuck = status("2.0.0", Phase::Upgrading, "False", "ProgressDeadlineExceeded");
    assert_eq!(of(&stuck), Some((true, Health::Ill)));
    let asleep = status("2.0.0", Phase::Sleeping, "True", "Sleeping");
    assert_eq!(of(&asleep), Some((true, Health::Idle)));
    assert_eq!(of(&BlueprintStatus::default()), None);
}
