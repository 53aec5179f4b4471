//! A platform is changed, stopped, taken up again and deleted.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use blueprint::{BlueprintSpec, PlatformBlueprint, changes};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;
use uuid::Uuid;

use super::create::{belongs_to, confirm};
use super::seen::{Blueprint, Platform, named, tagged};
use super::{owned, seen_of};
use crate::app::App;
use crate::cluster::{ClusterError, Made, Version, is_going, version};
use crate::db::audit::{self, Done};
use crate::db::platforms::{self, Owned};
use crate::db::{deletions, organizations};
use crate::domain::breaker;
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::http::caller::Caller;
use crate::http::sent::{Key, SentBlueprint};

/// So often it is tried to stop a platform that somebody else changes.
const TRIES: usize = 5;

/// Whoever deletes a platform says how it is called.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Named {
    /// The platform's name, so that no other one is meant.
    name: String,
}

/// Has a platform be as a blueprint says from now on. `If-Match` names the state that was seen. Sent
/// again it changes nothing more.
#[utoipa::path(
    put, path = "/v1/platforms/{id}/blueprint", operation_id = "replaceBlueprint", tag = "platforms",
    params(
        ("id" = String, Path, description = "The platform's id"),
        ("If-Match" = String, Header, description = "The `ETag` that the blueprint came with"),
    ),
    request_body(content = String, content_type = "application/yaml"),
    responses((
        status = 200, body = Blueprint,
        headers(("ETag" = String, description = "Which state of it this is")),
    ))
)]
pub async fn replace(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    sent: SentBlueprint,
) -> Result<(HeaderMap, Json<Blueprint>)> {
    caller.may(Scope::PlatformsWrite)?;
    let owned = owned(&app, &caller, &id).await?;
    let changed = change(&app, &caller, &owned, named(&headers)?, sent.blueprint).await?;
    Ok((tagged(&changed), Json(Blueprint::of(&changed))))
}

/// Has a platform be so from now on.
///
/// # Errors
/// [`Error`]
pub async fn change(
    app: &App,
    caller: &Caller,
    owned: &Owned,
    seen: Version,
    mut wanted: PlatformBlueprint,
) -> Result<PlatformBlueprint> {
    caller.may(Scope::PlatformsWrite)?;
    if wanted.metadata.name.as_deref() != Some(owned.name.as_str()) {
        return Err(Error::Unreadable(format!(
            "metadata.name: this platform is called {}, for ever",
            owned.name
        )));
    }
    let mut conn = app.conn().await?;
    let organization = organizations::get(&mut conn, owned.organization).await?;
    let organization = organization.ok_or(Error::Nothing("organization"))?;
    drop(conn);
    belongs_to(&mut wanted, &organization)?;
    let there = seen_of(app, owned).await?.ok_or(Error::Nothing("blueprint"))?;
    if is_going(&there) {
        return Err(Error::IsDeleted(owned.id));
    }
    let fields: Vec<_> = changes(&there, &wanted).iter().map(|it| it.path.clone()).collect();
    note(app, caller, owned, "platform.change", json!({"fields": fields})).await?;
    Ok(app.cluster().change(&owned.name, seen, &wanted.spec).await?)
}

/// Stops a platform: it answers with a notice, and keeps its data.
#[utoipa::path(
    post, path = "/v1/platforms/{id}/suspend", operation_id = "suspendPlatform", tag = "platforms",
    params(("id" = String, Path, description = "The platform's id")),
    responses((status = 200, body = Platform))
)]
pub async fn suspend(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    _: Key,
) -> Result<Json<Platform>> {
    let owned = owned(&app, &caller, &id).await?;
    let changed = set_suspended(&app, &caller, &owned, true).await?;
    Ok(Json(Platform::of(&owned, Some(&changed))))
}

/// Takes a platform up again that was stopped.
#[utoipa::path(
    post, path = "/v1/platforms/{id}/resume", operation_id = "resumePlatform", tag = "platforms",
    params(("id" = String, Path, description = "The platform's id")),
    responses((status = 200, body = Platform))
)]
pub async fn resume(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    _: Key,
) -> Result<Json<Platform>> {
    let owned = owned(&app, &caller, &id).await?;
    let changed = set_suspended(&app, &caller, &owned, false).await?;
    Ok(Json(Platform::of(&owned, Some(&changed))))
}

/// Stops a platform at once. Its data is kept for 30 days, in which it can be brought back with all that it
/// had. No more than five in a hundred of an organization's platforms, or three, can be deleted in an hour.
#[utoipa::path(
    delete, path = "/v1/platforms/{id}", operation_id = "deletePlatform", tag = "platforms",
    params(("id" = String, Path, description = "The platform's id"), Named),
    responses((status = 202, body = Platform))
)]
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(Named { name }): Query<Named>,
    _: Key,
) -> Result<(StatusCode, Json<Platform>)> {
    let owned = owned(&app, &caller, &id).await?;
    let seen = remove(&app, &caller, &owned, &name).await?;
    Ok((StatusCode::ACCEPTED, Json(Platform::of(&owned, seen.as_ref()).or_deleted(true))))
}

/// Brings back a platform that was deleted, as it was, with its data.
#[utoipa::path(
    post, path = "/v1/platforms/{id}/undelete", operation_id = "undeletePlatform", tag = "platforms",
    params(("id" = String, Path, description = "The platform's id")),
    responses((status = 200, body = Platform))
)]
pub async fn undelete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    _: Key,
) -> Result<Json<Platform>> {
    let owned = owned(&app, &caller, &id).await?;
    let back = bring_back(&app, &caller, &owned).await?;
    Ok(Json(Platform::of(&owned, Some(&back))))
}

/// Deletes a platform that is called so; how it is then, if it is still there.
///
/// # Errors
/// [`Error`]
pub async fn remove(
    app: &App,
    caller: &Caller,
    owned: &Owned,
    name: &str,
) -> Result<Option<PlatformBlueprint>> {
    caller.may(Scope::PlatformsWrite)?;
    if name != owned.name.as_str() {
        return Err(Error::Unreadable(format!("name: this platform is called {}", owned.name)));
    }
    for _ in 0..TRIES {
        let Some((deletion, seen)) = begin_deletion(app, caller, owned).await? else {
            return seen_of(app, owned).await;
        };
        match end_deletion(app, owned, deletion, seen).await {
            // What it was is written down anew: nothing of that change may be lost.
            Err(Error::Changed) => {}
            Err(error) => return Err(error),
            Ok(()) => return seen_of(app, owned).await,
        }
    }
    Err(Error::Changed)
}

/// Writes down that it is deleted and what it was, unless too many are; `None`, where it is gone already.
async fn begin_deletion(
    app: &App,
    caller: &Caller,
    owned: &Owned,
) -> Result<Option<(Uuid, Version)>> {
    let (mut tx, now) = (app.begin().await?, app.now());
    platforms::lock(&mut tx, owned.id).await?;
    // What is not there was deleted before, or has not been made.
    let there = seen_of(app, owned).await?.filter(|there| !is_going(there));
    let Some(there) = there else { return Ok(None) };
    let Some(seen) = version(&there) else { return Ok(None) };
    let deletion = if let Some(begun) = deletions::of(&mut tx, owned.id).await? {
        // It was cut off, or what brought it back was: it may have been changed since.
        deletions::renew(&mut tx, begun.id, &there.spec).await?;
        begun.id
    } else {
        deletions::one_at_a_time(&mut tx).await?;
        let [all, own] = deletions::lately(&mut tx, owned, now).await?;
        let waits = [own.wait(breaker::OF_ONE, now), all.wait(breaker::OF_ALL, now)];
        if let Some(wait) = waits.into_iter().flatten().max() {
            return Err(Error::TooManyDeleted(wait));
        }
        deletions::begin(&mut tx, owned, caller.actor(), &there.spec, now).await?
    };
    let done = Done {
        organization: owned.organization,
        actor: caller.actor(),
        action: "platform.delete",
        target: &owned.id.to_string(),
        detail: json!({"name": owned.name}),
    };
    audit::write(&mut tx, done, now).await?;
    tx.commit().await?;
    Ok(Some((deletion, seen)))
}

/// Has it stopped as it was seen, unless somebody brought it back since.
async fn end_deletion(app: &App, owned: &Owned, deletion: Uuid, seen: Version) -> Result<()> {
    let mut tx = app.begin().await?;
    platforms::lock(&mut tx, owned.id).await?;
    let open = deletions::of(&mut tx, owned.id).await?;
    if open.is_some_and(|open| open.id == deletion) {
        app.cluster().delete(&owned.name, seen).await?;
    }
    Ok(tx.commit().await?)
}

/// Brings back what was deleted. What is there already is as good as brought back.
///
/// # Errors
/// [`Error`]
pub async fn bring_back(app: &App, caller: &Caller, owned: &Owned) -> Result<PlatformBlueprint> {
    caller.may(Scope::PlatformsWrite)?;
    let deletion = {
        let mut conn = app.conn().await?;
        deletions::of(&mut conn, owned.id).await?
    };
    if deletion.is_some() && seen_of(app, owned).await?.is_none() {
        note(app, caller, owned, "platform.undelete", json!({"name": owned.name})).await?;
    }
    let mut tx = app.begin().await?;
    platforms::lock(&mut tx, owned.id).await?;
    let deletion = deletions::of(&mut tx, owned.id).await?;
    let organization = organizations::get(&mut tx, owned.organization).await?;
    let organization = organization.ok_or(Error::Nothing("organization"))?;
    let back = match (seen_of(app, owned).await?, &deletion) {
        (Some(there), _) if is_going(&there) => return Err(Error::StillGoing),
        // The answer was lost.
        (Some(there), _) => there,
        (None, None) => return Err(Error::Nothing("deletion of this platform")),
        (None, Some(deletion)) => {
            let mut back = PlatformBlueprint::new(owned.name.as_str(), deletion.spec.clone());
            belongs_to(&mut back, &organization)?;
            let made = (&*owned.id.to_string(), Made::Again);
            app.cluster().create(&owned.name, made, &back.spec).await?
        }
    };
    if let Some(deletion) = deletion {
        deletions::undo(&mut tx, deletion.id, app.now()).await?;
    }
    tx.commit().await?;
    confirm(app, &back, &organization).await;
    Ok(back)
}

/// Stops a platform, or takes it up again.
///
/// # Errors
/// [`Error`]
pub async fn set_suspended(
    app: &App,
    caller: &Caller,
    owned: &Owned,
    is: bool,
) -> Result<PlatformBlueprint> {
    caller.may(Scope::PlatformsWrite)?;
    let action = if is { "platform.suspend" } else { "platform.resume" };
    note(app, caller, owned, action, json!({})).await?;
    for _ in 0..TRIES {
        let there = seen_of(app, owned).await?.ok_or(Error::Nothing("blueprint"))?;
        if is_going(&there) {
            return Err(Error::IsDeleted(owned.id));
        }
        let seen = version(&there).ok_or(Error::Nothing("blueprint"))?;
        let spec = BlueprintSpec { suspended: is, ..there.spec.clone() };
        match app.cluster().change(&owned.name, seen, &spec).await {
            Ok(changed) => return Ok(changed),
            Err(ClusterError::Changed) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Changed)
}

/// Written down before it is done: of what was cut off, it is known that it was begun.
async fn note(
    app: &App,
    caller: &Caller,
    owned: &Owned,
    action: &str,
    detail: Value,
) -> Result<()> {
    let (mut tx, now) = (app.begin().await?, app.now());
    let (actor, target) = (caller.actor(), owned.id.to_string());
    let organization = owned.organization;
    let done = Done { organization, actor, action, target: &target, detail };
    audit::write(&mut tx, done, now).await?;
    Ok(tx.commit().await?)
}
