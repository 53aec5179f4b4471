//! Code to copy, and what changed between two texts.

use serde::Serialize;

use crate::Sample;

/// Code or a command with a button that copies it: part `code`.
#[derive(Clone, Debug, Serialize)]
pub struct Code {
    /// What it is, said above it.
    pub label: Option<String>,
    /// The code.
    pub text: String,
}

/// What changed: part `diff`.
#[derive(Clone, Debug, Serialize)]
pub struct Diff {
    /// What it is a difference of, for those who do not see the page.
    pub label: String,
    /// The lines, in order.
    pub lines: Vec<DiffLine>,
}

/// A line of it.
#[derive(Clone, Debug, Serialize)]
pub struct DiffLine {
    /// What became of it.
    pub kind: Line,
    /// The line, without its ending.
    pub text: String,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    /// In both.
    Same,
    /// Only in the new text.
    Added,
    /// Only in the old text.
    Removed,
}

impl Sample for Code {
    fn samples() -> Vec<Self> {
        let text = "curl https://acme.test/v1 \\\n  -d '{\"a\": \"<b>\"}'\n".to_owned();
        vec![
            Self { label: Some("Try it".to_owned()), text: text.clone() },
            Self { label: None, text },
        ]
    }
}

impl Sample for Diff {
    fn samples() -> Vec<Self> {
        let line = |kind, text: &str| DiffLine { kind, text: text.to_owned() };
        let lines = vec![
            line(Line::Same, "spec:"),
            line(Line::Removed, "  plan: starter"),
            line(Line::Added, "  plan: <business>"),
        ];
        vec![Self { label: "Blueprint".to_owned(), lines }]
    }
}
