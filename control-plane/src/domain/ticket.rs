//! Tickets: what an organization asks whoever runs the fleet, and who is to say something next.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::id::{OrganizationId, PlatformId, TicketId};

/// As whom those who run the fleet answer, in the place of a person's or a key's id.
pub const SUPPORT: &str = "support";
/// An organization has no more that are not closed.
pub const MOST_OPEN: i64 = 100;
/// An organization makes no more within a day, closed or not.
pub const MOST_MADE: i64 = 100;
/// A ticket has no more messages.
pub const MOST_MESSAGES: i32 = 200;
/// Letters of a message, at most.
pub const LONGEST_TEXT: usize = 10_000;
/// Letters of a subject, at most.
pub const LONGEST_SUBJECT: usize = 200;
/// After so long one that was closed stays closed.
const REOPENS: SignedDuration = SignedDuration::from_hours(30 * 24);

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident => $word:literal),* $(,)? }) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "lowercase")]
        $(#[$doc])*
        pub enum $name { $($(#[$each])* $variant),* }

        impl $name {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

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
                let named = Self::ALL.iter().copied().find(|it| it.word() == text);
                named.ok_or_else(|| NoSuchWord(text.to_owned()))
            }
        }
    };
}

/// No ticket is said to be so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no ticket is {0:?}")]
pub struct NoSuchWord(String);

words! {
    /// How much it matters.
    Urgency {
        /// Something to know.
        Question => "question",
        /// Something that is not as it should be.
        Problem => "problem",
        /// Visitors are served no more.
        Outage => "outage",
    }
}

words! {
    /// Who is to say something next.
    #[schema(as = TicketState)]
    State {
        /// Support.
        Open => "open",
        /// The organization: Support has answered.
        Waiting => "waiting",
        /// Nobody.
        Closed => "closed",
    }
}

/// Why a text cannot be a message, or a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoText {
    /// There is nothing to read.
    #[error("is empty")]
    Empty,
    /// It is too long; the most there can be.
    #[error("is longer than {0} letters")]
    TooLong(usize),
    /// It holds what is no text.
    #[error(
        "holds characters that cannot be seen, or turn the direction of writing; it is plain text"
    )]
    NotPlain,
}

/// What a ticket is about, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject(String);

/// What somebody says: plain text, on as many lines as they like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(String);

impl Subject {
    /// Without what is around it.
    ///
    /// # Errors
    /// [`NoText`]
    pub fn read(text: &str) -> Result<Self, NoText> {
        plain(text.trim(), LONGEST_SUBJECT, |_| false).map(Self)
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Text {
    /// Without what is around it, its lines ended as everywhere here.
    ///
    /// # Errors
    /// [`NoText`]
    pub fn read(text: &str) -> Result<Self, NoText> {
        let lines = text.replace("\r\n", "\n");
        plain(lines.trim(), LONGEST_TEXT, |it| matches!(it, '\n' | '\t')).map(Self)
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whoever answers reads it in a terminal: what would be a command there is no text.
fn plain(text: &str, longest: usize, also: impl Fn(char) -> bool) -> Result<String, NoText> {
    if text.is_empty() {
        return Err(NoText::Empty);
    }
    if text.chars().any(|it| (it.is_control() && !also(it)) || is_unseen(it)) {
        return Err(NoText::NotPlain);
    }
    if text.chars().count() > longest {
        return Err(NoText::TooLong(longest));
    }
    Ok(text.to_owned())
}

/// Whether it ends a line, turns the direction of writing or is no letter, and nobody sees it. Joiners stay:
/// Persian and emoji need them.
fn is_unseen(letter: char) -> bool {
    matches!(
        letter,
        '\u{61c}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Whoever asked, or somebody else of their organization.
    Organization,
    /// Whoever runs the fleet.
    Support,
}

/// A ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Its id.
    pub id: TicketId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// Which platform it is about.
    pub platform: Option<PlatformId>,
    /// What it is about.
    pub subject: String,
    /// How much it matters.
    pub urgency: Urgency,
    /// Who is to say something next.
    pub state: State,
    /// Who asked: a person or a key.
    pub by: String,
    /// When.
    pub created_at: Timestamp,
    /// When somebody said something last, or it was closed.
    pub changed_at: Timestamp,
    /// How many messages it has.
    pub messages: i32,
}

/// Why nothing more is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It has as many messages as there can be.
    #[error("the ticket has {MOST_MESSAGES} messages, and no ticket has more")]
    Full,
    /// It was closed too long ago.
    #[error("the ticket was closed more than 30 days ago")]
    Over,
}

impl Ticket {
    /// With one more message of this side: then it is the other one's turn. One that was closed is open
    /// again, for a while.
    ///
    /// # Errors
    /// [`Refusal`]
    pub fn said(self, side: Side, now: Timestamp) -> Result<Self, Refusal> {
        if self.state == State::Closed && now.duration_since(self.changed_at) > REOPENS {
            return Err(Refusal::Over);
        }
        if self.messages >= MOST_MESSAGES {
            return Err(Refusal::Full);
        }
        let state = match side {
            Side::Organization => State::Open,
            Side::Support => State::Waiting,
        };
        Ok(Self { state, changed_at: now, messages: self.messages + 1, ..self })
    }

    /// Nobody is to say anything any more; `None` where that is so.
    pub fn closed(self, now: Timestamp) -> Option<Self> {
        let is_open = self.state != State::Closed;
        is_open.then_some(Self { state: State::Closed, changed_at: now, ..self })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const NOW: &str = "2026-03-01T12:00:00Z";

    fn ticket(state: State, messages: i32) -> Ticket {
        let at = NOW.parse().unwrap();
        Ticket {
            id: TicketId(Uuid::from_u128(1)),
            organization: OrganizationId(Uuid::from_u128(2)),
            platform: None,
            subject: "Slow".to_owned(),
            urgency: Urgency::Problem,
            state,
            by: "usr_x".to_owned(),
            created_at: at,
            changed_at: at,
            messages,
        }
    }

    fn after(days: i64) -> Timestamp {
        NOW.parse::<Timestamp>().unwrap() + SignedDuration::from_hours(24 * days)
    }

    #[test]
    fn whoever_said_something_last_waits_for_the_other() {
        let answered = ticket(State::Open, 1).said(Side::Support, after(1)).unwrap();
        assert_eq!((answered.state, answered.messages), (State::Waiting, 2));
        let asked = answered.said(Side::Organization, after(2)).unwrap();
        assert_eq!((asked.state, asked.changed_at), (State::Open, after(2)));
    }

    #[test]
    fn what_was_closed_is_open_again_by_a_message_within_thirty_days() {
        let closed = ticket(State::Open, 1).closed(after(0)).unwrap();
        assert_eq!(closed.clone().closed(after(1)), None);
        let again = closed.clone().said(Side::Organization, after(30)).unwrap();
        assert_eq!(again.state, State::Open);
        assert_eq!(closed.said(Side::Organization, after(31)), Err(Refusal::Over));
    }

    #[test]
    fn a_ticket_has_no_more_than_two_hundred_messages() {
        let full = ticket(State::Open, MOST_MESSAGES - 1).said(Side::Support, after(0)).unwrap();
        assert_eq!(full.said(Side::Support, after(0)), Err(Refusal::Full));
    }

    #[test]
    fn what_is_said_is_plain_text_within_bounds() {
        assert_eq!(Text::read(" a\r\nb \n").unwrap().as_str(), "a\nb");
        assert_eq!(Text::read(" \n"), Err(NoText::Empty));
        assert_eq!(Text::read("\u{1b}[2J"), Err(NoText::NotPlain));
        assert_eq!(Text::read("a\0"), Err(NoText::NotPlain));
        for unseen in ["\u{202e}", "\u{2067}", "\u{200b}", "\u{2028}", "\u{2029}", "\u{feff}"] {
            let text = format!("a{unseen}b");
            assert_eq!(Text::read(&text), Err(NoText::NotPlain), "{text:?}");
            assert_eq!(Subject::read(&text), Err(NoText::NotPlain), "{text:?}");
        }
        assert!(Text::read("\u{1f469}\u{200d}\u{1f4bb} می\u{200c}خواهم").is_ok());
        assert!(Text::read(&"é".repeat(LONGEST_TEXT)).is_ok());
        assert_eq!(Text::read(&"é".repeat(LONGEST_TEXT + 1)), Err(NoText::TooLong(LONGEST_TEXT)));
        assert_eq!(Subject::read("two\nlines"), Err(NoText::NotPlain));
        assert_eq!(Subject::read(&"x".repeat(201)), Err(NoText::TooLong(200)));
    }

    #[test]
    fn a_word_is_said_alike_everywhere() {
        for urgency in Urgency::ALL.iter().copied() {
            assert_eq!(urgency.word().parse(), Ok(urgency));
            assert_eq!(serde_json::to_value(urgency).unwrap(), urgency.word());
        }
        for state in State::ALL.iter().copied() {
            assert_eq!(state.word().parse(), Ok(state));
        }
    }
}
