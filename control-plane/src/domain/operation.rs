//! What somebody had done to a platform, and how far that is: reckoned from what its blueprint's status
//! says.

use std::fmt;
use std::str::FromStr;

use blueprint::status::Phase;
use blueprint::{BlueprintSpec, BlueprintStatus, PlatformBlueprint};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::id::{OperationId, PlatformId};

/// What was cut off is given up after so long.
const CUT_OFF: SignedDuration = SignedDuration::from_mins(2);
/// What does not come about has failed after so long, though it is tried on.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);
/// While it is not there yet, no more is said than this.
const ALMOST: u8 = 95;
/// What makes a platform ready, beside what it owes.
const PARTS: [&str; 5] =
    ["DatabaseReady", "RuntimeReady", "InferenceReady", "DomainsReady", "CertificatesReady"];
/// Reasons for which nothing will come of it until its blueprint, or something beside it, is another one.
const REFUSED: [&str; 5] = ["Refused", "WriteRefused", "Unreadable", "NameKept", "NamespaceTaken"];

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident => $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "lowercase")]
        pub enum $name { $($(#[$each])* $variant),* }

        impl $name {
            /// As the API and the database say it.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }

        impl FromStr for $name {
            type Err = NoSuchWord;

            fn from_str(text: &str) -> Result<Self, NoSuchWord> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    other => Err(NoSuchWord(other.to_owned())),
                }
            }
        }
    };
}

/// No operation is said to be so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no operation is {0:?}")]
pub struct NoSuchWord(String);

words! {
    /// What is done.
    Kind {
        /// A platform is made.
        Create => "create",
        /// One is made after another one.
        Clone => "clone",
        /// It is to be as another blueprint says.
        Change => "change",
        /// It is stopped.
        Suspend => "suspend",
        /// It is taken up again.
        Resume => "resume",
        /// It is deleted.
        Delete => "delete",
        /// It is brought back.
        Undelete => "undelete",
        /// What somebody else wrote is written here from then on.
        Claim => "claim",
        /// What was written here is written elsewhere from then on.
        Release => "release",
        /// It is tried again at once.
        Retry => "retry",
    }
}

words! {
    /// How far it is.
    State {
        /// On its way.
        Running => "running",
        /// As it was to be.
        Succeeded => "succeeded",
        /// It did not come about: `error` says why, and what to do next.
        Failed => "failed",
        /// Something later was done to the same platform before this came about.
        Superseded => "superseded",
    }
}

/// Something that somebody had done to a platform.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// To which platform.
    pub platform: PlatformId,
    /// What.
    pub kind: Kind,
    /// How far it was when it was looked at last.
    pub standing: Standing,
    /// By whom.
    pub by: String,
    /// The generation of the blueprint from which on it says so; nothing until the cluster took it.
    pub generation: Option<i64>,
    /// What the blueprint was to say.
    pub wanted: Option<BlueprintSpec>,
    /// Since when.
    pub begun_at: Timestamp,
    /// Until when.
    pub ended_at: Option<Timestamp>,
}

/// How far an operation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// In a word.
    pub state: State,
    /// The platform's phase, then.
    pub phase: Option<String>,
    /// From 0 to 100.
    pub progress: u8,
    /// Why it failed, and what to do next.
    pub error: Option<String>,
}

impl Standing {
    fn running(phase: Option<Phase>, progress: u8) -> Self {
        let phase = phase.map(|phase| format!("{phase:?}"));
        Self { state: State::Running, phase, progress, error: None }
    }

    fn succeeded(phase: Option<Phase>) -> Self {
        Self { state: State::Succeeded, ..Self::running(phase, 100) }
    }

    fn failed(&self, why: impl Into<String>) -> Self {
        Self { state: State::Failed, error: Some(why.into()), ..self.clone() }
    }
}

/// What is known of an operation by what was seen of its platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// It stands so.
    Stands(Standing),
    /// The cluster took it, though whoever asked was cut off: its blueprint says so from this generation on.
    Taken(i64),
}

impl Operation {
    /// How it stands, where its platform's blueprint was seen so; `None`: there is none.
    pub fn look(&self, seen: Option<&PlatformBlueprint>, now: Timestamp) -> Look {
        if self.standing.state != State::Running {
            return Look::Stands(self.standing.clone());
        }
        let age = now.duration_since(self.begun_at);
        let status = seen.and_then(|seen| seen.status.as_ref());
        let is_going = seen.is_some_and(|seen| seen.metadata.deletion_timestamp.is_some());
        let phase = if is_going { Some(Phase::Deleting) } else { status.and_then(|it| it.phase) };
        let waits = Standing::running(phase, self.standing.progress);
        if self.kind == Kind::Delete {
            return Look::Stands(match seen {
                None => Standing::succeeded(None),
                Some(_) if is_going => Standing::running(phase, 50),
                Some(_) if self.generation.is_none() && age > CUT_OFF => waits.failed(GIVEN_UP),
                Some(_) => waits,
            });
        }
        let Some(generation) = self.generation else {
            let now = seen.filter(|seen| !is_going && self.wanted.as_ref() == Some(&seen.spec));
            return match now.and_then(|now| now.metadata.generation) {
                Some(generation) => Look::Taken(generation),
                None if age > CUT_OFF => Look::Stands(waits.failed(GIVEN_UP)),
                None => Look::Stands(waits),
            };
        };
        Look::Stands(match status {
            _ if matches!(self.kind, Kind::Claim | Kind::Release) => Standing::succeeded(phase),
            Some(status) if !is_going && status.observed_generation >= Some(generation) => {
                let stands = came_to(status, generation);
                let is_late = stands.state == State::Running && age > LONGEST;
                if is_late { stands.failed(late(status)) } else { stands }
            }
            _ if age > LONGEST => waits.failed(UNSEEN),
            _ => waits,
        })
    }
}

const GIVEN_UP: &str = "It was cut off before it was known whether it was done. Look at how the platform \
                        is, and ask again.";
const UNSEEN: &str = "Nobody has taken it up for an hour: no operator looks after this platform, or its \
                      blueprint was removed by other means. Ask whoever runs the installation, then retry.";

/// How a platform stands whose operator has seen what was asked.
fn came_to(status: &BlueprintStatus, generation: i64) -> Standing {
    let ready = status.conditions.iter().find(|it| it.type_ == "Ready");
    let is_suspended = status.phase == Some(Phase::Suspended);
    let stands = Standing::running(status.phase, progress(status, generation));
    match ready {
        Some(ready) if ready.reason == "Paused" => stands.failed(
            "Nothing is done while `spec.paused` is true. Set it to false, and what was changed is done.",
        ),
        _ if is_suspended => Standing::succeeded(status.phase),
        Some(ready) if ready.status == "True" => Standing::succeeded(status.phase),
        Some(ready) if REFUSED.contains(&&*ready.reason) => stands.failed(format!(
            "It cannot be done so: {}. Change the blueprint, or ask whoever runs the installation.",
            ready.message
        )),
        _ => stands,
    }
}

/// Of what makes a platform ready, how much there is, in a hundred.
fn progress(status: &BlueprintStatus, generation: i64) -> u8 {
    let holds = |part: &&&str| {
        status.conditions.iter().any(|it| {
            it.type_ == ***part
                && it.status == "True"
                && it.observed_generation.is_none_or(|seen| seen >= generation)
        })
    };
    let held = PARTS.iter().filter(holds).count();
    u8::try_from(held * 100 / PARTS.len()).unwrap_or(ALMOST).min(ALMOST)
}

/// Why what takes so long is not there yet.
fn late(status: &BlueprintStatus) -> String {
    let ready = status.conditions.iter().find(|it| it.type_ == "Ready");
    let why = ready.map_or("nothing is known of it", |ready| &*ready.message);
    let why: String = why.chars().take(1_000).collect();
    format!(
        "After an hour it is not as it should be: {why}. It is tried on; mend what is named, and retry to \
         have it tried at once."
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    const BEGUN: &str = "2026-03-01T12:00:00Z";

    fn after(minutes: i64) -> Timestamp {
        BEGUN.parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes)
    }

    fn operation(kind: Kind, generation: Option<i64>) -> Operation {
        Operation {
            id: OperationId(Uuid::from_u128(1)),
            platform: PlatformId(Uuid::from_u128(2)),
            kind,
            standing: Standing::running(None, 0),
            by: "key_x".to_owned(),
            generation,
            wanted: Some(seen(2, &json!([])).spec),
            begun_at: after(0),
            ended_at: None,
        }
    }

    /// A blueprint of which the operator has seen this generation.
    fn seen(observed: i64, conditions: &serde_json::Value) -> PlatformBlueprint {
        let text = "{apiVersion: soulfra.io/v1alpha1, kind: PlatformBlueprint, metadata: {name: harbour}, \
                    spec: {identity: {displayName: Harbour}}}";
        let mut seen = blueprint::read(text).unwrap();
        seen.metadata.generation = Some(2);
        let status = json!({
            "observedGeneration": observed, "phase": "Provisioning", "conditions": conditions,
        });
        seen.status = Some(serde_json::from_value(status).unwrap());
        seen
    }

    fn condition(kind: &str, status: &str, reason: &str) -> serde_json::Value {
        json!({
            "type": kind, "status": status, "reason": reason, "message": "why", "observedGeneration": 2,
            "lastTransitionTime": BEGUN,
        })
    }

    fn stands(kind: Kind, seen: Option<&PlatformBlueprint>, minutes: i64) -> (State, u8) {
        match operation(kind, Some(2)).look(seen, after(minutes)) {
            Look::Stands(standing) => (standing.state, standing.progress),
            Look::Taken(generation) => panic!("taken at {generation}"),
        }
    }

    #[test]
    fn a_change_is_there_once_its_generation_was_seen_and_is_ready() {
        let ready = json!([condition("Ready", "True", "Ready")]);
        assert_eq!(stands(Kind::Change, Some(&seen(1, &ready)), 0), (State::Running, 0));
        assert_eq!(stands(Kind::Change, Some(&seen(2, &ready)), 0), (State::Succeeded, 100));
        assert_eq!(stands(Kind::Change, Some(&seen(3, &ready)), 0), (State::Succeeded, 100));
        assert_eq!(stands(Kind::Change, None, 0), (State::Running, 0));
    }

    #[test]
    fn progress_is_how_much_of_it_holds() {
        let some = json!([
            condition("DatabaseReady", "True", "Made"),
            condition("InferenceReady", "True", "Shared"),
            condition("RuntimeReady", "False", "Starting"),
            condition("Ready", "False", "Starting"),
        ]);
        assert_eq!(stands(Kind::Create, Some(&seen(2, &some)), 59), (State::Running, 40));
        let late = operation(Kind::Create, Some(2)).look(Some(&seen(2, &some)), after(61));
        let Look::Stands(late) = late else { panic!("{late:?}") };
        assert_eq!(late.state, State::Failed);
        assert!(late.error.unwrap().contains("why. It is tried on"));
    }

    #[test]
    fn what_cannot_be_done_has_failed_at_once() {
        for reason in ["Refused", "Paused"] {
            let refused = json!([condition("Ready", "False", reason)]);
            assert_eq!(stands(Kind::Change, Some(&seen(2, &refused)), 0).0, State::Failed);
        }
    }

    #[test]
    fn what_was_deleted_is_so_once_it_is_gone() {
        assert_eq!(stands(Kind::Delete, Some(&seen(2, &json!([]))), 0).0, State::Running);
        assert_eq!(stands(Kind::Delete, None, 0).0, State::Succeeded);
    }

    #[test]
    fn of_what_was_cut_off_it_is_found_out_whether_it_was_done() {
        let cut_off = operation(Kind::Change, None);
        let done = seen(1, &json!([]));
        assert_eq!(cut_off.look(Some(&done), after(0)), Look::Taken(2));
        let mut other = done.clone();
        other.spec.suspended = true;
        let state = |minutes| match cut_off.look(Some(&other), after(minutes)) {
            Look::Stands(standing) => standing.state,
            Look::Taken(_) => panic!("taken"),
        };
        assert_eq!((state(1), state(3)), (State::Running, State::Failed));
    }
}
