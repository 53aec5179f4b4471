//! Who writes a platform's blueprint: what somebody made by other means is claimed, and handed back.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use blueprint::{PlatformBlueprint, changes};
use serde_json::json;

use super::create::{belongs_to, confirm};
use super::doing::{Changed, Doing, followed, lines};
use super::seen::{Platform, named, tagged};
use super::{owned, seen_of};
use crate::app::App;
use crate::cluster::{self, CONTROL_PLANE, Version, Writer, is_going, uid, version};
use crate::db::operations::{New, Words};
use crate::db::platforms::Owned;
use crate::db::{found, organizations};
use crate::domain::operation::Kind;
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::http::caller::Caller;
use crate::http::sent::Key;

/// So often it is tried to hand over what somebody changes meanwhile.
const TRIES: usize = 5;

/// Has a platform that was made by other means, and names the organization, be the organization's, and its
/// blueprint be written here from now on. It stays as it is. `If-Match` names the state that was seen.
#[utoipa::path(
    post, path = "/v1/platforms/{id}/claim", operation_id = "claimPlatform", tag = "platforms",
    params(
        ("id" = String, Path, description = "The platform's id"),
        ("If-Match" = String, Header, description = "The `ETag` that the blueprint came with"),
    ),
    responses((
        status = 200, body = Platform,
        headers(("Link" = String, description = "The operation, as `monitor`")),
    ))
)]
pub async fn claim(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    _: Key,
) -> Result<(HeaderMap, Json<Platform>)> {
    caller.may(Scope::PlatformsWrite)?;
    let owned = owned(&app, &caller, &id).await?;
    let changed = take(&app, &caller, &owned, named(&headers)?).await?;
    Ok(answer(&Owned { found: None, ..owned }, &changed))
}

/// Hands a platform's blueprint to whoever has it in files: it is changed there from now on, and no more
/// here. The platform stays the organization's.
#[utoipa::path(
    post, path = "/v1/platforms/{id}/release", operation_id = "releasePlatform", tag = "platforms",
    params(("id" = String, Path, description = "The platform's id")),
    responses((
        status = 200, body = Platform,
        headers(("Link" = String, description = "The operation, as `monitor`")),
    ))
)]
pub async fn release(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    _: Key,
) -> Result<(HeaderMap, Json<Platform>)> {
    caller.may(Scope::PlatformsWrite)?;
    let owned = owned(&app, &caller, &id).await?;
    let changed = give(&app, &caller, &owned).await?;
    Ok(answer(&owned, &changed))
}

/// Has the operator try at once what did not come about so far, and look at the platform's names again.
#[utoipa::path(
    post, path = "/v1/platforms/{id}/retry", operation_id = "retryPlatform", tag = "platforms",
    params(("id" = String, Path, description = "The platform's id")),
    responses((
        status = 202, body = Platform,
        headers(("Link" = String, description = "The operation, as `monitor`")),
    ))
)]
pub async fn retry(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    _: Key,
) -> Result<(axum::http::StatusCode, HeaderMap, Json<Platform>)> {
    caller.may(Scope::PlatformsWrite)?;
    let owned = owned(&app, &caller, &id).await?;
    let changed = try_again(&app, &caller, &owned).await?;
    let (headers, body) = answer(&owned, &changed);
    Ok((axum::http::StatusCode::ACCEPTED, headers, body))
}

fn answer(owned: &Owned, changed: &Changed) -> (HeaderMap, Json<Platform>) {
    let mut headers = tagged(&changed.blueprint);
    headers.extend(followed(changed.operation));
    (headers, Json(Platform::of(owned, Some(&changed.blueprint))))
}

/// Claims it as it was seen.
///
/// # Errors
/// [`Error`]
pub async fn take(app: &App, caller: &Caller, owned: &Owned, seen: Version) -> Result<Changed> {
    caller.may(Scope::PlatformsWrite)?;
    let organization = {
        let mut conn = app.conn().await?;
        organizations::get(&mut conn, owned.organization).await?
    };
    let organization = organization.ok_or(Error::Nothing("organization"))?;
    let there = standing(app, owned).await?;
    let is_ours = owned.found.is_none() && cluster::writer(&there) == CONTROL_PLANE;
    if is_ours && uid(&there) == Some(seen.uid) {
        return Ok(Changed { blueprint: there, operation: None });
    }
    if version(&there) != Some(seen) {
        return Err(Error::Changed);
    }
    let names = there.spec.organization.as_ref();
    if owned.found.is_some() && names != Some(&organization.slug) {
        return Err(Error::Nothing("blueprint"));
    }
    // What it pays for is asked of what is there as of what is new.
    belongs_to(&mut there.clone(), &organization)?;
    let summary = format!("What {} wrote was claimed.", cluster::writer(&there));
    let words = Words { summary, changes: Vec::new() };
    let new = New { kind: Kind::Claim, wanted: None, words };
    let detail = json!({"name": owned.name, "from": cluster::writer(&there)});
    let doing = Doing::begin(app, caller, owned, (new, detail)).await?;
    let to = (&*owned.id.to_string(), Writer::ControlPlane);
    let handed = app.cluster().hand_over(&owned.name, seen, to).await;
    if handed.is_ok() {
        found::claim(&mut *app.conn().await?, owned.id, app.now()).await?;
    }
    let changed = doing.came_to(handed.map_err(Error::from)).await?;
    confirm(app, &changed.blueprint, &organization).await;
    Ok(changed)
}

/// Hands it to whoever has it in files.
///
/// # Errors
/// [`Error`]
pub async fn give(app: &App, caller: &Caller, owned: &Owned) -> Result<Changed> {
    caller.may(Scope::PlatformsWrite)?;
    let there = standing(app, owned).await?;
    is_own(owned, &there)?;
    if cluster::writer(&there) != CONTROL_PLANE {
        return Ok(Changed { blueprint: there, operation: None });
    }
    let words = Words { summary: "It is written elsewhere from now on.".into(), changes: vec![] };
    let new = New { kind: Kind::Release, wanted: None, words };
    let doing = Doing::begin(app, caller, owned, (new, json!({"name": owned.name}))).await?;
    let mut given = Err(Error::Changed);
    for _ in 0..TRIES {
        given = hand_back(app, owned).await;
        if !matches!(given, Err(Error::Changed)) {
            break;
        }
    }
    doing.came_to(given).await
}

/// Hands it over as it stands just now.
async fn hand_back(app: &App, owned: &Owned) -> Result<PlatformBlueprint> {
    let seen = version(&standing(app, owned).await?).ok_or(Error::Nothing("blueprint"))?;
    let to = (&*owned.id.to_string(), Writer::Kubectl);
    Ok(app.cluster().hand_over(&owned.name, seen, to).await?)
}

/// Has it tried again.
///
/// # Errors
/// [`Error`]
pub async fn try_again(app: &App, caller: &Caller, owned: &Owned) -> Result<Changed> {
    caller.may(Scope::PlatformsWrite)?;
    let there = standing(app, owned).await?;
    is_own(owned, &there)?;
    let which = uid(&there).ok_or(Error::Nothing("blueprint"))?;
    let words = Words { summary: "It is tried again at once.".into(), changes: Vec::new() };
    let new = New { kind: Kind::Retry, wanted: None, words };
    let doing = Doing::begin(app, caller, owned, (new, json!({"name": owned.name}))).await?;
    let nudged = app.cluster().nudge(&owned.name, which, app.now()).await;
    doing.came_to(nudged.map_err(Error::from)).await
}

/// How it is, where it is there and stays.
async fn standing(app: &App, owned: &Owned) -> Result<PlatformBlueprint> {
    let there = seen_of(app, owned).await?.ok_or(Error::Nothing("blueprint"))?;
    match is_going(&there) {
        true if owned.found.is_some() => Err(Error::Nothing("blueprint")),
        true => Err(Error::IsDeleted(owned.id)),
        false => Ok(there),
    }
}

/// Nothing, where it is the organization's: to what was found, and not claimed, nothing is done.
pub(super) fn is_own(owned: &Owned, there: &PlatformBlueprint) -> Result<()> {
    if owned.found.is_none() { Ok(()) } else { Err(elsewhere(owned, there, None)) }
}

/// Nothing, where its blueprint is written here, or says that already.
///
/// # Errors
/// [`Error::WrittenElsewhere`]
pub fn is_written_here(
    owned: &Owned,
    there: &PlatformBlueprint,
    wanted: &PlatformBlueprint,
) -> Result<()> {
    let is_here = cluster::writer(there) == CONTROL_PLANE && owned.found.is_none();
    let is_so = there.spec == wanted.spec && owned.found.is_none();
    if is_here || is_so { Ok(()) } else { Err(elsewhere(owned, there, Some(wanted))) }
}

fn elsewhere(
    owned: &Owned,
    there: &PlatformBlueprint,
    wanted: Option<&PlatformBlueprint>,
) -> Error {
    let differs = wanted.map_or_else(Vec::new, |wanted| changes(there, wanted));
    let of_spec = differs.iter().filter(|it| it.path.starts_with("spec"));
    Error::WrittenElsewhere {
        platform: owned.id,
        who: cluster::writer(there).to_owned(),
        changes: lines(of_spec.map(ToString::to_string)),
    }
}
