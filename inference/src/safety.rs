//! What is not answered: prompts are checked before their turn, answers while they are told.
//!
//! Rules first: phrases by category ([`Rules`]), which see through look-alike characters, digits
//! for letters, spaces between letters and characters without width; and cards, numbers of
//! identity and keys, checked by their check digits. Each tenant has a [`Level`]. A model can be
//! asked besides ([`Guard`]), off unless the operator says so.
//!
//! An answer passes through a [`SafetyFilter`], which holds back only what may be the beginning of
//! a match, mostly nothing; at the highest level, and with a guard, whole sentences. [`checked`]
//! puts it behind an engine's stream: on a hit the work is stopped and the answer ends with
//! [`Reason::Filtered`](crate::engine::Reason::Filtered).
//!
//! Rules of phrases are a fence, not a wall: they know what its writers thought of, in English
//! mostly. How much they stop, and how much of what is harmless, is measured over
//! `tests/red-team` by `benches/safety.rs`.

mod data;
mod filter;
mod guard;
mod normal;
mod phrases;
mod pipe;
mod rules;
#[cfg(test)]
mod tests;
mod watcher;

use std::borrow::Cow;

use axum::http::StatusCode;
use web::Problem;

pub use filter::{Checked, SafetyFilter};
pub(crate) use guard::judge_prompt;
pub use guard::{Guard, GuardError, ModelGuard, Side};
pub use phrases::BadRules;
pub use pipe::checked;
pub use rules::Rules;

use crate::engine::{Prompt, Role};

/// How strict a tenant is. Each refuses what those before it do, and more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// What harms: violence, abuse, hate, theft of data.
    Moderate,
    /// Also insults, despair, and people's own secrets in prompts.
    High,
    /// Also what is for adults. Answers come by the sentence.
    Maximum,
}

impl Level {
    /// Every one, the mildest first.
    pub const ALL: [Self; 3] = [Self::Moderate, Self::High, Self::Maximum];

    /// Its name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Moderate => "moderate",
            Self::High => "high",
            Self::Maximum => "maximum",
        }
    }

    /// The level of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// What a text was refused for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// Suicide, hurting oneself, disorders of eating.
    SelfHarm,
    /// Sexual content about minors.
    Minors,
    /// Weapons, explosives, poisons, attacks.
    Weapons,
    /// Secrets and data of people, and how to get at them.
    PersonalData,
    /// Hate, threats, harassment.
    Hate,
    /// Sex, drugs, gambling, swearing.
    Adult,
}

impl Category {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::SelfHarm, Self::Minors, Self::Weapons, Self::PersonalData, Self::Hate, Self::Adult];

    /// Its name in rules, logs and errors.
    pub fn name(self) -> &'static str {
        match self {
            Self::SelfHarm => "self-harm",
            Self::Minors => "minors",
            Self::Weapons => "weapons",
            Self::PersonalData => "personal-data",
            Self::Hate => "hate",
            Self::Adult => "adult",
        }
    }

    /// The category of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.name() == name)
    }

    /// What a person is told who asked for it.
    pub fn message(self) -> &'static str {
        match self {
            Self::SelfHarm => {
                "This cannot be answered here. If you think of hurting yourself, please talk to \
                 somebody now: your local emergency number, or a helpline from findahelpline.com. \
                 You are not alone."
            }
            Self::Minors => "Sexual content about minors is never answered.",
            Self::Weapons => "This could help to hurt people, so it is not answered.",
            Self::PersonalData => {
                "This is about somebody's secrets or personal data, so it is not answered. Leave \
                 out numbers of cards and identity, passwords and keys."
            }
            Self::Hate => "This attacks people, so it is not answered.",
            Self::Adult => "This is not for every age, so it is not answered here.",
        }
    }
}

/// Whether a prompt may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Allow,
    /// It may not, for this.
    Refuse(Category),
}

impl Category {
    /// What a client is told whose prompt was refused: code `refused-by-safety`, status 400, as
    /// the `OpenAI` API has it.
    pub fn problem(self) -> Problem {
        let title = "The safety rules do not let this be answered.";
        Problem::new(StatusCode::BAD_REQUEST, "refused-by-safety", title).detail(self.message())
    }
}

/// What is checked of a prompt: all that people say in it, for who sends a conversation can write
/// it anew each time. Together it is one text: a request can be told in two messages.
fn said_by_people(prompt: &Prompt) -> Cow<'_, str> {
    let messages = match prompt {
        Prompt::Text(text) => return Cow::Borrowed(text),
        Prompt::Chat(messages) => messages.iter().filter(|message| message.role == Role::User),
    };
    let all: Vec<_> = messages.map(|message| message.content.as_str()).collect();
    Cow::Owned(all.join("\n"))
}
