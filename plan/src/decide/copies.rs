//! How many copies serve, and who says so.

use blueprint::{PlanName, PlatformBlueprint};

use super::{Asked, Notice};
use crate::allowance::allowance;
use crate::installation::Seen;
use crate::node::Node;
use crate::origin::{Origin, Sourced};

/// How many copies of the runtime serve, and who says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Copies {
    /// At least so many while awake.
    pub min: Sourced<u16>,
    /// At most so many.
    pub max: Sourced<u16>,
    /// Who writes the number.
    pub owner: ReplicasOwner,
    /// Why there is none at all.
    pub stopped: Option<Origin>,
}

/// Who writes how many copies there are. Our objects leave the field out where it is not us, or
/// each apply would undo what the others do. A field that we wrote alone and leave out falls back
/// to one copy: who takes it over must write it before that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicasOwner {
    /// Our objects.
    Operator,
    /// The autoscaler, between `min` and `max`.
    Autoscaler,
    /// The edge wakes the platform and the operator lets it sleep; an autoscaler, where there is
    /// one, counts only while it is awake.
    Edge,
}

impl Copies {
    pub(super) fn decide(
        blueprint: &PlatformBlueprint,
        asked: &Asked,
        pays: &Sourced<PlanName>,
        seen: Seen,
        notices: &mut Vec<Notice>,
    ) -> Self {
        let runtime = &blueprint.spec.runtime;
        let most = allowance(pays.value).copies;
        let mut bounded = |field: &str, count: u16| {
            if count <= most {
                return Sourced::new(count, asked.origin(field));
            }
            let plan = pays.value;
            notices.push(Notice {
                condition: "RuntimeReady",
                reason: "FewerCopies",
                message: format!(
                    "{field} is {count} and the {plan} plan gives {most}: {most} it is, until \
                     the field is lowered or the plan changes"
                ),
            });
            Sourced::new(
                most,
                Origin::Bounded { field: field.to_owned(), asked: count.into(), plan },
            )
        };
        let min = bounded("spec.runtime.replicas.min", runtime.replicas.min);
        let max = match runtime.replicas.max {
            Some(max) => bounded("spec.runtime.replicas.max", max),
            None => Sourced::new(min.value, asked.origin("spec.runtime.replicas.max")),
        };
        let owner = if runtime.scale_to_zero_after.is_some() {
            ReplicasOwner::Edge
        } else if min.value < max.value {
            ReplicasOwner::Autoscaler
        } else {
            ReplicasOwner::Operator
        };
        Self { min, max, owner, stopped: stopped(blueprint, asked, seen) }
    }

    /// The field `replicas`, where it is ours to write.
    pub(crate) fn replicas(&self) -> Option<Node> {
        match (&self.stopped, self.owner) {
            (Some(why), _) => Some(why.of(0)),
            (None, ReplicasOwner::Operator) => Some(self.min.node()),
            (None, ReplicasOwner::Autoscaler | ReplicasOwner::Edge) => None,
        }
    }

    /// Whether an autoscaler counts.
    pub(crate) fn autoscaled(&self) -> bool {
        self.stopped.is_none() && self.min.value < self.max.value
    }
}

fn stopped(blueprint: &PlatformBlueprint, asked: &Asked, seen: Seen) -> Option<Origin> {
    if blueprint.metadata.deletion_timestamp.is_some() {
        Some(Origin::Seen("metadata.deletionTimestamp of the blueprint"))
    } else if blueprint.spec.suspended {
        Some(asked.origin("spec.suspended"))
    } else {
        seen.past_grace.then_some(Origin::Seen("a bill that is unpaid past the grace"))
    }
}
