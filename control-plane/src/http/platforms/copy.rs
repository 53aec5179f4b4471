//! A platform that is made after another one.

use axum::extract::{Path, State};
use axum::response::Response;
use blueprint::{BlueprintName, PlatformBlueprint};
use serde::Deserialize;
use utoipa::ToSchema;

use super::create::{New, once};
use super::{Platform, owned, seen_of};
use crate::app::App;
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::http::caller::Caller;
use crate::http::sent::{Sent, broken};

/// What a copy is called.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Copy {
    /// Its name.
    name: String,
    /// What people call it; left out: as the other one.
    display_name: Option<String>,
}

/// Makes a platform that is to be as another one is: its blueprint, without names of its own, which are
/// the other one's. Nothing of its data goes over, no people and no secrets.
#[utoipa::path(
    post, path = "/v1/platforms/{id}/clone", operation_id = "clonePlatform", tag = "platforms",
    params(
        ("id" = String, Path, description = "The platform's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 letters of your choice"),
    ),
    request_body(content = Copy),
    responses((
        status = 201, body = Platform,
        headers(
            ("Location" = String, description = "Where it is"),
            ("Link" = String, description = "The operation, as `monitor`"),
        ),
    ))
)]
pub async fn copy(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    sent: Sent<Copy>,
) -> Result<Response> {
    caller.may(Scope::PlatformsWrite)?;
    let owned = owned(&app, &caller, &id).await?;
    let Sent { value: Copy { name, display_name }, hash, key } = sent;
    let name: BlueprintName =
        name.parse().map_err(|error| Error::Unreadable(format!("name: {error}")))?;
    let there = seen_of(&app, &owned).await?.ok_or(Error::Nothing("blueprint"))?;
    let mut copy = PlatformBlueprint::new(name.as_str(), there.spec);
    copy.spec.domains.clear();
    copy.spec.suspended = false;
    if let Some(display_name) = display_name {
        copy.spec.identity.display_name = display_name;
    }
    let problems = blueprint::check(&copy);
    if !problems.is_empty() {
        return Err(broken(&problems));
    }
    let new = New::read(&app, &caller, copy).await?;
    let once_by = key.map(|key| (key, hash));
    once(&app, &caller, New { once: once_by, of: Some(owned.id), ..new }).await
}
