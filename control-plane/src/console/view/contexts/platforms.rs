//! The platforms of an organization, one of them, and a new one.

use blueprint::status::DomainState;
use blueprint::{PlatformBlueprint, Slug};
use jiff::Timestamp;
use pages::parts::{EmptyState, Field, Health, HealthState, Pagination};
use serde::Serialize;

use crate::cluster::CONTROL_PLANE;
use crate::http::platforms::{Condition, Platform};

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
    /// Who else writes it.
    pub writer: Option<String>,
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
            writer: platform.managed_by.clone().filter(|writer| writer != CONTROL_PLANE),
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
    /// Who writes its blueprint.
    pub writer: Option<String>,
    /// Where the reader has it be written here, where somebody else does.
    pub claim_href: Option<String>,
    /// Where the reader hands it to somebody else.
    pub release_href: Option<String>,
    /// Where the reader has it tried again.
    pub retry_href: Option<String>,
    /// Where the reader has it let them in as its owner.
    pub admin_link_href: Option<String>,
    /// The link that was just made for that.
    pub admin_link: Option<String>,
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
            writer: platform.managed_by.clone(),
            claim_href: None,
            release_href: None,
            retry_href: None,
            admin_link_href: None,
            admin_link: None,
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
