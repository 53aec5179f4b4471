//! What can go wrong, for people: what happened and why, and what to do next.

use std::path::PathBuf;
use std::time::Duration;

use blueprint::BlueprintName;
use serde::Deserialize;

use crate::address::Address;
use crate::news::Standing;
use crate::plain::Plain;

/// What everything here gives back.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that asking a control plane can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A text that is no address.
    #[error("{text} cannot be the address of a control plane: {why}")]
    Address {
        /// What was written.
        text: Plain,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No address was said, and the kept keys do not tell which is meant; those that there are.
    #[error("{}", which(.0))]
    NoAddress(Vec<Address>),
    /// No key is kept for an address.
    #[error("no key is kept for {0}")]
    NoKey(Address),
    /// A text that cannot be a key.
    #[error("that is no key: one is a single word, such as soulfra_…")]
    NotAKey,
    /// Where keys are kept is open to others.
    #[error("{} holds keys, and others may read it", .0.display())]
    OpenKeys(PathBuf),
    /// A file cannot be used.
    #[error("could not {doing} {}: {source}", .path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It does not answer, or not now.
    #[error("{address} does not answer: {why}")]
    Away {
        /// Where it was looked for.
        address: Address,
        /// What was seen instead of an answer.
        why: Plain,
    },
    /// Something answers that is no control plane, or one of another version.
    #[error("{address} does not answer as a control plane does: {why}")]
    NotOurs {
        /// Where that is.
        address: Address,
        /// What it answers.
        why: Plain,
    },
    /// It answered that it does not do that.
    #[error("{0}")]
    Told(Told),
    /// There is none of this name.
    #[error("there is no platform named {0}")]
    NoPlatform(BlueprintName),
    /// One of this name was deleted.
    #[error("{0} is deleted, and its data is kept")]
    IsDeleted(BlueprintName),
    /// One of this name is there, and is another than the one that was to be made.
    #[error("{0} is there already, and is not as its blueprint here says")]
    IsOther(BlueprintName),
    /// What is there cannot be understood.
    #[error("the blueprint of {name} cannot be read: {why}")]
    Strange {
        /// Which one.
        name: BlueprintName,
        /// The first thing that is not understood.
        why: Plain,
    },
    /// Another name was typed.
    #[error("{0} was not deleted: its name was not typed")]
    NotTyped(BlueprintName),
    /// It did not become ready in the time that somebody wanted to wait.
    #[error("{name} is not ready after {}: {last}", in_words(*.waited))]
    NotReady {
        /// Which one.
        name: BlueprintName,
        /// How long somebody waited.
        waited: Duration,
        /// How it stood last.
        last: Standing,
    },
    /// It will not become ready by waiting.
    #[error("{name} will not become ready: it is {last}")]
    Stopped {
        /// Which one.
        name: BlueprintName,
        /// How it stands.
        last: Standing,
    },
}

/// Kinds of failures, for whoever acts by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The control plane is not said, not there, or is none.
    ControlPlane,
    /// There is no key, or it is not good for this.
    Key,
    /// A file cannot be used.
    Files,
    /// The name is somebody's.
    Name,
    /// The blueprint cannot be used.
    Blueprint,
    /// There is no such platform.
    NoPlatform,
    /// The control plane does not do it as things stand.
    Refused,
    /// A person said no.
    Declined,
    /// It was not ready in time.
    NotReady,
}

/// What a control plane says instead of doing it: a problem by RFC 9457.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Told {
    /// What happened.
    pub title: Plain,
    /// By what programs know it.
    #[serde(default)]
    pub code: Plain,
    /// Why, and what to do.
    #[serde(default)]
    detail: String,
    /// After so many seconds another try makes sense.
    #[serde(default)]
    pub retry_after: Option<u64>,
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.title.fmt(f)?;
        let detail = Plain::lines(&self.detail);
        if let [only] = &detail[..] {
            return write!(f, " {only}");
        }
        detail.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl Told {
    /// With what stood beside it: after so many seconds another try makes sense.
    pub(crate) fn or_after(mut self, seconds: Option<u64>) -> Self {
        self.retry_after = self.retry_after.or(seconds);
        self
    }

    fn kind(&self) -> Kind {
        match self.code.as_str() {
            "no-key" | "not-allowed" => Kind::Key,
            "breaks-rules" | "unreadable" | "too-large" => Kind::Blueprint,
            "name-taken" => Kind::Name,
            "not-found" => Kind::NoPlatform,
            "no-cluster" | "no-database" | "no-answer" | "too-busy" | "too-many-requests"
            | "internal" | "too-slow" => Kind::ControlPlane,
            "not-ready" | "platform-not-answering" => Kind::NotReady,
            _ => Kind::Refused,
        }
    }

    fn hint(&self) -> String {
        let hint = match self.code.as_str() {
            "no-key" => "Make a key in the console, then: create-ai-platform login URL",
            "not-allowed" => {
                "Make a key that may do that in the console, then: create-ai-platform login URL"
            }
            "breaks-rules" | "unreadable" => "Mend these lines and run the same command again.",
            "name-taken" => "Choose another name.",
            "changed" => {
                "See what differs now, and decide again: create-ai-platform diff -f blueprint.yaml"
            }
            "is-deleted" => "Bring it back: create-ai-platform undelete NAME",
            "not-found" => "See which platforms there are: create-ai-platform list",
            "managed-elsewhere" => "Change it where its spec is written.",
            "not-ready" => "See how it stands: create-ai-platform list",
            _ => match self.retry_after {
                Some(seconds) => return format!("Run the same command again in {seconds} s."),
                None => "Run the same command again; if that changes nothing, look in the console.",
            },
        };
        hint.to_owned()
    }
}

impl Error {
    /// What kind of failure it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Address { .. }
            | Self::NoAddress(_)
            | Self::Away { .. }
            | Self::NotOurs { .. }
            | Self::Strange { .. } => Kind::ControlPlane,
            Self::NoKey(_) | Self::NotAKey | Self::OpenKeys(_) => Kind::Key,
            Self::File { .. } => Kind::Files,
            Self::Told(told) => told.kind(),
            Self::NoPlatform(_) => Kind::NoPlatform,
            Self::IsDeleted(_) | Self::Stopped { .. } => Kind::Refused,
            Self::IsOther(_) => Kind::Name,
            Self::NotTyped(_) => Kind::Declined,
            Self::NotReady { .. } => Kind::NotReady,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::Address { .. } => "For example: https://console.example".to_owned(),
            Self::NoAddress(known) if known.is_empty() => {
                "Log in first: create-ai-platform login https://console.example".to_owned()
            }
            Self::NoAddress(known) => format!(
                "Say which with --control-plane: {}",
                known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
            Self::NoKey(address) => format!("Log in first: create-ai-platform login {address}"),
            Self::NotAKey => "Copy the whole key, as the console shows it once.".to_owned(),
            Self::OpenKeys(path) => format!(
                "Take back its keys if somebody may have read them; then: chmod 600 {}",
                path.display()
            ),
            Self::File { .. } => "Check the path, or choose another place with --home.".to_owned(),
            Self::Away { .. } => {
                "Platforms go on without it. Check the address and the network, then run the same \
                 command again: what was done already is not done twice."
                    .to_owned()
            }
            Self::NotOurs { .. } => {
                "Check the address: it is where the console is, and nothing behind it.".to_owned()
            }
            Self::Told(told) => told.hint(),
            Self::NoPlatform(_) => "See which there are: create-ai-platform list".to_owned(),
            Self::IsDeleted(name) => format!("Bring it back: create-ai-platform undelete {name}"),
            Self::IsOther(name) => format!(
                "See what differs, and change it: create-ai-platform diff -f {name}, then \
                 create-ai-platform apply -f {name}"
            ),
            Self::Strange { .. } => {
                "This program may be older than the control plane: take a newer one.".to_owned()
            }
            Self::NotTyped(name) => {
                format!("Without a terminal: create-ai-platform delete {name} --yes")
            }
            Self::NotReady { .. } => {
                "It goes on by itself. Look again: create-ai-platform list".to_owned()
            }
            Self::Stopped { .. } => "Take it up again in the console, or bring it back with: \
                 create-ai-platform undelete NAME"
                .to_owned(),
        }
    }
}

fn which(known: &[Address]) -> &'static str {
    if known.is_empty() {
        "no control plane was named, and no key is kept for any"
    } else {
        "no control plane was named, and keys are kept for several"
    }
}

fn in_words(waited: Duration) -> String {
    match waited.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_told_line_by_line_and_steers_nothing() {
        let text = r#"{"title":"It breaks\u001b[2J rules.","status":422,"code":"breaks-rules",
                       "detail":"spec.a: no\nspec.b\u0007: no"}"#;
        let told: Told = serde_json::from_str(text).unwrap();
        assert_eq!(told.to_string(), "It breaks[2J rules.\n  spec.a: no\n  spec.b: no");
        assert_eq!(Error::Told(told).kind(), Kind::Blueprint);
        let text =
            r#"{"title":"Too many.","code":"mass-deletion","detail":"Wait.","retry_after":60}"#;
        let told: Told = serde_json::from_str(text).unwrap();
        assert_eq!(told.to_string(), "Too many. Wait.");
        assert!(told.hint().contains("60 s"));
    }

    #[test]
    fn how_long_somebody_waited_reads_well() {
        assert_eq!(in_words(Duration::from_secs(5)), "5 s");
        assert_eq!(in_words(Duration::from_mins(10)), "10 min");
    }
}
