//! What a chat page is made of.

use serde::Serialize;

use super::Avatar;
use crate::{Html, Sample};

/// A message: part `message`, inside `<ol class="messages" id="messages">`.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// Unique on the page; the element's id is `message-ID`.
    pub id: String,
    /// Who says it.
    pub from: Speaker,
    /// Their name.
    pub name: String,
    /// Their picture; not shown for the reader.
    pub avatar: Avatar,
    /// What the reader wrote, as plain text.
    pub text: String,
    /// What the agent wrote: all of it, or the finished blocks while it is writing.
    pub html: Html,
    /// How far it is.
    pub state: State,
    /// A line below: why it stopped.
    pub note: Option<String>,
    /// While it is being written.
    pub stream: Option<Stream>,
    /// Where a form that tries again posts to, shown when it failed.
    pub retry_action: Option<String>,
}

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// The reader.
    User,
    /// The agent. It is always marked as an AI.
    Assistant,
}

/// How far an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Being written.
    Streaming,
    /// Complete.
    Done,
    /// Stopped by a person.
    Stopped,
    /// It did not work.
    Failed,
    /// The server went away in the middle.
    Interrupted,
}

/// An answer that is being written.
#[derive(Clone, Debug, Serialize)]
pub struct Stream {
    /// The events.
    pub src: String,
    /// The id of the last event whose outcome is already in the page: `OFFSET.BLOCKS`.
    pub after: String,
    /// The text behind the finished blocks, as far as it is known.
    pub live: String,
    /// Where the form that stops it posts to.
    pub stop_action: String,
}

impl Message {
    /// What the reader wrote.
    #[must_use]
    pub fn user(id: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            from: Speaker::User,
            name: "You".to_owned(),
            avatar: Avatar::of("You"),
            text: text.into(),
            html: Html::empty(),
            state: State::Done,
            note: None,
            stream: None,
            retry_action: None,
        }
    }

    /// A complete answer; for another state set `state`, `note` and `retry_action`.
    #[must_use]
    pub fn assistant(id: impl Into<String>, name: &str, html: Html) -> Self {
        Self {
            from: Speaker::Assistant,
            name: name.to_owned(),
            avatar: Avatar::of(name),
            html,
            ..Self::user(id, "")
        }
    }

    /// An answer that is being written, with its finished blocks.
    #[must_use]
    pub fn streaming(id: impl Into<String>, name: &str, blocks: Html, stream: Stream) -> Self {
        Self { state: State::Streaming, stream: Some(stream), ..Self::assistant(id, name, blocks) }
    }
}

/// The form at the bottom: part `composer`.
#[derive(Clone, Debug, Serialize)]
pub struct Composer {
    /// Where it posts `text` to.
    pub action: String,
    /// What the field is for, for those who do not see the page.
    pub label: String,
    /// Stands in the empty field.
    pub placeholder: String,
    /// What was written and refused.
    pub value: String,
    /// Why it was refused.
    pub error: Option<String>,
    /// The id of the list that new messages are added to.
    pub list: String,
    /// The longest message, in UTF-16 units.
    pub max_length: u32,
    /// A line below: `AI can be wrong. Check what matters.`
    pub note: String,
}

impl Composer {
    /// An empty one for the list `messages`.
    #[must_use]
    pub fn new(action: impl Into<String>, agent: &str) -> Self {
        Self {
            action: action.into(),
            label: format!("Message to {agent}"),
            placeholder: format!("Message {agent}"),
            value: String::new(),
            error: None,
            list: "messages".to_owned(),
            max_length: 8000,
            note: "Answers come from an AI and can be wrong.".to_owned(),
        }
    }
}

/// The conversations at the side: part `conversations`.
#[derive(Clone, Debug, Serialize)]
pub struct Conversations {
    /// Where a new one begins.
    pub new_href: String,
    /// The newest first.
    pub items: Vec<Conversation>,
}

/// One conversation.
#[derive(Clone, Debug, Serialize)]
pub struct Conversation {
    /// Its title.
    pub title: String,
    /// Its page.
    pub href: String,
    /// When it last went on, as it is read: `2 hours ago`.
    pub when: String,
    /// Whether it is this page.
    pub current: bool,
}

impl Sample for Message {
    fn samples() -> Vec<Self> {
        let html =
            || crate::markdown::to_html("# Plan\n\n- one\n- two\n\n```rust\nfn main() {}\n```\n");
        let stream = Stream {
            src: "/messages/1/stream".to_owned(),
            after: "12.1".to_owned(),
            live: "and <then>".to_owned(),
            stop_action: "/messages/1/stop".to_owned(),
        };
        let ended = |state, note: &str| Self {
            state,
            note: Some(note.to_owned()),
            retry_action: Some("/messages/1/retry".to_owned()),
            ..Self::assistant("1", "Coach <b>", html())
        };
        vec![
            Self::user("1", "line one\n  <line> two"),
            Self::assistant("1", "Coach <b>", html()),
            Self::streaming("1", "Coach <b>", html(), stream),
            ended(State::Stopped, "You stopped this answer."),
            ended(State::Failed, "The model did not answer."),
            ended(State::Interrupted, "The answer was cut off."),
        ]
    }
}

impl Sample for Composer {
    fn samples() -> Vec<Self> {
        let composer = Self::new("/conversations/1/messages", "Coach");
        let error = Some("That is too <long>.".to_owned());
        vec![Self { value: "\nmy text".to_owned(), error, ..composer.clone() }, composer]
    }
}

impl Sample for Conversations {
    fn samples() -> Vec<Self> {
        let item = |title: &str, current| Conversation {
            title: title.to_owned(),
            href: "/conversations/1".to_owned(),
            when: "2 hours ago".to_owned(),
            current,
        };
        let new_href = "/agents/coach".to_owned();
        let items = vec![item("A <plan>", true), item(&"long ".repeat(40), false)];
        vec![Self { new_href: new_href.clone(), items }, Self { new_href, items: vec![] }]
    }
}
