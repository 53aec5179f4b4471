//! What was done to platforms, and how far it is.

use axum::Json;
use axum::extract::{Path, Query, State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::db::{operations, platforms};
use crate::domain::id::{OperationId, PlatformId};
use crate::domain::operation::{self, Kind, Look, State as Far};
use crate::domain::page::{NoPage, Page, Wanted};
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::http::caller::Caller;
use crate::http::platforms::is_it;

/// Something that somebody had done to a platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Its id.
    #[schema(value_type = String)]
    pub id: OperationId,
    /// The platform's id.
    #[schema(value_type = String)]
    pub platform: PlatformId,
    /// What is done.
    pub kind: Kind,
    /// How far it is.
    pub state: Far,
    /// The platform's phase, then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// From 0 to 100: of what makes the platform ready, how much holds.
    pub progress: u8,
    /// Why it failed, and what to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// By whom: a person or a key.
    pub by: String,
    /// The blueprint's generation from which on it says so; not there until the cluster took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub begun_at: Timestamp,
    /// Until when.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// What was done to a platform of late, the latest first.
#[utoipa::path(
    get, path = "/v1/platforms/{id}/operations", operation_id = "listOperations", tag = "operations",
    params(("id" = String, Path, description = "The platform's id"), Wanted),
    responses((status = 200, body = Page<Operation>))
)]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Page<Operation>>> {
    caller.may(Scope::PlatformsRead)?;
    let id: PlatformId = id.parse().map_err(|_| Error::Nothing("platform"))?;
    let mut conn = app.conn().await?;
    let owned = platforms::get(&mut conn, caller.organization(), id).await?;
    let owned = owned.ok_or(Error::Nothing("platform"))?;
    let (before, limit) = wanted.read()?;
    let before = before.map(|text| text.parse()).transpose().map_err(|_| NoPage::After)?;
    let read = operations::list(&mut conn, owned.id, before, limit + 1).await?;
    drop(conn);
    let items = read.into_iter().map(|it| told(&app, &owned, it)).collect();
    Ok(Json(Page::of(items, limit, |it: &Operation| it.id.to_string())))
}

/// Something that was done to a platform, and how far it is.
#[utoipa::path(
    get, path = "/v1/operations/{id}", operation_id = "getOperation", tag = "operations",
    params(("id" = String, Path, description = "The operation's id")),
    responses((status = 200, body = Operation))
)]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Operation>> {
    caller.may(Scope::PlatformsRead)?;
    let nothing = || Error::Nothing("operation");
    let id: OperationId = id.parse().map_err(|_| nothing())?;
    let mut conn = app.conn().await?;
    let found = operations::get(&mut conn, caller.organization(), id).await?.ok_or_else(nothing)?;
    let owned = platforms::get(&mut conn, caller.organization(), found.platform).await?;
    drop(conn);
    Ok(Json(match owned {
        Some(owned) => told(&app, &owned, found),
        // Of what is gone for good it is told how it was.
        None => Operation::of(found),
    }))
}

/// As it stands by now, which may not be written down yet.
pub fn told(app: &App, owned: &platforms::Owned, mut it: operation::Operation) -> Operation {
    if it.standing.state == Far::Running && app.cluster().is_known() {
        let seen = app.cluster().seen(std::slice::from_ref(&owned.name)).pop().flatten();
        let seen = seen.filter(|seen| is_it(owned, seen));
        if let Look::Stands(standing) = it.look(seen.as_ref(), app.now()) {
            it.ended_at = (standing.state != Far::Running).then(|| app.now());
            it.standing = standing;
        }
    }
    Operation::of(it)
}

impl Operation {
    fn of(it: operation::Operation) -> Self {
        let operation::Standing { state, phase, progress, error } = it.standing;
        Self {
            id: it.id,
            platform: it.platform,
            kind: it.kind,
            state,
            phase,
            progress,
            error,
            by: it.by,
            generation: it.generation,
            begun_at: it.begun_at,
            ended_at: it.ended_at,
        }
    }
}
