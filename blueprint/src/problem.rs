//! One thing that is wrong with a blueprint.

use std::fmt;

use serde::Serialize;

/// Where it is, what is wrong, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The field, such as `spec.monetization.tiers[1].price.currency`; a text that is not YAML at
    /// all has `line 3, column 7` here.
    pub path: String,
    /// What is wrong there.
    pub what: String,
    /// What would be right.
    pub instead: String,
    /// The line of the text it was found in, from 1, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The character of that line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
}

impl Problem {
    /// A problem at `path`.
    pub fn new(
        path: impl Into<String>,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) -> Self {
        Self {
            path: path.into(),
            what: what.into(),
            instead: instead.into(),
            line: None,
            column: None,
        }
    }

    /// A problem of a text as a whole, found at a place in it.
    pub(crate) fn of_text(
        (line, column): (usize, usize),
        what: impl Into<String>,
        instead: impl Into<String>,
    ) -> Self {
        Self::new(place(line, column), what, instead).at((line, column))
    }

    /// The same, found at a line and a column.
    pub(crate) fn at(self, (line, column): (usize, usize)) -> Self {
        Self { line: Some(line), column: Some(column), ..self }
    }

    /// In words, as editors and terminals find it:
    /// `blueprint.yaml:14: spec.plan: is missing (instead: ..)`.
    pub fn in_file(&self, file: &str) -> String {
        let Self { path, what, instead, .. } = self;
        match (self.line, self.column) {
            (Some(line), Some(column)) if *path == place(line, column) => {
                format!("{file}:{line}:{column}: {what} (instead: {instead})")
            }
            (Some(line), _) => format!("{file}:{line}: {self}"),
            (None, _) => format!("{file}: {self}"),
        }
    }
}

/// Stands where a path would, for a text as a whole.
fn place(line: usize, column: usize) -> String {
    format!("line {line}, column {column}")
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (instead: {})", self.path, self.what, self.instead)
    }
}

/// The path of a field below `base`.
pub(crate) fn below(base: &str, field: &str) -> String {
    match (base, field) {
        ("", field) => field.to_owned(),
        (base, "") => base.to_owned(),
        (base, field) if field.starts_with('[') => format!("{base}{field}"),
        (base, field) => format!("{base}.{field}"),
    }
}
