//! Which version a platform is to run: the installation's, once its wave has come.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use blueprint::PlatformBlueprint;
use jiff::Timestamp;
use plan::Installation;
use semver::Version;

use super::Driver;
use super::apply::Turn;
use crate::seen::Seen;
use crate::waves::{Progress, Stand, Waves};

/// What waves follow from is looked at again after this time.
const LOOKS_AGAIN: Duration = Duration::from_secs(5);
/// Who waits for a wave asks again after this time.
const ASKS_AGAIN: Duration = Duration::from_secs(30);

/// How far the upgrade is, as of a moment ago.
#[derive(Debug, Default)]
pub(super) struct Upgrade(Mutex<Option<(Timestamp, Arc<Waves>)>>);

impl Driver {
    /// Holds a platform at the version that it runs until its wave has come. Whether it does.
    pub(super) fn hold_back(
        &self,
        turn: &mut Turn<'_>,
        blueprint: &PlatformBlueprint,
        installation: &mut Installation,
    ) -> bool {
        if installation.upgrades_at_once {
            return false;
        }
        let (upgrade, new) = (&self.memory.upgrade, &installation.version);
        let Some(runs) = upgrade.holds(&self.seen, turn.name, blueprint, new, self.clock.now())
        else {
            return false;
        };
        installation.version = runs;
        turn.done.look_again(ASKS_AGAIN);
        true
    }
}

impl Upgrade {
    /// The version that a platform stays at for now, where it is not to have the new one yet.
    fn holds(
        &self,
        seen: &Seen,
        name: &str,
        blueprint: &PlatformBlueprint,
        new: &Version,
        now: Timestamp,
    ) -> Option<Version> {
        let runs = blueprint.status.as_ref()?.runtime.as_ref()?.version.parse::<Version>().ok()?;
        let follows = blueprint.spec.runtime.version.is_none();
        let is_held = follows && runs != *new && !self.waves(seen, new, now).admit(name);
        is_held.then_some(runs)
    }

    fn waves(&self, seen: &Seen, new: &Version, now: Timestamp) -> Arc<Waves> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, waves)) = &*known
            && now.duration_since(*at).unsigned_abs() < LOOKS_AGAIN
        {
            return Arc::clone(waves);
        }
        let waves = Arc::new(waves_now(seen, new));
        let before = known.as_ref().map(|(_, waves)| &waves.progress);
        if before != Some(&waves.progress) {
            tell(&waves.progress, new);
        }
        *known = Some((now, Arc::clone(&waves)));
        waves
    }
}

/// By what all platforms that follow the installation say now.
fn waves_now(seen: &Seen, new: &Version) -> Waves {
    let mut found = Vec::new();
    seen.look_at_all(|name, tenant| {
        let Some(resource) = &tenant.resource else { return };
        let Ok(blueprint) = &resource.blueprint else { return };
        let spec = &blueprint.spec;
        let goes = blueprint.metadata.deletion_timestamp.is_some();
        if goes || spec.paused || spec.runtime.version.is_some() {
            return;
        }
        found.extend(blueprint.status.as_ref().and_then(|it| Stand::of(name, it, new)));
    });
    Waves::of(new, found)
}

fn tell(progress: &Progress, new: &Version) {
    match progress {
        Progress::Done => tracing::info!(%new, "every platform has the new version"),
        Progress::Under { wave, all } => tracing::info!(%new, wave, all, "the upgrade goes on"),
        Progress::Halted { ill } => tracing::error!(
            %new,
            ill = ill.join(", "),
            "the upgrade is halted: these platforms do not come up with the new version"
        ),
    }
}

#[cfg(test)]
mod tests {
    use blueprint::status::{BlueprintStatus, Phase, RuntimeStatus};
    use uuid::Uuid;

    use super::*;
    use crate::seen::{News, Resource};

    const BLUEPRINT: &str = include_str!("../../../blueprint/fixtures/small.yaml");

    fn platform(name: &str, version: &str, phase: Phase) -> PlatformBlueprint {
        let mut blueprint = blueprint::read(BLUEPRINT).unwrap();
        blueprint.metadata.name = Some(name.to_owned());
        let runtime = RuntimeStatus { version: version.to_owned(), replicas: 1, awake: true };
        blueprint.status = Some(BlueprintStatus {
            phase: Some(phase),
            runtime: Some(runtime),
            ..BlueprintStatus::default()
        });
        blueprint
    }

    /// Tells what a platform says of itself.
    fn say(seen: &Seen, blueprint: &PlatformBlueprint, version: u64) {
        let name = blueprint.metadata.name.as_deref().unwrap();
        let blueprint = Ok(blueprint.clone());
        let resource = Resource { uid: Uuid::nil(), version, blueprint };
        seen.hear(News::Blueprint(name.into(), Arc::new(resource)));
    }

    #[test]
    fn a_fleet_gets_a_new_version_in_waves_and_who_chose_a_version_keeps_it() {
        let (seen, upgrade, new) = (Seen::default(), Upgrade::default(), Version::new(2, 0, 0));
        let names: Vec<_> = (0..200).map(|n| format!("p-{n}")).collect();
        for name in &names {
            say(&seen, &platform(name, "1.4.0", Phase::Ready), 1);
        }
        let mut now = Timestamp::UNIX_EPOCH;
        let mut have = Vec::new();
        for round in 2..7 {
            now += jiff::SignedDuration::from_secs(10);
            let mut got = 0;
            for name in &names {
                let tenant = seen.of(name);
                let blueprint = tenant.resource.as_ref().unwrap().blueprint.as_ref().unwrap();
                if let Some(stays) = upgrade.holds(&seen, name, blueprint, &new, now) {
                    assert_eq!(stays, Version::new(1, 4, 0));
                } else {
                    got += 1;
                    say(&seen, &platform(name, "2.0.0", Phase::Ready), round);
                }
            }
            have.push(got);
        }
        assert_eq!(have, [1, 2, 20, 200, 200]);

        let mut chosen = platform("p-0", "1.2.0", Phase::Ready);
        chosen.spec.runtime.version = Some(Version::new(1, 2, 0));
        assert_eq!(upgrade.holds(&seen, "p-0", &chosen, &new, now), None, "its own plan says it");
    }

    #[test]
    fn a_new_platform_begins_with_the_new_version() {
        let (seen, upgrade) = (Seen::default(), Upgrade::default());
        let blueprint = blueprint::read(BLUEPRINT).unwrap();
        let new = Version::new(2, 0, 0);
        let held = upgrade.holds(&seen, "small", &blueprint, &new, Timestamp::UNIX_EPOCH);
        assert_eq!(held, None);
    }
}
