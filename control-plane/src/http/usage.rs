//! What an organization's platforms used.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use blueprint::{Currency, PlatformBlueprint};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use usage::{Micros, Tokens, day_of, first_of_next_month};
use utoipa::{IntoParams, ToSchema};

use super::platforms::{owned, seen_of};
use crate::app::App;
use crate::db::platforms::Owned;
use crate::db::treasury;
use crate::db::usage::{self as records, Used};
use crate::domain::scope::Scope;
use crate::domain::treasury::{Chest, Terms};
use crate::domain::usage::{Days, NoDays};
use crate::error::{Error, Result};
use crate::http::caller::Caller;

/// Which days are asked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// A month in UTC, such as 2026-03; left out, and no days either: the present one.
    month: Option<String>,
    /// The first day in UTC, such as 2026-03-01.
    from: Option<String>,
    /// The last one: 92 days at most.
    to: Option<String>,
}

/// What was used on some days.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Usage {
    /// The first day, in UTC.
    #[schema(format = Date)]
    pub from: String,
    /// The last day.
    #[schema(format = Date)]
    pub to: String,
    /// By day and model.
    pub days: Vec<Day>,
    /// The sum of all that, in each currency.
    pub totals: Vec<Total>,
}

/// What was used of a model on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Day {
    /// The day on which answers ended, in UTC.
    #[schema(format = Date)]
    pub day: String,
    /// The model; `others` are all but the 24 that cost most on the days that were asked for.
    pub model: String,
    /// How much.
    #[serde(flatten)]
    pub used: Total,
}

/// How much was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Total {
    /// What prices are in.
    #[schema(value_type = String)]
    pub currency: Currency,
    /// Answers that ended well, or that somebody left.
    pub answers: u64,
    /// Answers that failed, and cost nothing.
    pub failed: u64,
    /// Tokens read, those found in a cache included.
    pub prompt_tokens: u64,
    /// Those of them that were found in a cache.
    pub cached_tokens: u64,
    /// Tokens made.
    pub completion_tokens: u64,
    /// What it cost, in millionths of the currency's unit: 150000 is 0.15.
    pub cost_micros: u64,
}

/// What a platform used, and what of its budget is left.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PlatformUsage {
    /// What was used.
    #[serde(flatten)]
    pub usage: Usage,
    /// How it stands in the present month, whichever days were asked for: in the currency of its budget,
    /// and in those in which anything was spent.
    pub budgets: Vec<Budget>,
}

/// How a platform stands with its money, in millionths of the currency's unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// Of what.
    #[schema(value_type = String)]
    pub currency: Currency,
    /// What it may spend in a month; not there: there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monthly_micros: Option<u64>,
    /// Spent this month.
    pub spent_micros: u64,
    /// Kept for answers under way, and soon.
    pub held_micros: u64,
    /// When the next month begins.
    #[schema(value_type = String, format = DateTime)]
    pub renews_at: Timestamp,
}

/// What all platforms of the organization used, by day and model.
#[utoipa::path(
    get, path = "/v1/usage", operation_id = "getUsage", tag = "usage", params(Wanted),
    responses((status = 200, body = Usage))
)]
pub async fn of_organization(
    State(app): State<App>,
    caller: Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Usage>> {
    caller.may(Scope::PlatformsRead)?;
    let days = wanted.days(app.now())?;
    let mut conn = app.conn().await?;
    let used = records::of_organization(&mut conn, caller.organization(), days).await?;
    Ok(Json(Usage::of(days, used)))
}

/// What a platform used, by day and model, and how it stands with its budget. Of one that was made by
/// other means that is from when it was claimed.
#[utoipa::path(
    get, path = "/v1/platforms/{id}/usage", operation_id = "getPlatformUsage", tag = "usage",
    params(("id" = String, Path, description = "The platform's id"), Wanted),
    responses((status = 200, body = PlatformUsage))
)]
pub async fn of_platform(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<PlatformUsage>> {
    caller.may(Scope::PlatformsRead)?;
    let owned = owned(&app, &caller, &id).await?;
    let days = wanted.days(app.now())?;
    let terms = Terms::of(seen_of(&app, &owned).await?.as_ref());
    Ok(Json(used(&app, &owned, terms, days).await?))
}

/// What a platform that was seen so used in the present month.
///
/// # Errors
/// The database.
pub async fn of_seen(
    app: &App,
    owned: &Owned,
    seen: Option<&PlatformBlueprint>,
) -> Result<PlatformUsage> {
    used(app, owned, Terms::of(seen), Days::month_of(day_of(app.now()))).await
}

async fn used(app: &App, owned: &Owned, terms: Terms, days: Days) -> Result<PlatformUsage> {
    // What it spent before it was the organization's is nobody's business here.
    if owned.found.is_some() {
        return Ok(PlatformUsage { usage: Usage::of(days, Vec::new()), budgets: Vec::new() });
    }
    let mut conn = app.conn().await?;
    let used = records::of_platform(&mut conn, owned.id, days).await?;
    let chests = treasury::of(&mut conn, owned.name.as_str(), Some(owned.id)).await?;
    Ok(PlatformUsage {
        usage: Usage::of(days, used),
        budgets: budgets(owned, terms, chests, app.now()),
    })
}

fn budgets(owned: &Owned, terms: Terms, mut chests: Vec<Chest>, now: Timestamp) -> Vec<Budget> {
    if let Some(currency) = terms.monthly.map(blueprint::Money::currency)
        && !chests.iter().any(|chest| chest.currency == currency)
    {
        chests.push(Chest::new(owned.name.to_string(), Some(owned.id), currency, now));
    }
    let budget = |mut chest: Chest| {
        chest.turn(terms, now);
        chest.vault.expire(now);
        Budget {
            currency: chest.currency,
            monthly_micros: terms.budget(chest.currency).map(Micros::get),
            spent_micros: chest.vault.billed().get(),
            held_micros: chest.vault.held().get(),
            renews_at: first_of_next_month(now),
        }
    };
    chests.into_iter().map(budget).collect()
}

impl Wanted {
    fn days(&self, now: Timestamp) -> Result<Days> {
        let [month, from, to] = [&self.month, &self.from, &self.to].map(Option::as_deref);
        Ok(Days::read(month, from, to, day_of(now))?)
    }
}

impl From<NoDays> for Error {
    fn from(error: NoDays) -> Self {
        Self::Unreadable(error.to_string())
    }
}

impl Usage {
    fn of(days: Days, used: Vec<Used>) -> Self {
        let mut totals: BTreeMap<Currency, Total> = BTreeMap::new();
        let mut rows = Vec::with_capacity(used.len());
        for used in used {
            let row = Total::of(&used);
            totals
                .entry(row.currency)
                .and_modify(|sum| sum.add(&row))
                .or_insert_with(|| row.clone());
            rows.push(Day { day: used.day.to_string(), model: used.model, used: row });
        }
        let totals = totals.into_values().collect();
        Self { from: days.from.to_string(), to: days.to.to_string(), days: rows, totals }
    }
}

impl Total {
    fn of(used: &Used) -> Self {
        let Tokens { prompt, cached, completion } = used.tokens;
        Self {
            currency: used.currency,
            answers: used.answers,
            failed: used.failed,
            prompt_tokens: prompt,
            cached_tokens: cached,
            completion_tokens: completion,
            cost_micros: used.cost.get(),
        }
    }

    fn add(&mut self, more: &Self) {
        self.answers = self.answers.saturating_add(more.answers);
        self.failed = self.failed.saturating_add(more.failed);
        self.prompt_tokens = self.prompt_tokens.saturating_add(more.prompt_tokens);
        self.cached_tokens = self.cached_tokens.saturating_add(more.cached_tokens);
        self.completion_tokens = self.completion_tokens.saturating_add(more.completion_tokens);
        self.cost_micros = self.cost_micros.saturating_add(more.cost_micros);
    }
}
