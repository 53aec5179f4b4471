//! What there is to choose from, and whether a blueprint can be used: nothing of anybody's.

use axum::Json;
use axum::body::Bytes;
use blueprint::plan::price;
use blueprint::{Entitlements, PlanName, templates};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Error, Result};
use crate::http::caller::Caller;
use crate::http::sent::broken;

/// What an organization can pay for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// starter, business or enterprise.
    name: String,
    /// In a month; for enterprise the least that a contract can say.
    #[schema(value_type = Object)]
    price: blueprint::Money,
    /// What it gives.
    #[schema(value_type = Object)]
    entitlements: Entitlements,
}

/// A blueprint to begin with.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// As `--template` and `spec.template.name` name it.
    name: String,
    /// As the gallery shows it.
    title: String,
    /// In a sentence.
    summary: String,
}

/// What a blueprint comes to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// The name of its platform.
    name: Option<String>,
    /// SHA-256 of what it says, however it is written.
    hash: String,
    /// Fields that are kept and change nothing yet.
    without_effect: Vec<&'static str>,
}

/// The plans there are, cheapest first.
#[utoipa::path(
    get, path = "/v1/plans", operation_id = "listPlans", tag = "catalogue", security(()),
    responses((status = 200, body = [Plan]))
)]
pub async fn plans() -> Json<Vec<Plan>> {
    let plan = |name: PlanName| Plan {
        name: name.to_string(),
        price: price(name),
        entitlements: name.entitlements(),
    };
    Json(PlanName::ALL.map(plan).into())
}

/// The templates there are.
#[utoipa::path(
    get, path = "/v1/templates", operation_id = "listTemplates", tag = "catalogue", security(()),
    responses((status = 200, body = [Template]))
)]
pub async fn all_templates() -> Json<Vec<Template>> {
    let template = |it: &blueprint::Template| Template {
        name: it.name.clone(),
        title: it.title.clone(),
        summary: it.summary.clone(),
    };
    Json(templates::all().iter().map(template).collect())
}

/// Whether a blueprint, as YAML or JSON, can be used: every rule that it breaks. Any key will do: what it
/// costs to read one is nothing for strangers to ask for.
#[utoipa::path(
    post, path = "/v1/blueprints/validate", operation_id = "validateBlueprint", tag = "catalogue",
    request_body(content = String, content_type = "application/yaml"),
    responses((status = 200, body = Checked))
)]
pub async fn validate(_: Caller, body: Bytes) -> Result<Json<Checked>> {
    let text = std::str::from_utf8(&body);
    let text = text.map_err(|_| Error::Unreadable("a blueprint is text, in UTF-8".to_owned()))?;
    let read = blueprint::read(text).map_err(|problems| broken(&problems))?;
    Ok(Json(Checked {
        name: read.metadata.name.clone(),
        hash: blueprint::hash(&read),
        without_effect: blueprint::without_effect(&read),
    }))
}
