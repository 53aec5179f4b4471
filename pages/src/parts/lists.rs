//! What a home page or a list is made of.

use serde::Serialize;

use super::{Action, Avatar};
use crate::{Kind, Sample};

/// A message that stays: part `notice`.
#[derive(Clone, Debug, Serialize)]
pub struct Notice {
    /// How it is meant.
    pub kind: Kind,
    /// In a few words.
    pub title: Option<String>,
    /// In a sentence or two.
    pub text: String,
    /// What to do about it.
    pub action: Option<Action>,
}

/// What stands where a list would be: part `empty-state`.
#[derive(Clone, Debug, Serialize)]
pub struct EmptyState {
    /// In a few words.
    pub title: String,
    /// What will be here, and how it gets there.
    pub text: String,
    /// The first step.
    pub action: Option<Action>,
}

/// A number on a home page: part `tile`, inside `<ul class="tiles">`.
#[derive(Clone, Debug, Serialize)]
pub struct Tile {
    /// What is counted.
    pub label: String,
    /// The number, as it is read.
    pub value: String,
    /// How it changed, as it is read: `+12 % in 7 days`.
    pub change: Option<String>,
    /// Whether that is good.
    pub trend: Trend,
    /// The list behind it.
    pub href: Option<String>,
}

/// Whether a change is good; said in the text as well, never by colour alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Trend {
    /// Better than before.
    Good,
    /// Worse than before.
    Bad,
    /// As before, or neither.
    #[default]
    Flat,
}

/// Steps to take, with one button at the next: part `checklist`.
#[derive(Clone, Debug, Serialize)]
pub struct Checklist {
    /// What they lead to.
    pub title: String,
    /// How many are done.
    pub done: usize,
    /// How many there are.
    pub total: usize,
    /// The steps, in order.
    pub items: Vec<Checklisted>,
}

/// One step.
#[derive(Clone, Debug, Serialize)]
pub struct Checklisted {
    /// What to do, in a few words.
    pub title: String,
    /// Why, or how.
    pub text: String,
    /// Where it is done.
    pub href: String,
    /// What its button says.
    pub label: String,
    /// Whether it is done.
    pub done: bool,
    /// Whether it is the next; set by [`Checklist::new`].
    pub next: bool,
}

impl Checklisted {
    /// A step.
    #[must_use]
    pub fn new(title: &str, text: &str, label: &str, href: &str, done: bool) -> Self {
        Self {
            title: title.to_owned(),
            text: text.to_owned(),
            href: href.to_owned(),
            label: label.to_owned(),
            done,
            next: false,
        }
    }
}

impl Checklist {
    /// Counts the steps and marks the first that is not done as the next.
    #[must_use]
    pub fn new(title: &str, mut items: Vec<Checklisted>) -> Self {
        if let Some(next) = items.iter_mut().find(|item| !item.done) {
            next.next = true;
        }
        let done = items.iter().filter(|item| item.done).count();
        Self { title: title.to_owned(), done, total: items.len(), items }
    }
}

/// How one thing is: part `health`, inside `<ul class="health">`.
#[derive(Clone, Debug, Serialize)]
pub struct Health {
    /// What it is about.
    pub label: String,
    /// How it is.
    pub state: HealthState,
    /// The same as a word, for who sees no colours: [`HealthState::word`].
    pub state_text: &'static str,
    /// What there is to say.
    pub text: String,
}

impl Health {
    /// How this is, and what there is to say.
    #[must_use]
    pub fn new(label: impl Into<String>, state: HealthState, text: impl Into<String>) -> Self {
        Self { label: label.into(), state, state_text: state.word(), text: text.into() }
    }
}

impl HealthState {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "well",
            Self::Warn => "look at it",
            Self::Bad => "does not work",
            Self::Off => "not known",
        }
    }
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthState {
    /// Well.
    Ok,
    /// It works, and somebody should look.
    Warn,
    /// It does not work.
    Bad,
    /// Switched off, or nothing known.
    Off,
}

/// An agent in a gallery: part `agent-card`, inside `<ul class="cards">`.
#[derive(Clone, Debug, Serialize)]
pub struct AgentCard {
    /// Its name.
    pub name: String,
    /// What it does, in a sentence or two.
    pub description: String,
    /// Its picture or initials.
    pub avatar: Avatar,
    /// Its page.
    pub href: String,
    /// A word above the corner: `Draft`, `New`.
    pub badge: Option<String>,
}

/// Where a list goes on: part `pagination`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Pagination {
    /// What the reader sees: `1 to 50 of 412`.
    pub summary: Option<String>,
    /// The first page, for who is on another one.
    pub first: Option<String>,
    /// The page after.
    pub next: Option<String>,
}

impl Sample for Notice {
    fn samples() -> Vec<Self> {
        [Kind::Success, Kind::Info, Kind::Warning, Kind::Danger]
            .into_iter()
            .flat_map(|kind| {
                let plain = Self { kind, title: None, text: "It <is> so.".into(), action: None };
                let full = Self {
                    title: Some("Well, well".into()),
                    action: Some(Action::primary("Look", "/x")),
                    ..plain.clone()
                };
                [plain, full]
            })
            .collect()
    }
}

impl Sample for EmptyState {
    fn samples() -> Vec<Self> {
        let text = "They appear here.".to_owned();
        let empty = Self { title: "No agents yet".to_owned(), text, action: None };
        let action = Some(Action::primary("Create one", "/agents/new"));
        vec![Self { action, ..empty.clone() }, empty]
    }
}

impl Sample for Tile {
    fn samples() -> Vec<Self> {
        let tile = Self {
            label: "Active people".to_owned(),
            value: "1,204".to_owned(),
            change: None,
            trend: Trend::Flat,
            href: None,
        };
        let changed = Self {
            change: Some("+12 % in 7 days".to_owned()),
            trend: Trend::Good,
            href: Some("/admin/people".to_owned()),
            ..tile.clone()
        };
        vec![tile, Self { trend: Trend::Bad, ..changed.clone() }, changed]
    }
}

impl Sample for Checklist {
    fn samples() -> Vec<Self> {
        let step =
            |title, done| Checklisted::new(title, "Because <so>.", "Do it", "/admin/x", done);
        vec![
            Self::new(
                "Get ready",
                vec![step("One", true), step("Two", false), step("Three", false)],
            ),
            Self::new("Get ready", vec![step("One", true)]),
            Self::new("Nothing to do", vec![]),
        ]
    }
}

impl Sample for Health {
    fn samples() -> Vec<Self> {
        [HealthState::Ok, HealthState::Warn, HealthState::Bad, HealthState::Off]
            .map(|state| Self::new("Model", state, "First token in 0.4 s"))
            .to_vec()
    }
}

impl Sample for AgentCard {
    fn samples() -> Vec<Self> {
        let card = Self {
            name: "Study <coach>".to_owned(),
            description: "Plans a week.".to_owned(),
            avatar: Avatar::of("Study coach"),
            href: "/agents/coach".to_owned(),
            badge: None,
        };
        vec![Self { badge: Some("Draft".to_owned()), ..card.clone() }, card]
    }
}

impl Sample for Pagination {
    fn samples() -> Vec<Self> {
        let href = || Some("/x?after=1&n=2".to_owned());
        vec![
            Self::default(),
            Self { summary: Some("1 to 50 of 412".to_owned()), first: None, next: href() },
            Self { summary: None, first: href(), next: href() },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_step_is_the_first_that_is_not_done() {
        let lists = Checklist::samples();
        assert_eq!((lists[0].done, lists[0].total), (1, 3));
        let next: Vec<_> = lists[0].items.iter().map(|item| item.next).collect();
        assert_eq!(next, [false, true, false]);
        assert!(lists[1].items.iter().all(|item| !item.next));
    }
}
