//! A conversation: a tree of messages, of which one branch is shown.

use jiff::Timestamp;
use uuid::Uuid;

/// The longest message a person may send, in characters.
pub const LONGEST_MESSAGE: usize = 16_000;
/// How much of the conversation the model is told again, in characters; the newest first. About
/// what a model on a processor reads in a few seconds; it refuses more.
const PROMPT_BUDGET: usize = 4_000;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The person.
    User,
    /// The agent.
    Assistant,
}

impl Role {
    /// As stored and as sent to the model.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }

    /// Reads what [`Role::as_str`] wrote.
    pub fn parse(text: &str) -> Self {
        if text == "user" { Self::User } else { Self::Assistant }
    }
}

/// Where an answer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Words are still coming.
    Streaming,
    /// Finished by itself.
    Done,
    /// The person stopped it.
    Stopped,
    /// The model could not answer; the note says why.
    Failed,
    /// The server ended while it spoke.
    Interrupted,
}

impl State {
    /// As stored and as shown to scripts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Streaming => "streaming",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    /// Reads what [`State::as_str`] wrote.
    pub fn parse(text: &str) -> Self {
        match text {
            "streaming" => Self::Streaming,
            "done" => Self::Done,
            "stopped" => Self::Stopped,
            "failed" => Self::Failed,
            _ => Self::Interrupted,
        }
    }
}

/// One message.
#[derive(Debug, Clone)]
pub struct Message {
    /// Stable id.
    pub id: Uuid,
    /// The message it answers; `None` for the first.
    pub parent_id: Option<Uuid>,
    /// Who speaks.
    pub role: Role,
    /// The words so far.
    pub body: String,
    /// Where it stands.
    pub state: State,
    /// What the person should know about how it ended.
    pub note: Option<String>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// How many siblings come before it, and how many there are in all, itself included.
    pub place: (i64, i64),
    /// The siblings before and after it, to switch branches.
    pub siblings: (Option<Uuid>, Option<Uuid>),
}

/// A conversation without its messages.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// Stable id.
    pub id: Uuid,
    /// Whose it is.
    pub person_id: Uuid,
    /// With which agent.
    pub agent_id: Uuid,
    /// The version it began with.
    pub agent_version: i32,
    /// From the first question.
    pub title: String,
    /// The end of the branch that is shown.
    pub head_id: Option<Uuid>,
    /// When somebody last spoke.
    pub updated_at: Timestamp,
}

/// A title from the first question: its first line without the marks of Markdown, cut at a word.
pub fn title_of(question: &str) -> String {
    let mut lines = question.lines().map(str::trim);
    let line = lines.find(|line| !line.is_empty() && !line.starts_with("```")).unwrap_or_default();
    let line = without_pairs(&without_pairs(without_head(line), "**"), "`");
    let mut title: String = line.chars().take(80).collect();
    if title.chars().count() == 80 {
        if let Some(space) = title.rfind(' ') {
            title.truncate(space);
        }
        title.push('…');
    }
    if title.is_empty() { "New conversation".to_owned() } else { title }
}

/// A line without what makes it a heading, a quotation or an item of a list.
fn without_head(line: &str) -> &str {
    let is_mark = |word: &str| matches!(word, ">" | "-" | "*") || word.trim_matches('#').is_empty();
    match line.split_once(' ') {
        Some((mark, rest)) if is_mark(mark) => without_head(rest.trim_start()),
        _ => line,
    }
}

/// A text without pairs of `mark` around words. One alone, or with spaces inside, means itself.
fn without_pairs(text: &str, mark: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(mark) {
        kept.push_str(before);
        match after.split_once(mark) {
            Some((inner, behind)) if !inner.is_empty() && inner.trim() == inner => {
                kept.push_str(inner);
                rest = behind;
            }
            _ => {
                kept.push_str(mark);
                rest = after;
            }
        }
    }
    kept + rest
}

/// What the model is told: the newest turns of a branch that fit, oldest first. Always holds the
/// last message, cut if it must be; answers that failed before a word are left out.
pub fn prompt_of(branch: &[Message]) -> Vec<(Role, String)> {
    let mut left = PROMPT_BUDGET;
    let mut turns = Vec::new();
    for message in branch.iter().rev() {
        if message.body.is_empty() {
            continue;
        }
        let length = message.body.chars().count();
        if length > left && !turns.is_empty() {
            break;
        }
        let text: String = message.body.chars().take(left).collect();
        left = left.saturating_sub(length);
        turns.push((message.role, text));
    }
    turns.reverse();
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(role: Role, body: &str) -> Message {
        Message {
            id: Uuid::nil(),
            parent_id: None,
            role,
            body: body.to_owned(),
            state: State::Done,
            note: None,
            created_at: Timestamp::UNIX_EPOCH,
            place: (0, 1),
            siblings: (None, None),
        }
    }

    #[test]
    fn a_title_is_the_first_line_cut_at_a_word() {
        assert_eq!(title_of("  Hello there\nmore"), "Hello there");
        assert_eq!(title_of(" \n "), "New conversation");
        let long = title_of(&"word ".repeat(40));
        assert!(long.ends_with("word…") && long.chars().count() <= 81, "{long}");
    }

    #[test]
    fn a_title_shows_no_marks_of_markdown() {
        for (question, title) in [
            ("**Write** a `haiku` about **the sea**", "Write a haiku about the sea"),
            ("## Plan\nmore", "Plan"),
            ("> - one", "one"),
            ("```rust\nfn main() {}\n```", "fn main() {}"),
            // What only looks like marks stays.
            ("What is 2 ** 3 ** 4?", "What is 2 ** 3 ** 4?"),
            ("#marigold -1 `", "#marigold -1 `"),
        ] {
            assert_eq!(title_of(question), title);
        }
    }

    #[test]
    fn the_prompt_keeps_the_newest_turns_and_always_the_last() {
        let old = message(Role::User, &"a".repeat(3_000));
        let answer = message(Role::Assistant, &"b".repeat(3_000));
        let last = message(Role::User, "c");
        let prompt = prompt_of(&[old, answer, last]);
        assert_eq!(prompt.len(), 2);
        assert_eq!(prompt[1], (Role::User, "c".to_owned()));
        let huge = prompt_of(&[message(Role::User, &"d".repeat(20_000))]);
        assert_eq!(huge[0].1.chars().count(), PROMPT_BUDGET);
    }
}
