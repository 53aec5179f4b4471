//! What is true of a platform and why, in the words of `kubectl describe`.

use blueprint::status::{BlueprintStatus, CONDITIONS};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Whether something is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Is {
    True,
    False,
    Unknown,
}

/// Something said of a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) kind: &'static str,
    pub(super) is: Is,
    pub(super) reason: String,
    pub(super) message: String,
}

impl Said {
    pub(super) fn new(
        kind: &'static str,
        is: Is,
        reason: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { kind, is, reason: reason.into(), message: message.into() }
    }

    pub(super) fn yes(kind: &'static str, reason: &str, message: impl Into<String>) -> Self {
        Self::new(kind, Is::True, reason, message)
    }

    pub(super) fn no(kind: &'static str, reason: &str, message: impl Into<String>) -> Self {
        Self::new(kind, Is::False, reason, message)
    }
}

/// The condition that is the control plane's to write.
const OF_OTHERS: &str = "BillingCurrent";
/// The sum of the others.
const SUM: &str = "Ready";
/// What the API server takes.
const LONGEST_REASON: usize = 1_024;
const LONGEST_MESSAGE: usize = 32_768;

/// What is said in one turn: the first word on each counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions(Vec<Said>, Vec<String>);

impl Conditions {
    pub(super) fn with(said: Said) -> Self {
        Self(vec![said], Vec::new())
    }

    /// One more thing, where nothing was said of it yet.
    pub(super) fn say(&mut self, said: Said) {
        if !self.0.iter().any(|known| known.kind == said.kind) {
            self.0.push(said);
        }
    }

    /// Something that works, and is not as it was wished: the sum says it.
    pub(super) fn note(&mut self, message: &str) {
        self.1.push(message.to_owned());
    }

    /// Whether it was said that this is so.
    pub(super) fn is(&self, kind: &str) -> bool {
        self.0.iter().any(|said| said.kind == kind && said.is == Is::True)
    }

    /// All that is not so, or not known: the sum says it.
    pub(super) fn sum_up(&mut self) {
        let not: Vec<_> = self.0.iter().filter(|said| said.is != Is::True).collect();
        let said = match not.first() {
            None if self.1.is_empty() => Said::yes(SUM, "Ready", "everything is as it should be"),
            None => Said::yes(SUM, "Ready", format!("it serves; but {}", self.1.join("; "))),
            Some(first) => {
                let messages: Vec<_> =
                    not.iter().map(|said| format!("{}: {}", said.kind, said.message)).collect();
                Said::no(SUM, &first.reason, messages.join("; "))
            }
        };
        self.say(said);
    }

    /// As the status has them, in their order. What is as it was keeps the time since which it is
    /// so; of what nothing was said, the last word stands.
    pub(super) fn written(
        &self,
        before: Option<&BlueprintStatus>,
        generation: Option<i64>,
        now: Timestamp,
    ) -> Vec<Condition> {
        let find = |kind: &str| before.and_then(|status| find(status, kind));
        let conditions = CONDITIONS.into_iter().filter(|kind| *kind != OF_OTHERS);
        let condition = |kind: &'static str| {
            let before = find(kind);
            let Some(said) = self.0.iter().find(|said| said.kind == kind) else {
                return before.cloned();
            };
            let status = match said.is {
                Is::True => "True",
                Is::False => "False",
                Is::Unknown => "Unknown",
            };
            let same = before.filter(|before| before.status == status);
            Some(Condition {
                type_: kind.to_owned(),
                status: status.to_owned(),
                reason: said.reason.chars().take(LONGEST_REASON).collect(),
                message: said.message.chars().take(LONGEST_MESSAGE).collect(),
                observed_generation: generation,
                last_transition_time: same
                    .map_or(Time(now), |before| before.last_transition_time.clone()),
            })
        };
        conditions.filter_map(condition).collect()
    }
}

/// What was said of this before.
pub(super) fn find<'a>(status: &'a BlueprintStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == kind)
}

/// Those that are ours to write.
pub(super) fn ours(status: &BlueprintStatus) -> Vec<Condition> {
    status.conditions.iter().filter(|it| it.type_ != OF_OTHERS).cloned().collect()
}
