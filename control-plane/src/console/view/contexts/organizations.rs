//! The organizations of a person.

use pages::parts::EmptyState;
use serde::Serialize;

use crate::db::organizations::Organization;
use crate::domain::role::Role;

/// The organizations of a person.
#[derive(Clone, Debug, Serialize)]
pub struct Organizations {
    /// By name.
    pub rows: Vec<OrganizationRow>,
    /// Where there is none.
    pub empty: EmptyState,
}

/// One of them.
#[derive(Clone, Debug, Serialize)]
pub struct OrganizationRow {
    /// Its page.
    pub href: String,
    /// Its name.
    pub name: String,
    /// What it pays for.
    pub plan: String,
    /// What the reader is there.
    pub role: &'static str,
}

impl Organizations {
    /// Those, with what the reader is there.
    pub fn of(seats: Vec<(Organization, Role)>) -> Self {
        let row = |(organization, role): (Organization, Role)| OrganizationRow {
            href: format!("/o/{}", organization.slug),
            name: organization.name,
            plan: organization.plan.to_string(),
            role: role.title(),
        };
        let empty = EmptyState {
            title: "You are in no organization".to_owned(),
            text: "Whoever runs one can invite you: ask them for a link.".to_owned(),
            action: None,
        };
        Self { rows: seats.into_iter().map(row).collect(), empty }
    }
}
