//! What a platform's blueprint said, each time that it was changed here; and how blueprints are sent.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use blueprint::PlatformBlueprint;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::owned;
use super::seen::Blueprint;
use crate::app::App;
use crate::db::revisions::{self, Revision};
use crate::domain::id::OperationId;
use crate::domain::page::{NoPage, Page, Wanted};
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::http::caller::Caller;

/// As YAML, blueprints are sent as this.
const YAML: &str = "application/yaml";

/// What a blueprint said from some time on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Said {
    /// From 1 on.
    revision: i64,
    /// By whom: a person or a key.
    by: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// By which operation.
    #[schema(value_type = String)]
    operation: OperationId,
    /// What was changed, as its preview told it.
    summary: String,
    /// A line for each field that was changed.
    changes: Vec<String>,
}

impl From<Revision> for Said {
    fn from(it: Revision) -> Self {
        let Revision { number, operation, by, at, summary, changes } = it;
        Self { revision: number, by, at, operation, summary, changes }
    }
}

/// What a platform's blueprint said each time that it was changed here, the latest first: a hundred of
/// them are kept. To have it be so again, send what it said as a change.
#[utoipa::path(
    get, path = "/v1/platforms/{id}/blueprint/history", operation_id = "listRevisions",
    tag = "platforms",
    params(("id" = String, Path, description = "The platform's id"), Wanted),
    responses((status = 200, body = Page<Said>))
)]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Page<Said>>> {
    caller.may(Scope::PlatformsRead)?;
    let owned = owned(&app, &caller, &id).await?;
    let (before, limit) = wanted.read()?;
    let before = before.map(|text| text.parse()).transpose().map_err(|_| NoPage::After)?;
    let mut conn = app.conn().await?;
    let read = revisions::list(&mut conn, owned.id, before, limit + 1).await?;
    let items = read.into_iter().map(Said::from).collect();
    Ok(Json(Page::of(items, limit, |it: &Said| it.revision.to_string())))
}

/// What a platform's blueprint said then.
#[utoipa::path(
    get, path = "/v1/platforms/{id}/blueprint/history/{revision}", operation_id = "getRevision",
    tag = "platforms",
    params(
        ("id" = String, Path, description = "The platform's id"),
        ("revision" = i64, Path, description = "Which one, from 1 on"),
    ),
    responses((
        status = 200,
        content((Blueprint = "application/json"), (String = "application/yaml")),
    ))
)]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Path((id, revision)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response> {
    caller.may(Scope::PlatformsRead)?;
    let owned = owned(&app, &caller, &id).await?;
    let number = revision.parse().map_err(|_| Error::Nothing("revision"))?;
    let mut conn = app.conn().await?;
    let spec = revisions::spec(&mut conn, owned.id, number).await?;
    let spec = spec.ok_or(Error::Nothing("revision"))?;
    Ok(sent(&headers, &PlatformBlueprint::new(owned.name.as_str(), spec)))
}

/// A blueprint as whoever asks reads it: JSON, or the text that `kubectl apply` takes.
pub(super) fn sent(headers: &HeaderMap, it: &PlatformBlueprint) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let is_yaml = accept.is_some_and(|accept| {
        accept.split(',').any(|kind| {
            let kind = kind.split(';').next().unwrap_or_default().trim();
            [YAML, "application/x-yaml", "text/yaml"].contains(&kind)
        })
    });
    let vary = (header::VARY, "accept");
    if !is_yaml {
        return ([vary], Json(Blueprint::of(it))).into_response();
    }
    ([vary, (header::CONTENT_TYPE, YAML)], readable(it)).into_response()
}

/// As a person would write it.
pub fn readable(seen: &PlatformBlueprint) -> String {
    let name = seen.metadata.name.clone().unwrap_or_default();
    blueprint::write(&PlatformBlueprint::new(&name, seen.spec.clone()))
}
