//! Where a value comes from: every value of every object has one.

use std::fmt;

use blueprint::PlanName;
use serde::Serialize;
use serde_json::Value;

use crate::node::Node;

/// Why a value is what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// A field of the blueprint, as a person wrote it: its path.
    Written(String),
    /// The default of a field that the blueprint leaves out: its path.
    Default(String),
    /// What the plan gives.
    Plan(PlanName),
    /// A field of the blueprint asks for more than the plan gives.
    Bounded {
        /// The field.
        field: String,
        /// What it asks for.
        asked: u64,
        /// The plan that gives less.
        plan: PlanName,
    },
    /// What was seen before, at this path of the resource or in the cluster.
    Seen(&'static str),
    /// A setting of the installation.
    Installation(&'static str),
    /// A part of the fleet, chosen by a field of the blueprint.
    Chosen {
        /// What was chosen, such as `the server db-eu-1`.
        what: String,
        /// The field that it was chosen by.
        field: &'static str,
    },
    /// The same on every platform, for this reason.
    Always(&'static str),
    /// Reckoned from other values of the plan.
    Reckoned(&'static str),
}

impl Origin {
    /// A value of this origin. Groups and lists are taken apart, so that each value in them has it.
    pub(crate) fn of(&self, value: impl Into<Value>) -> Node {
        match value.into() {
            Value::Object(fields) if !fields.is_empty() => {
                Node::Group(fields.into_iter().map(|(name, each)| (name, self.of(each))).collect())
            }
            Value::Array(items) if !items.is_empty() => {
                Node::List(items.into_iter().map(|each| self.of(each)).collect())
            }
            value => Node::Leaf(value, self.clone()),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written(field) => write!(f, "the blueprint's {field}"),
            Self::Default(field) => write!(f, "the default of the blueprint's {field}"),
            Self::Plan(plan) => write!(f, "what the {plan} plan gives"),
            Self::Bounded { field, asked, plan } => {
                write!(f, "the most that the {plan} plan gives; the blueprint's {field} is {asked}")
            }
            Self::Seen(what) => write!(f, "what was there before: {what}"),
            Self::Installation(what) => write!(f, "a setting of this installation: {what}"),
            Self::Chosen { what, field } => write!(f, "{what}, chosen by the blueprint's {field}"),
            Self::Always(why) => write!(f, "the same on every platform: {why}"),
            Self::Reckoned(how) => write!(f, "reckoned: {how}"),
        }
    }
}

/// A value that knows where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Why it is that.
    pub origin: Origin,
}

impl<T> Sourced<T> {
    pub(crate) fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }
}

impl<T: Copy + Into<Value>> Sourced<T> {
    pub(crate) fn node(&self) -> Node {
        self.origin.of(self.value)
    }
}
