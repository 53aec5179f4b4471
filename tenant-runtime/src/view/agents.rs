//! Contexts of the pages about agents.

use pages::Html;
use pages::parts::{AgentCard, Avatar, Composer, EmptyState, ErrorSummary, Field};
use serde::Serialize;
use uuid::Uuid;

use crate::domain::agent::{Agent, Draft, FieldError};

/// The home page.
#[derive(Debug, Clone, Serialize)]
pub struct Home {
    /// The platform's name.
    pub name: String,
    /// One line about it.
    pub tagline: Option<String>,
    /// What its template or owner says about it.
    pub introduction: Option<Html>,
    /// Whom one can talk to.
    pub agents: Vec<AgentCard>,
    /// What stands there when there is nobody.
    pub empty: EmptyState,
    /// Whether the visitor is signed in.
    pub signed_in: bool,
}

/// One agent's page.
#[derive(Debug, Clone, Serialize)]
pub struct AgentPage {
    /// Its name.
    pub name: String,
    /// Its picture.
    pub avatar: Avatar,
    /// What it does.
    pub description: String,
    /// Where saying something goes.
    pub talk_href: String,
    /// Questions to begin with.
    pub starters: Vec<String>,
    /// The form in which one begins.
    pub composer: Composer,
    /// Where to sign in and come back from; none once signed in.
    pub sign_in_href: Option<String>,
}

/// A page to read.
#[derive(Debug, Clone, Serialize)]
pub struct Reading {
    /// Its text.
    pub html: Html,
}

/// All agents, in the admin portal.
#[derive(Debug, Clone, Serialize)]
pub struct AgentList {
    /// Each with its newest version.
    pub agents: Vec<AgentCard>,
    /// What stands there when there is none.
    pub empty: EmptyState,
}

/// The form in which an agent is made or changed.
#[derive(Debug, Clone, Serialize)]
pub struct AgentForm {
    /// What the page is about.
    pub heading: String,
    /// Where the form goes.
    pub action: String,
    /// Everything in the way.
    pub summary: Option<ErrorSummary>,
    /// The fields, in order.
    pub fields: Vec<Field>,
    /// What is stored of it; none while it is new.
    pub stored: Option<Stored>,
}

/// What is stored of an agent.
#[derive(Debug, Clone, Serialize)]
pub struct Stored {
    /// Its id.
    pub id: Uuid,
    /// Its page.
    pub href: String,
    /// The newest version.
    pub version: i32,
    /// The version people meet.
    pub published: Option<i32>,
    /// Whether those are the same.
    pub is_published: bool,
}

/// An agent on a card that leads to its page.
pub fn card(agent: &Agent) -> AgentCard {
    AgentCard {
        name: agent.text.name.clone(),
        description: agent.text.description.clone(),
        avatar: Avatar::of(&agent.text.name),
        href: format!("/agents/{}", agent.slug),
        badge: None,
    }
}

/// An agent on a card that leads to its form.
pub fn admin_card(agent: &Agent) -> AgentCard {
    let badge = match agent.published {
        None => Some("Draft"),
        Some(number) if number < agent.version => Some("Changes not published"),
        Some(_) => None,
    };
    AgentCard {
        href: format!("/admin/agents/{}", agent.id),
        badge: badge.map(str::to_owned),
        ..card(agent)
    }
}

impl AgentForm {
    /// A form with a draft in it, and what is in the way.
    pub fn new(heading: &str, action: String, draft: &Draft, models: &[String]) -> Self {
        Self::with_problems(heading, action, draft, models, &[])
    }

    /// The same with what is in the way.
    pub fn with_problems(
        heading: &str,
        action: String,
        draft: &Draft,
        models: &[String],
        problems: &[FieldError],
    ) -> Self {
        let wrong = |field: &str| {
            problems.iter().find(|problem| problem.field == field).map(|p| p.message.clone())
        };
        let mut choices = vec![("", "The platform's default")];
        choices.extend(models.iter().map(|model| (model.as_str(), model.as_str())));
        // One that has gone stays chosen: saving something else must not forget it.
        let gone = draft.model.as_deref().filter(|model| !models.iter().any(|m| m == model));
        let gone = gone.map(|model| (model, format!("{model} (not running now)")));
        choices.extend(gone.as_ref().map(|(model, words)| (*model, words.as_str())));
        let fields = vec![
            Field::text("name", "Name")
                .value(&draft.name)
                .error(wrong("name"))
                .required()
                .max_length(80),
            Field::text("description", "What it does, for its card")
                .value(&draft.description)
                .error(wrong("description"))
                .max_length(300),
            Field::textarea("instructions", "How it should behave", 10)
                .value(&draft.instructions)
                .hint("Said to the model before each conversation. Short and clear works best.")
                .error(wrong("instructions"))
                .required()
                .max_length(8000),
            Field::textarea("starters", "Questions to begin with", 4)
                .value(draft.starters.join("\n"))
                .hint("One a line, at most six.")
                .error(wrong("starters")),
            Field::select("model", "Model", &choices)
                .value(draft.model.clone().unwrap_or_default()),
        ];
        let summary = ErrorSummary::of(&fields.iter().collect::<Vec<_>>());
        Self { heading: heading.to_owned(), action, summary, fields, stored: None }
    }

    /// With what is stored of the agent.
    pub fn stored(self, agent: &Agent) -> Self {
        let stored = Stored {
            id: agent.id,
            href: format!("/agents/{}", agent.slug),
            version: agent.version,
            published: agent.published,
            is_published: agent.published == Some(agent.version),
        };
        Self { stored: Some(stored), ..self }
    }
}
