//! A new version comes to platforms in waves: one, a hundredth of all, a tenth, all. A wave begins
//! when everybody in the one before is well, and none begins while somebody is not.
//!
//! Nothing is kept: who belongs to which wave follows from names, and how far a wave is from what
//! platforms say of themselves. Whoever takes over from an operator that died goes on with the same.

use std::collections::HashSet;

use semver::Version;
use sha2::{Digest as _, Sha256};

use crate::seen::Rollout;

/// How a platform stands in an upgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stand {
    /// Which.
    pub name: Box<str>,
    /// Its Deployment is of the new version already.
    pub has_new: bool,
    /// How it is.
    pub health: Health,
}

/// How a platform is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It serves, all copies of one version.
    Well,
    /// It sleeps or is stopped: there is nothing to see.
    Idle,
    /// New copies are being started.
    Moving,
    /// Copies do not come up.
    Ill,
}

/// Who has the new version, or is to have it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waves {
    admitted: HashSet<Box<str>>,
    /// How far it is.
    pub progress: Progress,
}

/// How far an upgrade is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Everybody has the new version.
    Done,
    /// A wave of so many platforms is under way, of all of them.
    Under {
        /// Platforms in this wave and those before.
        wave: usize,
        /// All platforms.
        all: usize,
    },
    /// No further one gets it: these do not come up with it.
    Halted {
        /// By name, a few of them.
        ill: Vec<String>,
    },
}

/// The names told of those who are ill.
const TOLD: usize = 5;
/// Of so many platforms of a wave one may be ill for reasons of its own.
const ONE_ILL_IN: usize = 100;

impl Stand {
    /// How a platform stands by its Deployment; nothing where none of its versions is known.
    pub fn of(name: &str, rollout: &Rollout, new: &Version) -> Option<Self> {
        let has_new = rollout.version.as_deref()?.parse::<Version>().ok()? == *new;
        let health = match rollout {
            Rollout { stuck: Some(_), .. } => Health::Ill,
            Rollout { wanted: 0, .. } => Health::Idle,
            rollout if rollout.has_ended() => Health::Well,
            _ => Health::Moving,
        };
        Some(Self { name: name.into(), has_new, health })
    }
}

impl Waves {
    /// Who is to have the new version now. Those who were ill before it come last, and hold nobody
    /// up. Nobody without the salt knows who comes first.
    pub fn of(salt: &[u8], new: &Version, mut platforms: Vec<Stand>) -> Self {
        let all = platforms.len();
        let was_ill = |it: &Stand| !it.has_new && it.health == Health::Ill;
        let healthy = platforms.iter().filter(|it| !was_ill(it)).count();
        platforms.sort_by_cached_key(|it| (was_ill(it), place(salt, new, &it.name)));
        // Nobody goes back: who has it, keeps it.
        let keep = platforms.iter().filter(|it| it.has_new).map(|it| it.name.clone());
        let mut admitted: HashSet<Box<str>> = keep.collect();
        for size in [1, all.div_ceil(100), all.div_ceil(10), healthy, all] {
            let wave = &platforms[..size.min(all)];
            let ill = |it: &&Stand| it.has_new && it.health == Health::Ill;
            let ill: Vec<_> = wave.iter().filter(ill).map(|it| it.name.to_string()).collect();
            if ill.len() > allowed(size) {
                let ill = ill.into_iter().take(TOLD).collect();
                return Self { admitted, progress: Progress::Halted { ill } };
            }
            admitted.extend(wave.iter().map(|it| it.name.clone()));
            let has_ended = wave.iter().all(|it| it.has_new && it.health != Health::Moving);
            if !has_ended {
                return Self { admitted, progress: Progress::Under { wave: wave.len(), all } };
            }
        }
        Self { admitted, progress: Progress::Done }
    }

    /// Whether a platform has the new version, or is to have it now.
    pub fn admit(&self, name: &str) -> bool {
        self.admitted.contains(name)
    }
}

/// How many of a wave may be ill for reasons of their own: none where it is the first.
const fn allowed(size: usize) -> usize {
    match (size, size / ONE_ILL_IN) {
        (0 | 1, _) => 0,
        (_, 0) => 1,
        (_, allowed) => allowed,
    }
}

/// By chance, but the same for a platform each time, and another one for each version.
fn place(salt: &[u8], new: &Version, name: &str) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(format!("{new}:{name}")).finalize().into()
}

#[cfg(test)]
mod tests;
