//! The people of an organization, and who is invited.

use jiff::Timestamp;
use pages::parts::{Field, Pagination};
use serde::Serialize;

use crate::db::invitations::Invitation;
use crate::db::members::Member;
use crate::db::names::Names;
use crate::domain::role::Role;

/// The people of an organization.
#[derive(Clone, Debug, Serialize)]
pub struct People {
    /// Why the last change was refused.
    pub refused: Option<String>,
    /// The link of the invitation that was just made.
    pub link: Option<String>,
    /// This page.
    pub base: String,
    /// Members.
    pub rows: Vec<MemberRow>,
    /// Where the list goes on.
    pub pages: Pagination,
    /// Where invitations are.
    pub invitations_base: String,
    /// Who is invited.
    pub invitations: Vec<InvitationRow>,
    /// Of the form that invites; none for who may not.
    pub fields: Vec<Field>,
}

/// A member.
#[derive(Clone, Debug, Serialize)]
pub struct MemberRow {
    /// Their id.
    pub id: String,
    /// Their name.
    pub name: String,
    /// Their address.
    pub email: String,
    /// What they are.
    pub role: &'static str,
    /// Since when.
    pub added_at: Timestamp,
    /// What the reader can make of them; nothing, where the reader may not.
    pub roles: Vec<RoleChoice>,
}

/// A role to choose.
#[derive(Clone, Debug, Serialize)]
pub struct RoleChoice {
    /// What is sent.
    pub value: &'static str,
    /// What is shown.
    pub label: &'static str,
    /// Whether it is theirs.
    pub chosen: bool,
}

impl MemberRow {
    /// One whom the reader can make one of these, if they may change that one at all.
    pub fn of(member: &Member, given: &[Role], may: bool) -> Self {
        let choice = |role: &Role| RoleChoice {
            value: role.word(),
            label: role.title(),
            chosen: *role == member.role,
        };
        Self {
            id: member.person.to_string(),
            name: member.name.clone(),
            email: member.email.clone(),
            role: member.role.title(),
            added_at: member.added_at,
            roles: if may { given.iter().map(choice).collect() } else { Vec::new() },
        }
    }
}

/// Somebody who is invited.
#[derive(Clone, Debug, Serialize)]
pub struct InvitationRow {
    /// The invitation's id.
    pub id: String,
    /// Their address.
    pub email: String,
    /// What they will be.
    pub role: &'static str,
    /// Who invited them.
    pub made_by: String,
    /// Until then they can accept.
    pub expires_at: Timestamp,
    /// Whether the reader may take it back.
    pub can_revoke: bool,
}

impl InvitationRow {
    /// One that the reader may take back, or not.
    pub fn of(invitation: &Invitation, names: &Names, can_revoke: bool) -> Self {
        Self {
            id: invitation.id.to_string(),
            email: invitation.email.clone(),
            role: invitation.role.title(),
            made_by: names.of(&invitation.made_by),
            expires_at: invitation.expires_at,
            can_revoke,
        }
    }
}
