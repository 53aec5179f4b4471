//! Which version a platform is to run: the installation's, once its wave has come.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use blueprint::PlatformBlueprint;
use jiff::Timestamp;
use plan::Installation;
use secrecy::zeroize::Zeroizing;
use semver::Version;

use super::Driver;
use super::apply::Turn;
use super::conditions::find;
use super::status::RUNTIME;
use crate::seen::Seen;
use crate::waves::{Progress, Stand, Waves};

/// What waves follow from is looked at again after this time.
const LOOKS_AGAIN: Duration = Duration::from_secs(5);
/// Why nothing of a blueprint is done, so that no version comes to it either.
const LEFT_ALONE: [&str; 3] = ["Refused", "Unreadable", "WriteRefused"];
/// Who waits for a wave asks again after this time.
const ASKS_AGAIN: Duration = Duration::from_secs(30);

/// How far the upgrade is, as of a moment ago.
#[derive(Debug, Default)]
pub(super) struct Upgrade(Mutex<Option<(Timestamp, Waves)>>);

impl Driver {
    /// Holds a platform at the version that it runs until its wave has come.
    pub(super) fn hold_back(
        &self,
        turn: &mut Turn<'_>,
        blueprint: &PlatformBlueprint,
        installation: &mut Installation,
    ) {
        if installation.upgrades_at_once {
            return;
        }
        let follows = blueprint.spec.runtime.version.is_none();
        let runs = turn.tenant.rollout(RUNTIME).and_then(|it| it.version.as_deref());
        let Some(runs) = runs.and_then(|it| it.parse().ok()).filter(|_| follows) else {
            return;
        };
        let salt = || self.key.derive("who comes first in an upgrade");
        let (new, now) = (&installation.version, self.clock.now());
        if !self.memory.upgrade.holds(&self.seen, turn.name, &runs, new, salt, now) {
            return;
        }
        installation.version = runs;
        turn.done.look_again(ASKS_AGAIN);
    }
}

impl Upgrade {
    /// Whether a platform that runs this version is not to have the new one yet.
    fn holds(
        &self,
        seen: &Seen,
        name: &str,
        runs: &Version,
        new: &Version,
        salt: impl FnOnce() -> Zeroizing<[u8; 32]>,
        now: Timestamp,
    ) -> bool {
        if runs == new {
            return false;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, waves)) = &*known
            && now.duration_since(*at).unsigned_abs() < LOOKS_AGAIN
        {
            return !waves.admit(name);
        }
        let waves = waves_now(seen, &salt(), new);
        let before = known.as_ref().map(|(_, waves)| &waves.progress);
        if before != Some(&waves.progress) {
            tell(&waves.progress, new);
        }
        let is_held = !waves.admit(name);
        *known = Some((now, waves));
        is_held
    }
}

/// By what all platforms that follow the installation, and whose blueprint is done, are now.
fn waves_now(seen: &Seen, salt: &[u8; 32], new: &Version) -> Waves {
    let mut found = Vec::new();
    seen.look_at_all(|name, tenant| {
        let Some(resource) = &tenant.resource else { return };
        let Ok(blueprint) = &resource.blueprint else { return };
        let spec = &blueprint.spec;
        let goes = blueprint.metadata.deletion_timestamp.is_some();
        let is_left_alone = blueprint.status.as_ref().and_then(|status| find(status, "Ready"));
        let is_left_alone = is_left_alone.is_some_and(|it| LEFT_ALONE.contains(&&*it.reason));
        if goes || spec.paused || spec.runtime.version.is_some() || is_left_alone {
            return;
        }
        found.extend(tenant.rollout(RUNTIME).and_then(|it| Stand::of(name, it, new)));
    });
    Waves::of(salt, new, found)
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
    use std::sync::Arc;

    use serde_json::Value;
    use uuid::Uuid;

    use super::*;
    use crate::kind::Kind;
    use crate::seen::{Child, ChildId, Digest, Facts, News, Resource, Rollout};

    const BLUEPRINT: &str = include_str!("../../../blueprint/fixtures/small.yaml");

    /// Tells of a platform whose Deployment is of this version, so far.
    fn say(seen: &Seen, name: &str, version: &str, updated: i32, at: u64) {
        let mut blueprint = blueprint::read(BLUEPRINT).unwrap();
        blueprint.metadata.name = Some(name.to_owned());
        let resource = Resource { uid: Uuid::nil(), version: at, blueprint: Ok(blueprint) };
        seen.hear(News::Blueprint(name.into(), Arc::new(resource)));
        let rollout = Rollout {
            is_current: true,
            wanted: 1,
            is_ours: true,
            updated,
            total: 1,
            ready: 1,
            stuck: None,
            version: Some(version.into()),
        };
        let child = Child {
            uid: Uuid::nil(),
            version: at,
            digest: Digest::of(&Value::Null),
            going: false,
            facts: Facts::Rollout(Box::new(rollout)),
        };
        let id = ChildId { kind: Kind::Deployment, name: RUNTIME.into() };
        seen.hear(News::Child(name.into(), id, child));
    }

    #[test]
    fn a_fleet_gets_a_new_version_in_waves_each_when_the_one_before_serves_it() {
        let (seen, upgrade) = (Seen::default(), Upgrade::default());
        let (old, new) = (Version::new(1, 4, 0), Version::new(2, 0, 0));
        let names: Vec<_> = (0..200).map(|n| format!("p-{n}")).collect();
        for name in &names {
            say(&seen, name, "1.4.0", 1, 1);
        }
        let mut now = Timestamp::UNIX_EPOCH;
        let mut have = Vec::new();
        for round in 1..=6 {
            // New copies do not serve yet, and then they do.
            for (updated, at) in [(0, 2 * round), (1, 2 * round + 1)] {
                now += jiff::SignedDuration::from_secs(10);
                let got: Vec<_> = names
                    .iter()
                    .filter(|name| {
                        !upgrade.holds(&seen, name, &old, &new, || Zeroizing::new([7; 32]), now)
                    })
                    .collect();
                have.push(got.len());
                for name in got {
                    say(&seen, name, "2.0.0", updated, at);
                }
            }
        }
        assert_eq!(have[..8], [1, 1, 2, 2, 20, 20, 200, 200]);
    }

    #[test]
    fn who_has_the_version_is_not_held() {
        let (seen, upgrade, new) = (Seen::default(), Upgrade::default(), Version::new(2, 0, 0));
        let now = Timestamp::UNIX_EPOCH;
        assert!(!upgrade.holds(&seen, "a", &new, &new, || Zeroizing::new([7; 32]), now));
    }
}
