//! An agent: what it is called, how it behaves, which version people meet.

use jiff::Timestamp;
use uuid::Uuid;

/// The text of one version. Once written it never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What people call it; 1 to 80 characters.
    pub name: String,
    /// One or two sentences for the card; at most 300 characters.
    pub description: String,
    /// What the model is told before each conversation; 1 to 8000 characters.
    pub instructions: String,
    /// The model it asks for, or the platform's default.
    pub model: Option<String>,
    /// Questions a person can begin with; at most 6 of at most 200 characters.
    pub starters: Vec<String>,
}

/// An agent with the version that was asked for.
#[derive(Debug, Clone)]
pub struct Agent {
    /// Stable id.
    pub id: Uuid,
    /// Its address: `/agents/SLUG`.
    pub slug: String,
    /// Who made it; `None` for those that came with the template.
    pub owner_id: Option<Uuid>,
    /// The version people meet, if any.
    pub published: Option<i32>,
    /// The number of the version in `text`.
    pub version: i32,
    /// The version's text.
    pub text: Draft,
    /// When the version was written.
    pub written_at: Timestamp,
}

/// What is wrong with a draft, by field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The form field.
    pub field: &'static str,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Draft {
    /// Everything that is wrong at once; empty when it can be kept.
    pub fn problems(&self) -> Vec<FieldError> {
        let mut problems = Vec::new();
        let mut expect = |field, holds: bool, message: &str| {
            if !holds {
                problems.push(FieldError { field, message: message.to_owned() });
            }
        };
        let length = |text: &str| text.chars().count();
        expect(
            "name",
            (1..=80).contains(&length(&self.name)),
            "Give it a name of 1 to 80 letters.",
        );
        expect(
            "description",
            length(&self.description) <= 300,
            "Keep the description to 300 letters.",
        );
        expect(
            "instructions",
            (1..=8000).contains(&length(&self.instructions)),
            "Say in 1 to 8000 letters how it should behave.",
        );
        expect(
            "starters",
            self.starters.len() <= 6 && self.starters.iter().all(|s| length(s) <= 200),
            "At most 6 first questions, of at most 200 letters each.",
        );
        problems
    }
}

/// Whether a text can be an agent's address at all; others need no look into the database.
pub fn is_slug(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// The address an agent gets from its name: lower-case letters, digits and single dashes.
pub fn slug_of(name: &str) -> String {
    let mut slug = String::new();
    for letter in name.chars().flat_map(char::to_lowercase) {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() == 36 {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "agent".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_of_a_draft_is_told_at_once() {
        let draft = Draft {
            name: String::new(),
            description: "x".repeat(301),
            instructions: String::new(),
            model: None,
            starters: vec!["y".repeat(201)],
        };
        let fields: Vec<_> = draft.problems().iter().map(|p| p.field).collect();
        assert_eq!(fields, ["name", "description", "instructions", "starters"]);
    }

    #[test]
    fn a_slug_is_an_address_whatever_the_name() {
        assert_eq!(slug_of("  Über Coach, v2! "), "ber-coach-v2");
        assert_eq!(slug_of("日本"), "agent");
        assert!(slug_of(&"a b".repeat(40)).len() <= 36);
    }
}
