//! Tickets, one of them, and a new one.

use jiff::Timestamp;
use pages::parts::{Action, EmptyState, Field, Pagination};
use serde::Serialize;

use crate::db::names::Names;
use crate::db::tickets::Message;
use crate::domain::ticket::{SUPPORT, State, Ticket, Urgency};

/// The tickets of an organization.
#[derive(Clone, Debug, Serialize)]
pub struct Tickets {
    /// Where one is written, for who may.
    pub new_href: Option<String>,
    /// The latest first.
    pub rows: Vec<TicketRow>,
    /// Where there is none.
    pub empty: EmptyState,
    /// Where the list goes on.
    pub pages: Pagination,
}

/// One of them.
#[derive(Clone, Debug, Serialize)]
pub struct TicketRow {
    /// Its page.
    pub href: String,
    /// What it is about.
    pub subject: String,
    /// How much it matters.
    pub urgency: &'static str,
    /// Who is to say something next.
    pub state: &'static str,
    /// The same as a colour.
    pub tone: &'static str,
    /// Who asked.
    pub by: String,
    /// When.
    pub created_at: Timestamp,
    /// When something was said last, or it was closed.
    pub changed_at: Timestamp,
}

impl TicketRow {
    /// One whose page is below this one.
    pub fn of(it: &Ticket, base: &str, names: &Names) -> Self {
        let (state, tone) = match it.state {
            State::Open => ("Waits for Support", "primary"),
            State::Waiting => ("Support has answered", "warning"),
            State::Closed => ("Closed", "success"),
        };
        Self {
            href: format!("{base}/{}", it.id),
            subject: it.subject.clone(),
            urgency: urgency(it.urgency),
            state,
            tone,
            by: names.of(&it.by),
            created_at: it.created_at,
            changed_at: it.changed_at,
        }
    }
}

/// As people read it.
pub const fn urgency(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Question => "A question",
        Urgency::Problem => "Something is not as it should be",
        Urgency::Outage => "Visitors are served no more",
    }
}

/// A new ticket.
#[derive(Clone, Debug, Serialize)]
pub struct NewTicket {
    /// Where the form goes.
    pub action: String,
    /// Where the reader came from.
    pub back: String,
    /// What is asked of it.
    pub fields: Vec<Field>,
    /// Why none was made.
    pub refused: Option<String>,
}

/// A ticket, and what was said in it.
#[derive(Clone, Debug, Serialize)]
pub struct TicketPage {
    /// Itself.
    pub row: TicketRow,
    /// The platform that it is about.
    pub platform: Option<Action>,
    /// Why nothing was said.
    pub refused: Option<String>,
    /// The first one first.
    pub messages: Vec<MessageRow>,
    /// Where the list goes on.
    pub pages: Pagination,
    /// Where the reader says something, if they may.
    pub answer: Option<Field>,
    /// Where it is closed.
    pub close_href: Option<String>,
}

/// Something that was said.
#[derive(Clone, Debug, Serialize)]
pub struct MessageRow {
    /// By whom.
    pub by: String,
    /// Whether whoever runs the fleet did.
    pub is_support: bool,
    /// When.
    pub at: Timestamp,
    /// What.
    pub text: String,
}

impl MessageRow {
    /// One of them.
    pub fn of(it: Message, names: &Names) -> Self {
        let is_support = it.by == SUPPORT;
        let by = if is_support { "Support".to_owned() } else { names.of(&it.by) };
        Self { by, is_support, at: it.at, text: it.text }
    }
}
