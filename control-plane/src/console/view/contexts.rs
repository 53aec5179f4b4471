//! The contexts.

use blueprint::status::DomainState;
use blueprint::{PlatformBlueprint, Slug};
use jiff::Timestamp;
use pages::parts::{EmptyState, Field, Health, HealthState, Pagination};
use serde::Serialize;
use uuid::Uuid;

use crate::db::invitations::Invitation;
use crate::db::keys::Known;
use crate::db::members::Member;
use crate::db::names::Names;
use crate::db::organizations::Organization;
use crate::domain::audit::Entry;
use crate::domain::role::Role;
use crate::http::platforms::{Condition, Platform};

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

/// The platforms of an organization.
#[derive(Clone, Debug, Serialize)]
pub struct Fleet {
    /// Of the organization.
    pub name: String,
    /// Where a new one is made, for who may.
    pub new_href: Option<String>,
    /// By name.
    pub rows: Vec<PlatformRow>,
    /// Where there is none.
    pub empty: EmptyState,
    /// Where the list goes on.
    pub pages: Pagination,
}

/// One of them.
#[derive(Clone, Debug, Serialize)]
pub struct PlatformRow {
    /// Its page.
    pub href: String,
    /// What people call it.
    pub title: String,
    /// Its name.
    pub name: String,
    /// In a word.
    pub phase: String,
    /// The same as a colour: success, warning, danger or nothing.
    pub tone: &'static str,
    /// Where it answers.
    pub url: Option<String>,
    /// The plan that counts.
    pub plan: Option<String>,
    /// The version that runs.
    pub version: Option<String>,
}

impl PlatformRow {
    /// One of this organization's.
    pub fn of(slug: &Slug, platform: &Platform) -> Self {
        Self {
            href: format!("/o/{slug}/platforms/{}", platform.name),
            title: platform.display_name.clone().unwrap_or_else(|| platform.name.clone()),
            name: platform.name.clone(),
            phase: platform.phase.clone(),
            tone: tone(&platform.phase),
            url: platform.url.clone(),
            plan: platform.plan.clone(),
            version: platform.version.clone(),
        }
    }
}

fn tone(phase: &str) -> &'static str {
    match phase {
        "Ready" | "Sleeping" => "success",
        "Degraded" | "Suspended" => "warning",
        "Deleting" | "Deleted" => "danger",
        _ => "primary",
    }
}

/// A platform.
#[derive(Clone, Debug, Serialize)]
pub struct PlatformPage {
    /// What people call it.
    pub title: String,
    /// Its name.
    pub name: String,
    /// This page.
    pub base: String,
    /// In a word.
    pub phase: String,
    /// The same as a colour.
    pub tone: &'static str,
    /// Where it answers.
    pub url: Option<String>,
    /// The plan that counts.
    pub plan: Option<String>,
    /// The version that runs.
    pub version: Option<String>,
    /// Since when there is one.
    pub created_at: Timestamp,
    /// What is true of it and why.
    pub conditions: Vec<Health>,
    /// Names of its own, and how far they are.
    pub domains: Vec<DomainRow>,
    /// Whether its blueprint is there.
    pub is_there: bool,
    /// Why it cannot be changed, though the reader might.
    pub settled: Option<&'static str>,
    /// How it was deleted, if it was.
    pub deleted: Option<DeletedRow>,
    /// Where it is made, where it is not there.
    pub new_href: Option<String>,
    /// Whether it was stopped.
    pub is_suspended: bool,
    /// Whether the reader may change it.
    pub can_write: bool,
    /// What is in the way of the last change.
    pub problems: Vec<String>,
    /// The state that the blueprint below is of.
    pub seen: Option<String>,
    /// Its blueprint.
    pub blueprint: Field,
    /// Where its name is typed to delete it.
    pub name_field: Field,
}

impl PlatformPage {
    /// As it was seen, without what the reader may do.
    pub fn of(platform: &Platform) -> Self {
        let condition = |it: &Condition| {
            let state = match it.status.as_str() {
                "True" => HealthState::Ok,
                "False" => HealthState::Warn,
                _ => HealthState::Off,
            };
            let text = if it.message.is_empty() { &it.reason } else { &it.message };
            Health::new(&it.r#type, state, text)
        };
        Self {
            title: platform.display_name.clone().unwrap_or_else(|| platform.name.clone()),
            name: platform.name.clone(),
            base: String::new(),
            phase: platform.phase.clone(),
            tone: tone(&platform.phase),
            url: platform.url.clone(),
            plan: platform.plan.clone(),
            version: platform.version.clone(),
            created_at: platform.created_at,
            conditions: platform.conditions.iter().map(condition).collect(),
            domains: Vec::new(),
            is_there: false,
            settled: None,
            deleted: None,
            new_href: None,
            is_suspended: false,
            can_write: false,
            problems: Vec::new(),
            seen: None,
            blueprint: Field::textarea("blueprint", "Blueprint", 24),
            name_field: Field::text("name", "Its name"),
        }
    }
}

/// How a platform was deleted.
#[derive(Clone, Debug, Serialize)]
pub struct DeletedRow {
    /// By whom.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Whether the reader may bring it back.
    pub can_undo: bool,
}

/// A name of a platform's own.
#[derive(Clone, Debug, Serialize)]
pub struct DomainRow {
    /// The name.
    pub name: String,
    /// How far it is.
    pub state: &'static str,
    /// The record to set, such as `CNAME shop.example.com -> x.edge.example`.
    pub record: Option<String>,
    /// What was found in its place.
    pub found: Option<String>,
}

/// The names of a platform's own.
pub fn domains(seen: &PlatformBlueprint) -> Vec<DomainRow> {
    let domains = seen.status.iter().flat_map(|status| &status.domains);
    domains
        .map(|domain| DomainRow {
            name: domain.name.clone(),
            state: match domain.state {
                DomainState::WaitingForRecord => "Waits for its record",
                DomainState::Verified => "Proven; its certificate is on its way",
                DomainState::Serving => "Served",
                DomainState::Claimed => "Somebody else has proven that it is theirs",
                DomainState::Failed => "Did not work; see above",
            },
            record: domain
                .record
                .as_ref()
                .filter(|_| domain.state != DomainState::Serving)
                .map(|it| format!("{} {} {}", it.name, it.kind, it.value)),
            found: (!domain.found.is_empty() && domain.state != DomainState::Serving)
                .then(|| domain.found.join(", ")),
        })
        .collect()
}

/// A new platform: first what it is called, then its blueprint.
#[derive(Clone, Debug, Serialize)]
pub struct New {
    /// Where the form goes.
    pub action: String,
    /// Of the first step.
    pub fields: Vec<Field>,
    /// What there is to begin with.
    pub templates: Vec<TemplateRow>,
    /// Of the second step.
    pub blueprint: Option<Field>,
    /// What is in the way.
    pub problems: Vec<String>,
}

/// A blueprint to begin with.
#[derive(Clone, Debug, Serialize)]
pub struct TemplateRow {
    /// As the gallery shows it.
    pub title: String,
    /// In a sentence.
    pub summary: String,
}

impl From<(String, String)> for TemplateRow {
    fn from((title, summary): (String, String)) -> Self {
        Self { title, summary }
    }
}

impl New {
    /// The first step.
    pub fn first(action: String, fields: Vec<Field>) -> Self {
        Self { action, fields, templates: Vec::new(), blueprint: None, problems: Vec::new() }
    }

    /// The second one.
    pub fn second(action: String, blueprint: Field, problems: Vec<String>) -> Self {
        Self { blueprint: Some(blueprint), problems, ..Self::first(action, Vec::new()) }
    }
}

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

/// Keys of the API.
#[derive(Clone, Debug, Serialize)]
pub struct Keys {
    /// Why none was made.
    pub refused: Option<String>,
    /// The key that was just made.
    pub secret: Option<String>,
    /// This page.
    pub base: String,
    /// Those there are and were.
    pub rows: Vec<KeyRow>,
    /// Where the list goes on.
    pub pages: Pagination,
    /// What a new one is called.
    pub name: Field,
    /// When it ends.
    pub days: Field,
    /// What it may do.
    pub scopes: Vec<Field>,
}

/// One of them.
#[derive(Clone, Debug, Serialize)]
pub struct KeyRow {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Its first letters.
    pub prefix: String,
    /// What it may do.
    pub scopes: String,
    /// Who made it.
    pub made_by: String,
    /// When it was used last.
    pub used_at: Option<Timestamp>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whether it is good.
    pub is_good: bool,
    /// What it is, where it is not.
    pub state: &'static str,
}

impl KeyRow {
    /// One, as it is now.
    pub fn of(key: &Known, names: &Names, now: Timestamp) -> Self {
        let is_good = key.revoked_at.is_none() && key.expires_at > now;
        let scopes: Vec<_> = key.scopes.iter().map(ToString::to_string).collect();
        Self {
            id: key.id.to_string(),
            name: key.name.clone(),
            prefix: key.prefix.clone(),
            scopes: scopes.join(", "),
            made_by: names.of(&key.made_by),
            used_at: key.used_at,
            expires_at: key.expires_at,
            is_good,
            state: match (is_good, key.revoked_at) {
                (true, _) => "Good",
                (false, Some(_)) => "Taken back",
                (false, None) => "Ended",
            },
        }
    }
}

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

/// A person's own account.
#[derive(Clone, Debug, Serialize)]
pub struct Account {
    /// Their name.
    pub name: String,
    /// Their address.
    pub email: String,
    /// Where they are signed in.
    pub sessions: Vec<SessionRow>,
    /// Whether they are signed in elsewhere too.
    pub elsewhere: bool,
}

/// Where somebody is signed in.
#[derive(Clone, Debug, Serialize)]
pub struct SessionRow {
    /// Its id.
    pub id: Uuid,
    /// Such as "Firefox on Linux".
    pub device: String,
    /// The address it was begun from.
    pub ip: String,
    /// When it was used last.
    pub last_seen_at: Timestamp,
    /// Whether it is the one that reads this.
    pub current: bool,
}
