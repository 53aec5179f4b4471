//! What was done to a platform, and what its blueprint said before.

use jiff::Timestamp;
use pages::parts::{Code, Pagination};
use serde::Serialize;

use crate::db::names::Names;
use crate::db::revisions::Revision;
use crate::domain::operation::{Kind, State};
use crate::http::operations::Operation;

/// What was done to a platform of late.
#[derive(Clone, Debug, Serialize)]
pub struct Operations {
    /// The platform's name.
    pub name: String,
    /// Its page.
    pub base: String,
    /// The latest first.
    pub rows: Vec<OperationRow>,
    /// Where the list goes on.
    pub pages: Pagination,
}

/// Something that was done to it.
#[derive(Clone, Debug, Serialize)]
pub struct OperationRow {
    /// What, in words.
    pub kind: &'static str,
    /// How far it is, in words.
    pub state: &'static str,
    /// The same as a colour.
    pub tone: &'static str,
    /// The platform's phase, then.
    pub phase: Option<String>,
    /// From 0 to 100.
    pub progress: u8,
    /// Why it failed, and what to do next.
    pub error: Option<String>,
    /// By whom.
    pub by: String,
    /// Since when.
    pub begun_at: Timestamp,
    /// Until when.
    pub ended_at: Option<Timestamp>,
}

impl OperationRow {
    /// As it stands by now.
    pub fn of(it: &Operation, names: &Names) -> Self {
        let (state, tone) = match it.state {
            State::Running => ("On its way", "primary"),
            State::Succeeded => ("Done", "success"),
            State::Failed => ("Failed", "danger"),
            State::Superseded => ("Overtaken by what was done later", "warning"),
        };
        Self {
            kind: called(it.kind),
            state,
            tone,
            phase: it.phase.clone(),
            progress: it.progress,
            error: it.error.clone(),
            by: names.of(&it.by),
            begun_at: it.begun_at,
            ended_at: it.ended_at,
        }
    }
}

fn called(kind: Kind) -> &'static str {
    match kind {
        Kind::Create => "It is made",
        Kind::Clone => "It is made after another one",
        Kind::Change => "It is changed",
        Kind::Suspend => "It is stopped",
        Kind::Resume => "It is taken up again",
        Kind::Delete => "It is deleted",
        Kind::Undelete => "It is brought back",
        Kind::Claim => "It is claimed",
        Kind::Release => "It is handed to kubectl",
        Kind::Retry => "It is tried again",
    }
}

/// What a platform's blueprint said.
#[derive(Clone, Debug, Serialize)]
pub struct Revisions {
    /// The platform's name.
    pub name: String,
    /// Its page.
    pub base: String,
    /// The latest first.
    pub rows: Vec<RevisionRow>,
    /// Where the list goes on.
    pub pages: Pagination,
}

/// One time that it was changed.
#[derive(Clone, Debug, Serialize)]
pub struct RevisionRow {
    /// From 1 on.
    pub number: i64,
    /// Its page.
    pub href: String,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// What was changed, in a few sentences.
    pub summary: String,
    /// A line for each field.
    pub changes: Vec<String>,
}

impl RevisionRow {
    /// One whose platform's page is this.
    pub fn of(it: Revision, base: &str, names: &Names) -> Self {
        Self {
            number: it.number,
            href: format!("{base}/history/{}", it.number),
            at: it.at,
            by: names.of(&it.by),
            summary: it.summary,
            changes: it.changes,
        }
    }
}

/// What a blueprint said then.
#[derive(Clone, Debug, Serialize)]
pub struct RevisionPage {
    /// When, and by whom.
    pub row: RevisionRow,
    /// Where the reader came from.
    pub back: String,
    /// Whether there is a blueprint by now that it can be held against.
    pub is_there: bool,
    /// A line for each field that is otherwise now.
    pub since: Vec<String>,
    /// Where it is previewed.
    pub preview: String,
    /// The state that it would be written over, where the reader may.
    pub seen: Option<String>,
    /// The blueprint.
    pub blueprint: Code,
}
