//! What was done.

use jiff::Timestamp;
use pages::parts::Pagination;
use serde::Serialize;

use crate::db::names::Names;
use crate::domain::audit::Entry;

/// What was done.
#[derive(Clone, Debug, Serialize)]
pub struct Audit {
    /// The first thing first.
    pub rows: Vec<AuditRow>,
    /// Where the list goes on.
    pub pages: Pagination,
}

/// One thing that was done.
#[derive(Clone, Debug, Serialize)]
pub struct AuditRow {
    /// From 1 on.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub target: String,
    /// What else there is to say.
    pub detail: String,
}

impl AuditRow {
    /// One line.
    pub fn of(entry: &Entry, names: &Names) -> Self {
        let detail = entry.detail.as_object().is_some_and(|it| !it.is_empty());
        Self {
            number: entry.number,
            at: entry.at,
            actor: names.of(&entry.actor),
            action: entry.action.clone(),
            target: entry.target.clone(),
            detail: if detail { entry.detail.to_string() } else { String::new() },
        }
    }
}
