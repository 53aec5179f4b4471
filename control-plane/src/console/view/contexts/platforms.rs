//! The platforms of an organization, one of them, and a new one.

use blueprint::status::DomainState;
use blueprint::{Currency, PlatformBlueprint, Slug};
use jiff::Timestamp;
use pages::parts::{EmptyState, Field, Health, HealthState, Pagination};
use serde::Serialize;

use super::history::OperationRow;
use crate::cluster::CONTROL_PLANE;
use crate::http::platforms::{Condition, Platform};
use crate::http::usage::{Budget, Day, PlatformUsage};

/// The platforms of an organization.
#[derive(Clone, Debug, Serialize)]
pub struct Fleet {
    /// Of the organization.
    pub name: String,
    /// This page.
    pub base: String,
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
    /// What is done to it at the moment.
    pub running: Option<OperationRow>,
    /// What is true of it and why.
    pub conditions: Vec<Health>,
    /// Names of its own, and how far they are.
    pub domains: Vec<DomainRow>,
    /// What its agents used this month.
    pub usage: UsageTold,
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
    /// Where the reader asks for help with it.
    pub help_href: Option<String>,
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
            running: None,
            conditions: platform.conditions.iter().map(condition).collect(),
            domains: Vec::new(),
            usage: UsageTold::default(),
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
            help_href: None,
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

/// What a platform's agents used this month.
#[derive(Clone, Debug, Default, Serialize)]
pub struct UsageTold {
    /// How it stands with its money, a sentence for each currency.
    pub budgets: Vec<String>,
    /// By day and model.
    pub rows: Vec<UsageRow>,
}

/// What was used of a model on a day.
#[derive(Clone, Debug, Serialize)]
pub struct UsageRow {
    /// The day, in UTC.
    pub day: String,
    /// The model.
    pub model: String,
    /// Answers, those that failed apart.
    pub answers: String,
    /// Tokens read.
    pub read: u64,
    /// Tokens made.
    pub made: u64,
    /// What it cost.
    pub cost: String,
}

impl UsageTold {
    /// As the API tells it.
    pub fn of(used: &PlatformUsage) -> Self {
        Self {
            budgets: used.budgets.iter().map(standing).collect(),
            rows: used.usage.days.iter().map(UsageRow::of).collect(),
        }
    }
}

fn standing(budget: &Budget) -> String {
    let money = |micros| money(micros, budget.currency);
    let spent = money(budget.spent_micros);
    let of = match budget.monthly_micros {
        None => format!("{spent} spent this month; there is no limit."),
        Some(monthly) => format!("{spent} of {} spent this month.", money(monthly)),
    };
    if budget.held_micros == 0 {
        return of;
    }
    format!("{of} {} is kept for answers under way.", money(budget.held_micros))
}

impl UsageRow {
    fn of(day: &Day) -> Self {
        let used = &day.used;
        let failed =
            if used.failed == 0 { String::new() } else { format!(", {} failed", used.failed) };
        Self {
            day: day.day.clone(),
            model: day.model.clone(),
            answers: format!("{}{failed}", used.answers),
            read: used.prompt_tokens,
            made: used.completion_tokens,
            cost: money(used.cost_micros, used.currency),
        }
    }
}

/// Millionths, as people read them: none is rounded away.
fn money(micros: u64, currency: Currency) -> String {
    let (whole, rest) = (micros / 1_000_000, micros % 1_000_000);
    let mut decimals = format!("{rest:06}");
    let fewest = usize::from(currency.decimals());
    while decimals.len() > fewest && decimals.ends_with('0') {
        decimals.pop();
    }
    let point = if decimals.is_empty() { "" } else { "." };
    format!("{whole}{point}{decimals} {currency}")
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
    /// Where the picture of its home page is.
    pub picture: Option<String>,
    /// What there is to see, for who does not.
    pub shows: String,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_shown_to_the_last_millionth() {
        let shown = |micros, currency: &str| money(micros, currency.parse().unwrap());
        assert_eq!(shown(0, "USD"), "0.00 USD");
        assert_eq!(shown(1_500_000, "USD"), "1.50 USD");
        assert_eq!(shown(12_345_678, "USD"), "12.345678 USD");
        assert_eq!(shown(1, "USD"), "0.000001 USD");
        assert_eq!(shown(5_000_000, "JPY"), "5 JPY");
        assert_eq!(shown(5_100_000, "JPY"), "5.1 JPY");
    }
}
