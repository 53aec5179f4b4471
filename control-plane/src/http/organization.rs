//! The organization that a key is of.

use axum::Json;
use axum::extract::State;
use blueprint::Entitlements;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::db::organizations;
use crate::domain::policy::Policy;
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::http::caller::Caller;

/// Who owns platforms.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Organization {
    /// Its id.
    id: String,
    /// As blueprints name it.
    slug: String,
    /// As people call it.
    name: String,
    /// What it pays for: starter, business or enterprise.
    plan: String,
    /// What that gives each of its platforms.
    #[schema(value_type = Object)]
    entitlements: Entitlements,
    /// What it asks of those who come in.
    policy: Policy,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// The organization of the key.
#[utoipa::path(
    get, path = "/v1/organization", operation_id = "getOrganization", tag = "organization",
    responses((status = 200, body = Organization))
)]
pub async fn show(State(app): State<App>, caller: Caller) -> Result<Json<Organization>> {
    caller.may(Scope::OrganizationRead)?;
    let mut conn = app.conn().await?;
    let found = organizations::get(&mut conn, caller.organization()).await?;
    let found = found.ok_or(Error::Nothing("organization"))?;
    Ok(Json(Organization {
        id: found.id.to_string(),
        slug: found.slug.to_string(),
        name: found.name,
        plan: found.plan.to_string(),
        entitlements: found.plan.entitlements(),
        policy: found.policy,
        created_at: found.created_at,
    }))
}
