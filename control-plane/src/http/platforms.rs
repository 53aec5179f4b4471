//! Platforms: made, looked at, changed, stopped and deleted.
//!
//! Who owns one is in the database, what it is to be in the cluster. A name is taken before its
//! blueprint is made, so that it is nobody else's whatever happens in between; whoever was cut off
//! asks again, and it goes on where it was.

pub mod admin_link;
pub mod claim;
pub mod copy;
pub mod create;
pub mod doing;
pub mod edit;
pub mod events;
pub mod history;
mod seen;

use std::collections::HashSet;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use blueprint::PlatformBlueprint;
use serde::Deserialize;
use sqlx::PgConnection;
use utoipa::IntoParams;

pub use seen::{Blueprint, Condition, DELETED, Platform};

use crate::app::App;
use crate::cluster::{is_of, uid};
use crate::db::deletions;
use crate::db::platforms::{self, Owned};
use crate::domain::id::PlatformId;
use crate::domain::page::{Page, Wanted};
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::http::caller::Caller;

/// Which platforms are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Listing {
    /// `next` of the page before; left out: the first one.
    after: Option<String>,
    /// Entries at most, from 1 to 100; left out: 50.
    limit: Option<u16>,
    /// The one that is called so, or none.
    name: Option<String>,
}

/// The platforms of the organization, by name: those that were made by other means and name it, too.
#[utoipa::path(
    get, path = "/v1/platforms", operation_id = "listPlatforms", tag = "platforms", params(Listing),
    responses((status = 200, body = Page<Platform>))
)]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(Listing { after, limit, name }): Query<Listing>,
) -> Result<Json<Page<Platform>>> {
    caller.may(Scope::PlatformsRead)?;
    let (after, limit) = Wanted { after, limit }.read()?;
    let organization = caller.organization();
    let mut conn = app.conn().await?;
    let owned = match name {
        None => platforms::list(&mut conn, organization, after.as_deref(), limit + 1).await?,
        // What can be nobody's name is none's.
        Some(name) => match name.parse() {
            Ok(name) => platforms::by_name(&mut conn, &name)
                .await?
                .filter(|found| found.organization == organization)
                .into_iter()
                .collect(),
            Err(_) => Vec::new(),
        },
    };
    let items = told(&app, &mut conn, owned).await?;
    Ok(Json(Page::of(items, limit, |platform| platform.name.clone())))
}

/// A platform, and how it stands.
#[utoipa::path(
    get, path = "/v1/platforms/{id}", operation_id = "getPlatform", tag = "platforms",
    params(("id" = String, Path, description = "The platform's id")),
    responses((status = 200, body = Platform))
)]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Platform>> {
    caller.may(Scope::PlatformsRead)?;
    let owned = owned(&app, &caller, &id).await?;
    let (seen, is_deleted) = stands(&app, &owned).await?;
    Ok(Json(Platform::of(&owned, seen.as_ref()).or_deleted(is_deleted)))
}

/// A platform's blueprint. Its `ETag` is what a change of it names as `If-Match`. With `Accept:
/// application/yaml` it is the text that `kubectl apply` takes.
#[utoipa::path(
    get, path = "/v1/platforms/{id}/blueprint", operation_id = "getBlueprint", tag = "platforms",
    params(("id" = String, Path, description = "The platform's id")),
    responses((
        status = 200,
        content((Blueprint = "application/json"), (String = "application/yaml")),
        headers(("ETag" = String, description = "Which state of it this is")),
    ))
)]
pub async fn blueprint(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    caller.may(Scope::PlatformsRead)?;
    let owned = owned(&app, &caller, &id).await?;
    let seen = seen_of(&app, &owned).await?.ok_or(Error::Nothing("blueprint"))?;
    Ok((seen::tagged(&seen), history::sent(&headers, &seen)).into_response())
}

/// How a platform is in the cluster, and where it is not there, whether it was deleted.
async fn stands(app: &App, owned: &Owned) -> Result<(Option<PlatformBlueprint>, bool)> {
    // What is neither may have come back between the two looks; looked at again, it is on its way.
    for _ in 0..2 {
        let seen = seen_of(app, owned).await?;
        if seen.is_some() {
            return Ok((seen, false));
        }
        let mut conn = app.conn().await?;
        if deletions::of(&mut conn, owned.id).await?.is_some() {
            return Ok((None, true));
        }
    }
    Ok((None, false))
}

/// Whether what is in the cluster is this platform: it was made for it, or it was found.
pub fn is_it(owned: &Owned, there: &PlatformBlueprint) -> bool {
    is_of(there, &owned.id.to_string()) || (owned.found.is_some() && owned.found == uid(there))
}

/// How a platform is in the cluster; nothing, where what has its name there was made by other means.
///
/// # Errors
/// [`Error::NoCluster`]
pub async fn seen_of(app: &App, owned: &Owned) -> Result<Option<PlatformBlueprint>> {
    let there = app.cluster().get(&owned.name).await?;
    Ok(there.filter(|there| is_it(owned, there)))
}

/// Of a list how each was seen last.
///
/// # Errors
/// The database.
pub async fn told(app: &App, conn: &mut PgConnection, owned: Vec<Owned>) -> Result<Vec<Platform>> {
    let names: Vec<_> = owned.iter().map(|owned| owned.name.clone()).collect();
    let seen: Vec<_> = app
        .cluster()
        .seen(&names)
        .into_iter()
        .zip(&owned)
        .map(|(seen, owned)| seen.filter(|seen| is_it(owned, seen)))
        .collect();
    let missing = owned.iter().zip(&seen).filter(|(_, seen)| seen.is_none());
    let missing: Vec<PlatformId> = missing.map(|(owned, _)| owned.id).collect();
    let deleted =
        if missing.is_empty() { HashSet::new() } else { deletions::among(conn, &missing).await? };
    let told = owned.into_iter().zip(seen).map(|(owned, seen)| {
        Platform::of(&owned, seen.as_ref()).or_deleted(deleted.contains(&owned.id))
    });
    Ok(told.collect())
}

/// One of the caller's organization; of others it is said that there is none.
pub(super) async fn owned(app: &App, caller: &Caller, id: &str) -> Result<Owned> {
    let id: PlatformId = id.parse().map_err(|_| Error::Nothing("platform"))?;
    let mut conn = app.conn().await?;
    let found = platforms::get(&mut conn, caller.organization(), id).await?;
    found.ok_or(Error::Nothing("platform"))
}
