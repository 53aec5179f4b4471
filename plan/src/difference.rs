//! What a change would do, before it is made: in fields, in restarts, in data at risk, in words.

mod objects;
mod restarts;
mod risks;
mod words;

use blueprint::{Change, changes};

pub use objects::{FieldChange, ObjectChange};
pub use restarts::{Manner, Restart};
pub use risks::Risk;

use crate::decide::Plan;

/// What a change would do.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Fields of the blueprint that differ.
    pub blueprint: Vec<Change>,
    /// Objects that differ, in the order in which they are applied.
    pub objects: Vec<ObjectChange>,
    /// What would be started again, or stopped.
    pub restarts: Vec<Restart>,
    /// What becomes of data, or could.
    pub risks: Vec<Risk>,
    /// Nothing of it would be done until the blueprint is no longer paused.
    pub paused: bool,
}

impl Difference {
    /// Whether nothing would be done.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.risks.is_empty()
    }
}

/// What would be done where `after` takes the place of `before`.
pub fn difference(before: &Plan<'_>, after: &Plan<'_>) -> Difference {
    let (old, new) = (before.objects(), after.objects());
    let objects = objects::compare(&old, &new);
    Difference {
        blueprint: changes(before.blueprint, after.blueprint),
        restarts: restarts::restarts(&objects, after),
        risks: risks::risks(before, after, &objects),
        objects,
        paused: after.paused(),
    }
}

/// What a change would do to a whole fleet, such as a new version: numbers, and the names of those
/// to look at first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetDifference {
    /// Platforms that were looked at.
    pub platforms: usize,
    /// Those among them that would not change.
    pub unchanged: usize,
    /// Those that would be started again, in whatever manner.
    pub restarted: usize,
    /// Those that would be away meanwhile.
    pub away: usize,
    /// Those whose data is at risk.
    pub at_risk: usize,
    /// Those that cannot be planned.
    pub refused: usize,
    /// The first of those at risk or refused, at most [`FleetDifference::NAMED`] of them.
    pub look_at: Vec<String>,
}

impl FleetDifference {
    /// The most platforms that are named.
    pub const NAMED: usize = 100;

    /// Counts one platform.
    pub fn add(&mut self, name: &str, difference: &Difference) {
        self.platforms += 1;
        self.unchanged += usize::from(difference.is_empty());
        self.restarted += usize::from(!difference.restarts.is_empty());
        let away = |restart: &Restart| restart.manner != Manner::Rolling;
        self.away += usize::from(difference.restarts.iter().any(away));
        if !difference.risks.is_empty() {
            self.at_risk += 1;
            self.name(name);
        }
    }

    /// Counts one platform that cannot be planned.
    pub fn refuse(&mut self, name: &str) {
        self.platforms += 1;
        self.refused += 1;
        self.name(name);
    }

    fn name(&mut self, name: &str) {
        if self.look_at.len() < Self::NAMED {
            self.look_at.push(name.to_owned());
        }
    }
}
