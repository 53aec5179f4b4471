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
        Waves::of(b"salt", &new(), self.0.iter().map(stand).collect())
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
fn those_that_do_not_come_up_in_the_first_waves_halt_the_rest() {
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
    assert_eq!(fleet.upgrade(Health::Well), 200, "those who were well");
    assert_eq!(fleet.upgrade(Health::Well), 300);
}

#[test]
fn a_small_fleet_is_upgraded_one_first() {
    let mut fleet = Fleet::of(3);
    assert_eq!(fleet.upgrade(Health::Moving), 1);
    fleet.come_up();
    assert_eq!(fleet.upgrade(Health::Well), 3);
    assert_eq!(Waves::of(b"salt", &new(), Vec::new()).progress, Progress::Done);
}

#[test]
fn a_version_begins_with_another_platform_than_the_one_before() {
    let names: Vec<_> = (0..50).map(|n| format!("p-{n}")).collect();
    let first = |version: &Version| {
        let stand = |name: &str| Stand { name: name.into(), has_new: false, health: Health::Well };
        let platforms: Vec<_> = names.iter().map(|name| stand(name.as_str())).collect();
        let waves = Waves::of(b"salt", version, platforms);
        names.iter().find(|name| waves.admit(name)).unwrap().clone()
    };
    let firsts: HashSet<_> = (0..20).map(|n| first(&Version::new(n, 0, 0))).collect();
    assert!(firsts.len() > 5, "{firsts:?}");
}

#[test]
fn who_was_ill_before_and_stays_so_holds_up_nobody_who_is_well() {
    let mut fleet = Fleet::of(50);
    for (_, health) in fleet.0.values_mut().take(20) {
        *health = Health::Ill;
    }
    for _ in 0..6 {
        let waves = fleet.waves();
        for (name, (has_new, _)) in &mut fleet.0 {
            *has_new |= waves.admit(name);
        }
    }
    let behind = fleet.0.values().filter(|(has_new, health)| !has_new && *health == Health::Well);
    assert_eq!(behind.count(), 0);
}

#[test]
fn what_a_deployment_says_is_how_a_platform_stands() {
    let of = |rollout: &Rollout| {
        Stand::of("a", rollout, &new()).map(|stand| (stand.has_new, stand.health))
    };
    let old = Rollout {
        is_current: true,
        wanted: 2,
        is_ours: true,
        updated: 2,
        total: 2,
        ready: 2,
        stuck: None,
        version: Some("1.0.0".into()),
    };
    assert_eq!(of(&old), Some((false, Health::Well)));
    // Old copies serve, and the new ones do not come up.
    let moving = Rollout { version: Some("2.0.0".into()), updated: 1, total: 3, ..old.clone() };
    assert_eq!(of(&moving), Some((true, Health::Moving)));
    let just_written = Rollout { version: Some("2.0.0".into()), is_current: false, ..old.clone() };
    assert_eq!(of(&just_written), Some((true, Health::Moving)));
    let why = ("ProgressDeadlineExceeded".to_owned(), String::new());
    let stuck = Rollout { stuck: Some(why), ..moving };
    assert_eq!(of(&stuck), Some((true, Health::Ill)));
    let asleep = Rollout { wanted: 0, updated: 0, total: 0, ready: 0, ..old.clone() };
    assert_eq!(of(&asleep), Some((false, Health::Idle)));
    assert_eq!(of(&Rollout { version: None, ..old }), None);
}
