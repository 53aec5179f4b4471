//! Contexts of the chat pages.

use jiff::Timestamp;
use pages::Html;
use pages::parts::{Avatar, Composer, EmptyState, Pagination};
use serde::Serialize;
use uuid::Uuid;

use crate::app::App;
use crate::domain::conversation::{Conversation, LONGEST_MESSAGE, Message, Role, State};

/// One message as shown: template `turn`.
#[derive(Debug, Clone, Serialize)]
pub struct Turn {
    /// Its id.
    pub id: Uuid,
    /// Whether the person speaks.
    pub by_person: bool,
    /// The agent's name.
    pub agent: String,
    /// The agent's picture.
    pub avatar: Avatar,
    /// The person's own words, as written.
    pub text: String,
    /// The answer's words, rendered and sanitised.
    pub html: Html,
    /// Whether words are still coming.
    pub streaming: bool,
    /// What stands in place of the answer on a page that grows.
    pub growing: Option<Growing>,
    /// Where it stands, for the style sheet.
    pub state: &'static str,
    /// What the person should know about how it ended.
    pub note: Option<String>,
    /// Which sibling it is; none when it is alone.
    pub place: Option<Place>,
}

/// An answer on a page that grows.
#[derive(Debug, Clone, Serialize)]
pub struct Growing {
    /// What stands in place of its words.
    pub mark: String,
    /// The page that shows it when it is finished.
    pub href: String,
}

/// A place among siblings.
#[derive(Debug, Clone, Serialize)]
pub struct Place {
    /// From 1.
    pub number: i64,
    /// How many.
    pub of: i64,
    /// The one before.
    pub before: Option<Uuid>,
    /// The one after.
    pub after: Option<Uuid>,
}

/// A link to a conversation.
#[derive(Debug, Clone, Serialize)]
pub struct ChatLink {
    /// Its page.
    pub href: String,
    /// Its title.
    pub title: String,
    /// When somebody last spoke.
    pub updated_at: Timestamp,
    /// Whether it is the one on the page.
    pub current: bool,
}

/// The history page.
#[derive(Debug, Clone, Serialize)]
pub struct History {
    /// What was looked for, as typed.
    pub query: String,
    /// What there is.
    pub conversations: Vec<ChatLink>,
    /// What stands there when there is nothing.
    pub empty: EmptyState,
    /// The next page.
    pub pages: Pagination,
}

/// A conversation page.
#[derive(Debug, Clone, Serialize)]
pub struct Chat {
    /// Its id.
    pub id: Uuid,
    /// Its title.
    pub title: String,
    /// With whom.
    pub agent_name: String,
    /// The agent's page, if it can still be met.
    pub agent_href: Option<String>,
    /// Other conversations, at the side.
    pub recent: Vec<ChatLink>,
    /// The branch that is shown.
    pub turns: Vec<Turn>,
    /// The form at the bottom.
    pub composer: Composer,
}

impl ChatLink {
    /// A link; `shown` is the conversation on the page.
    pub fn of(conversation: &Conversation, shown: Option<Uuid>) -> Self {
        Self {
            href: format!("/conversations/{}", conversation.id),
            title: conversation.title.clone(),
            updated_at: conversation.updated_at,
            current: shown == Some(conversation.id),
        }
    }
}

/// The form in which a person says something.
pub fn composer(action: String, agent: &str) -> Composer {
    let max_length = u32::try_from(LONGEST_MESSAGE).unwrap_or(u32::MAX);
    Composer { max_length, ..Composer::new(action, agent) }
}

/// A message as shown, in a conversation with `agent`.
pub fn turn(message: &Message, agent: &str) -> Turn {
    let by_person = message.role == Role::User;
    let (number, of) = message.place;
    let (before, after) = message.siblings;
    Turn {
        id: message.id,
        by_person,
        agent: agent.to_owned(),
        avatar: Avatar::of(agent),
        text: if by_person { message.body.clone() } else { String::new() },
        html: if by_person { Html::text("") } else { pages::markdown::to_html(&message.body) },
        streaming: message.state == State::Streaming,
        growing: None,
        state: message.state.as_str(),
        note: message.note.clone(),
        place: (of > 1).then_some(Place { number: number + 1, of, before, after }),
    }
}

/// Messages as list items: template `turns`.
#[derive(Debug, Clone, Serialize)]
pub struct Items<'a> {
    /// In the order in which they are shown.
    pub turns: &'a [Turn],
}

/// New messages as list items, for a page that has the others already.
pub fn items(app: &App, turns: &[Turn]) -> Result<String, pages::RenderError> {
    app.engine().render("turns", &Items { turns })
}
