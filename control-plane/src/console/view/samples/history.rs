//! What was done to platforms, and what their blueprints said.

use pages::Sample;
use pages::parts::Code;

use super::super::contexts::{OperationRow, Operations, RevisionPage, RevisionRow, Revisions};
use super::{WHEN, odd, paged};

/// One that is on its way.
pub(super) fn operation() -> OperationRow {
    OperationRow {
        kind: "It is changed",
        state: "On its way",
        tone: "primary",
        phase: Some("Provisioning".to_owned()),
        progress: 40,
        error: None,
        by: odd(),
        begun_at: WHEN,
        ended_at: None,
    }
}

fn revision() -> RevisionRow {
    RevisionRow {
        number: 3,
        href: "/o/acme/platforms/harbour/history/3".to_owned(),
        at: WHEN,
        by: odd(),
        summary: odd(),
        changes: vec![odd(), odd()],
    }
}

impl Sample for Operations {
    fn samples() -> Vec<Self> {
        let failed = OperationRow {
            state: "Failed",
            tone: "danger",
            error: Some(odd()),
            ended_at: Some(WHEN),
            ..operation()
        };
        let silent = OperationRow { phase: None, ..operation() };
        let full = Self {
            name: "harbour".to_owned(),
            base: "/o/acme/platforms/harbour".to_owned(),
            rows: vec![operation(), failed, silent],
            pages: paged(),
        };
        vec![Self { rows: vec![], ..full.clone() }, full]
    }
}

impl Sample for Revisions {
    fn samples() -> Vec<Self> {
        let first = RevisionRow { number: 1, changes: vec![], ..revision() };
        let full = Self {
            name: "harbour".to_owned(),
            base: "/o/acme/platforms/harbour".to_owned(),
            rows: vec![revision(), first],
            pages: paged(),
        };
        vec![Self { rows: vec![], ..full.clone() }, full]
    }
}

impl Sample for RevisionPage {
    fn samples() -> Vec<Self> {
        let full = Self {
            row: revision(),
            back: "/o/acme/platforms/harbour/history".to_owned(),
            is_there: true,
            since: vec![odd()],
            preview: "/o/acme/platforms/harbour/preview".to_owned(),
            seen: Some("0192-1".to_owned()),
            blueprint: Code { label: None, text: odd() },
        };
        let same = Self { since: vec![], ..full.clone() };
        let gone = Self { is_there: false, seen: None, ..same.clone() };
        vec![full, same, gone]
    }
}
