//! A platform is changed, stopped, taken up again and deleted.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use blueprint::{PlatformBlueprint, changes};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use uuid::Uuid;

use super::claim::{is_own, is_written_here};
use super::create::{belongs_to, confirm};
use super::doing::{self, Changed, Doing, followed, words};
use super::seen::{Blueprint, Platform, named, tagged};
use super::{owned, seen_of};
use crate::app::App;
use crate::cluster::{Made, Version, is_going, version};
use crate::db::audit::{self, Done};
use crate::db::operations::{self, New, Words};
use crate::db::platforms::{self, Owned};
use crate::db::{deletions, organizations};
use crate::domain::breaker;
use crate::domain::id::OperationId;
use crate::domain::operation::Kind;
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
        headers(
            ("ETag" = String, description = "Which state of it this is"),
            ("Link" = String, description = "The operation, as `monitor`"),
        ),
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
    let mut headers = tagged(&changed.blueprint);
    headers.extend(followed(changed.operation));
    Ok((headers, Json(Blueprint::of(&changed.blueprint))))
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
) -> Result<Changed> {
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
    is_written_here(owned, &there, &wanted)?;
    let fields: Vec<_> = changes(&there, &wanted).iter().map(|it| it.path.clone()).collect();
    let words = words(app, Some(&there), &wanted, &organization);
    let new = New { kind: Kind::Change, wanted: Some(&wanted.spec), words };
    let doing = Doing::begin(app, caller, owned, (new, json!({"fields": fields}))).await?;
    let changed = app.cluster().change(&owned.name, seen, &wanted.spec).await;
    doing.came_to(changed.map_err(Error::from)).await
}

/// Stops a platform: it answers with a notice, and keeps its data.
#[utoipa::path(
    post, path = "/v1/platforms/{id}/suspend", operation_id = "suspendPlatform", tag = "platforms",
    params(("id" = String, Path, description = "The platform's id")),
    responses((
        status = 200, body = Platform,
        headers(("Link" = String, description = "The operation, as `monitor`")),
    ))
)]
pub async fn suspend(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    _: Key,
) -> Result<(HeaderMap, Json<Platform>)> {
    let owned = owned(&app, &caller, &id).await?;
    let changed = set_suspended(&app, &caller, &owned, true).await?;
    let body = Platform::of(&owned, Some(&changed.blueprint));
    Ok((followed(changed.operation), Json(body)))
}

/// Takes a platform up again that was stopped.
#[utoipa::path(
    post, path = "/v1/platforms/{id}/resume", operation_id = "resumePlatform", tag = "platforms",
    params(("id" = String, Path, description = "The platform's id")),
    responses((
        status = 200, body = Platform,
        headers(("Link" = String, description = "The operation, as `monitor`")),
    ))
)]
pub async fn resume(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    _: Key,
) -> Result<(HeaderMap, Json<Platform>)> {
    let owned = owned(&app, &caller, &id).await?;
    let changed = set_suspended(&app, &caller, &owned, false).await?;
    let body = Platform::of(&owned, Some(&changed.blueprint));
    Ok((followed(changed.operation), Json(body)))
}

/// Stops a platform at once. Its data is kept for 30 days, in which it can be brought back with all that it
/// had. No more than five in a hundred of an organization's platforms, or three, can be deleted in an hour.
#[utoipa::path(
    delete, path = "/v1/platforms/{id}", operation_id = "deletePlatform", tag = "platforms",
    params(("id" = String, Path, description = "The platform's id"), Named),
    responses((
        status = 202, body = Platform,
        headers(("Link" = String, description = "The operation, as `monitor`")),
    ))
)]
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(Named { name }): Query<Named>,
    _: Key,
) -> Result<(StatusCode, HeaderMap, Json<Platform>)> {
    let owned = owned(&app, &caller, &id).await?;
    let (seen, operation) = remove(&app, &caller, &owned, &name).await?;
    let body = Platform::of(&owned, seen.as_ref()).or_deleted(true);
    Ok((StatusCode::ACCEPTED, followed(operation), Json(body)))
}

/// Brings back a platform that was deleted, as it was, with its data.
#[utoipa::path(
    post, path = "/v1/platforms/{id}/undelete", operation_id = "undeletePlatform", tag = "platforms",
    params(("id" = String, Path, description = "The platform's id")),
    responses((
        status = 200, body = Platform,
        headers(("Link" = String, description = "The operation, as `monitor`")),
    ))
)]
pub async fn undelete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    _: Key,
) -> Result<(HeaderMap, Json<Platform>)> {
    let owned = owned(&app, &caller, &id).await?;
    let back = bring_back(&app, &caller, &owned).await?;
    let body = Platform::of(&owned, Some(&back.blueprint));
    Ok((followed(back.operation), Json(body)))
}

/// Deletes a platform that is called so; how it is then, if it is still there, and what can be followed.
///
/// # Errors
/// [`Error`]
pub async fn remove(
    app: &App,
    caller: &Caller,
    owned: &Owned,
    name: &str,
) -> Result<(Option<PlatformBlueprint>, Option<OperationId>)> {
    caller.may(Scope::PlatformsWrite)?;
    if name != owned.name.as_str() {
        return Err(Error::Unreadable(format!("name: this platform is called {}", owned.name)));
    }
    for _ in 0..TRIES {
        let Some(begun) = begin_deletion(app, caller, owned).await? else {
            return Ok((seen_of(app, owned).await?, None));
        };
        match end_deletion(app, owned, &begun).await {
            // What it was is written down anew: nothing of that change may be lost.
            Err(Error::Changed) => {}
            Err(error) => return Err(error),
            Ok(()) => return Ok((seen_of(app, owned).await?, Some(begun.operation))),
        }
    }
    Err(Error::Changed)
}

/// A deletion that is written down, and not done yet.
struct Begun {
    deletion: Uuid,
    operation: OperationId,
    /// As it was then.
    there: PlatformBlueprint,
    seen: Version,
}

/// Writes down that it is deleted and what it was, unless too many are; `None`, where it is gone already.
async fn begin_deletion(app: &App, caller: &Caller, owned: &Owned) -> Result<Option<Begun>> {
    let _place = app.place().await?;
    let (mut tx, now) = (app.begin().await?, app.now());
    platforms::lock(&mut tx, owned.id).await?;
    // What is not there was deleted before, or has not been made.
    let there = seen_of(app, owned).await?.filter(|there| !is_going(there));
    let Some(there) = there else { return Ok(None) };
    is_own(owned, &there)?;
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
    let words = Words { summary: "It is deleted; its data is kept.".into(), changes: Vec::new() };
    let new = New { kind: Kind::Delete, wanted: None, words };
    let operation = operations::begin(&mut tx, owned, (caller.actor(), new), now).await?;
    tx.commit().await?;
    Ok(Some(Begun { deletion, operation, there, seen }))
}

/// Has it stopped as it was seen, unless somebody brought it back since.
async fn end_deletion(app: &App, owned: &Owned, begun: &Begun) -> Result<()> {
    let _place = app.place().await?;
    let mut tx = app.begin().await?;
    platforms::lock(&mut tx, owned.id).await?;
    let open = deletions::of(&mut tx, owned.id).await?;
    if open.is_some_and(|open| open.id == begun.deletion) {
        app.cluster().delete(&owned.name, begun.seen).await?;
        doing::taken(&mut tx, (owned.id, begun.operation), &begun.there, app.now()).await?;
    }
    Ok(tx.commit().await?)
}

/// Brings back what was deleted. What is there already is as good as brought back.
///
/// # Errors
/// [`Error`]
pub async fn bring_back(app: &App, caller: &Caller, owned: &Owned) -> Result<Changed> {
    caller.may(Scope::PlatformsWrite)?;
    if owned.found.is_some() {
        return Err(Error::Nothing("deletion of this platform"));
    }
    let deletion = {
        let mut conn = app.conn().await?;
        deletions::of(&mut conn, owned.id).await?
    };
    let begun = match &deletion {
        Some(deletion) if seen_of(app, owned).await?.is_none() => {
            let words = Words { summary: "It is brought back.".into(), changes: Vec::new() };
            let new = New { kind: Kind::Undelete, wanted: Some(&deletion.spec), words };
            Some(Doing::begin(app, caller, owned, (new, json!({"name": owned.name}))).await?)
        }
        _ => None,
    };
    let operation = begun.as_ref().map(|begun| begun.id);
    match (brought_back(app, owned, operation).await, begun) {
        (Ok(blueprint), _) => Ok(Changed { blueprint, operation }),
        (Err(error), Some(begun)) => begun.came_to(Err(error)).await,
        (Err(error), None) => Err(error),
    }
}

async fn brought_back(
    app: &App,
    owned: &Owned,
    operation: Option<OperationId>,
) -> Result<PlatformBlueprint> {
    let _place = app.place().await?;
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
    if let Some(operation) = operation {
        doing::taken(&mut tx, (owned.id, operation), &back, app.now()).await?;
    }
    tx.commit().await?;
    confirm(app, &back, &organization).await;
    Ok(back)
}

/// Stops a platform, or takes it up again.
///
/// # Errors
/// [`Error`]
pub async fn set_suspended(app: &App, caller: &Caller, owned: &Owned, is: bool) -> Result<Changed> {
    caller.may(Scope::PlatformsWrite)?;
    let there = seen_of(app, owned).await?.ok_or(Error::Nothing("blueprint"))?;
    let wanted = suspended(owned, &there, is)?;
    let kind = if is { Kind::Suspend } else { Kind::Resume };
    let summary = if is { "The platform stops." } else { "The platform is taken up again." };
    let words = Words { summary: summary.to_owned(), changes: Vec::new() };
    let new = New { kind, wanted: Some(&wanted.spec), words };
    let doing = Doing::begin(app, caller, owned, (new, json!({}))).await?;
    let mut set = Err(Error::Changed);
    for _ in 0..TRIES {
        set = set_so(app, owned, is).await;
        if !matches!(set, Err(Error::Changed)) {
            break;
        }
    }
    doing.came_to(set).await
}

/// As it stands just now, but stopped or not.
fn suspended(owned: &Owned, there: &PlatformBlueprint, is: bool) -> Result<PlatformBlueprint> {
    if is_going(there) {
        return Err(Error::IsDeleted(owned.id));
    }
    let mut wanted = there.clone();
    wanted.spec.suspended = is;
    is_written_here(owned, there, &wanted)?;
    Ok(wanted)
}

async fn set_so(app: &App, owned: &Owned, is: bool) -> Result<PlatformBlueprint> {
    let there = seen_of(app, owned).await?.ok_or(Error::Nothing("blueprint"))?;
    let wanted = suspended(owned, &there, is)?;
    let seen = version(&wanted).ok_or(Error::Nothing("blueprint"))?;
    Ok(app.cluster().change(&owned.name, seen, &wanted.spec).await?)
}
