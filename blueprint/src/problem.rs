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
}

impl Problem {
    /// A problem at `path`.
    pub fn new(
        path: impl Into<String>,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) -> Self {
        Self { path: path.into(), what: what.into(), instead: instead.into() }
    }
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
