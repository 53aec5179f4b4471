//! A new platform.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use blueprint::{BlueprintName, PlatformBlueprint, entitlement_problems};
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::seen::{Platform, tagged};
use super::{doing, is_it};
use crate::app::App;
use crate::cluster::{self, ClusterError, version};
use crate::db::answers::{self, Before};
use crate::db::audit::{self, Done};
use crate::db::organizations::{self, Organization};
use crate::db::platforms::{self, Owned};
use crate::db::{deletions, operations};
use crate::domain::id::{OperationId, PlatformId};
use crate::domain::operation::Kind;
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::http::caller::Caller;
use crate::http::sent::{SentBlueprint, broken};

/// Makes a platform from a blueprint, as YAML or JSON. Its organization and plan are those of the key.
/// Sent again with the same `Idempotency-Key` it has the same answer, and is done once.
#[utoipa::path(
    post, path = "/v1/platforms", operation_id = "createPlatform", tag = "platforms",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 letters of your choice")),
    request_body(content = String, content_type = "application/yaml"),
    responses((
        status = 201, body = Platform,
        headers(("Location" = String, description = "Where it is"), ("ETag" = String, description = "Of its blueprint")),
    ))
)]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    sent: SentBlueprint,
) -> Result<Response> {
    caller.may(Scope::PlatformsWrite)?;
    let SentBlueprint { blueprint, hash, key } = sent;
    let new = New::read(&app, &caller, blueprint).await?;
    once(&app, &caller, New { once: key.map(|key| (key, hash)), ..new }).await
}

/// Makes it, unless the same request did; what is answered either way.
pub(super) async fn once(app: &App, caller: &Caller, new: New) -> Result<Response> {
    let before = match &new.once {
        None => Before::Nothing,
        Some((key, hash)) => {
            let mut tx = app.begin().await?;
            let before = answers::begin(&mut tx, caller.id(), key, hash, app.now()).await?;
            tx.commit().await?;
            before
        }
    };
    match before {
        Before::Another => return Err(Error::OtherRequest),
        Before::Answered(status, body) => return again(app, status, body).await,
        Before::Nothing | Before::Begun => {}
    }
    let Made { owned, blueprint, operation } = match new.make(app, caller).await {
        Ok(made) => made,
        // Whether it was done is not known: the same request goes on with it.
        Err(error @ (Error::NoCluster(_) | Error::Database(_))) => return Err(error),
        Err(error) => {
            let Some((key, _)) = &new.once else { return Err(error) };
            let mut conn = app.conn().await?;
            answers::forget(&mut conn, caller.id(), key).await?;
            // The same request beside this one may have been done.
            let answered = answers::of(&mut conn, caller.id(), key).await?;
            drop(conn);
            let (status, body) = answered.ok_or(error)?;
            return again(app, status, body).await;
        }
    };
    let body = Platform::of(&owned, Some(&blueprint));
    let mut headers: HeaderMap = tagged(&blueprint);
    headers.extend(doing::followed(operation));
    if let Ok(place) = HeaderValue::from_str(&format!("/v1/platforms/{}", owned.id)) {
        headers.insert(header::LOCATION, place);
    }
    Ok((StatusCode::CREATED, headers, Json(body)).into_response())
}

/// What was answered before.
async fn again(app: &App, status: u16, body: Value) -> Result<Response> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::CREATED);
    let operation = match body["id"].as_str().and_then(|id| id.parse::<PlatformId>().ok()) {
        Some(id) => operations::making(&mut *app.conn().await?, id).await?,
        None => None,
    };
    Ok((status, doing::followed(operation), Json(body)).into_response())
}

/// A platform that was made, and what can be followed until it is ready.
#[derive(Debug)]
pub struct Made {
    /// The platform.
    pub owned: Owned,
    /// As the cluster has it.
    pub blueprint: PlatformBlueprint,
    /// What makes it.
    pub operation: Option<OperationId>,
}

/// A platform that is to be.
#[derive(Debug)]
pub struct New {
    pub(super) name: BlueprintName,
    pub(super) blueprint: PlatformBlueprint,
    pub(super) organization: Organization,
    /// By what the request that asks for it is known again.
    pub(super) once: Option<(String, [u8; 32])>,
    /// After which other one it is made.
    pub(super) of: Option<PlatformId>,
}

impl New {
    /// Of the caller's organization, which pays for all that it asks for.
    ///
    /// # Errors
    /// [`Error::BreaksRules`], the database.
    pub async fn read(
        app: &App,
        caller: &Caller,
        mut blueprint: PlatformBlueprint,
    ) -> Result<Self> {
        let name =
            blueprint.platform_name().map_err(|error| Error::Unreadable(error.to_string()))?;
        let mut conn = app.conn().await?;
        let organization = organizations::get(&mut conn, caller.organization()).await?;
        let organization = organization.ok_or(Error::Nothing("organization"))?;
        belongs_to(&mut blueprint, &organization)?;
        Ok(Self { name, blueprint, organization, once: None, of: None })
    }

    /// Makes it, or finds that it was made.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn make(&self, app: &App, caller: &Caller) -> Result<Made> {
        make(app, caller, self).await
    }

    /// What is to be done, as it can be followed.
    fn operation(&self, app: &App) -> operations::New<'_> {
        let kind = if self.of.is_some() { Kind::Clone } else { Kind::Create };
        let words = doing::words(app, None, &self.blueprint, &self.organization);
        operations::New { kind, wanted: Some(&self.blueprint.spec), words }
    }
}

/// It is this organization's, which pays for what it asks for.
///
/// # Errors
/// [`Error::BreaksRules`]
pub fn belongs_to(blueprint: &mut PlatformBlueprint, organization: &Organization) -> Result<()> {
    let asked = &blueprint.spec.organization;
    if asked.as_ref().is_some_and(|asked| *asked != organization.slug) {
        let instead = format!("{}, or leave it out", organization.slug);
        let what = "is not the organization of this key";
        let problem = blueprint::Problem::new("spec.organization", what, instead);
        return Err(broken(&[problem]));
    }
    blueprint.spec.organization = Some(organization.slug.clone());
    blueprint.spec.plan = Some(organization.plan);
    let problems = entitlement_problems(blueprint, &organization.plan.entitlements());
    if problems.is_empty() { Ok(()) } else { Err(broken(&problems)) }
}

async fn make(app: &App, caller: &Caller, new: &New) -> Result<Made> {
    let New { name, blueprint, organization, once, .. } = new;
    let owned = take_name(app, caller, new).await?;
    let _place = app.place().await?;
    let mut tx = app.begin().await?;
    platforms::lock(&mut tx, owned.id).await?;
    // A request beside this one was refused, and gave the name up.
    let is_ours = platforms::get(&mut tx, organization.id, owned.id).await?.is_some();
    if !is_ours {
        return Err(Error::NameTaken(name.to_string()));
    }
    if deletions::of(&mut tx, owned.id).await?.is_some() {
        return Err(Error::IsDeleted(owned.id));
    }
    let operation = if let Some(begun) = operations::making(&mut tx, owned.id).await? {
        begun
    } else {
        // What was begun before was given up.
        let begun = (caller.actor(), new.operation(app));
        operations::begin(&mut tx, &owned, begun, app.now()).await?
    };
    let wanted = (&*owned.id.to_string(), cluster::Made::New);
    let made = app.cluster().create(name, wanted, &blueprint.spec).await;
    let made = match made {
        Ok(made) => made,
        Err(error @ ClusterError::Unavailable(_)) => return Err(error.into()),
        Err(error) => {
            let there = app.cluster().get(name).await?;
            if !there.as_ref().is_some_and(|there| is_it(&owned, there)) {
                refuse(&mut tx, caller, &owned, &error, app.now()).await?;
                let why = Error::from(error.clone()).detail();
                operations::failed(&mut tx, operation, &why, app.now()).await?;
                tx.commit().await?;
            }
            // Somebody's, who made it by other means, or another request's.
            let is_taken = error == ClusterError::Taken;
            return Err(if is_taken { Error::NameTaken(name.to_string()) } else { error.into() });
        }
    };
    doing::taken(&mut tx, (owned.id, operation), &made, app.now()).await?;
    if let Some((key, hash)) = once {
        let answer = (StatusCode::CREATED.as_u16(), &json!(Platform::of(&owned, Some(&made))));
        answers::finish(&mut tx, caller.id(), (key, hash), answer, app.now()).await?;
    }
    tx.commit().await?;
    confirm(app, &made, organization).await;
    Ok(Made { owned, blueprint: made, operation: Some(operation) })
}

/// Says whose it is, and what that gives. Where this is lost, the keeper of accounts does it.
pub(super) async fn confirm(app: &App, made: &PlatformBlueprint, organization: &Organization) {
    let (Some(version), Ok(name)) = (version(made), made.platform_name()) else { return };
    if let Err(error) = app.cluster().confirm(&name, version.uid, &organization.account()).await {
        tracing::warn!(%name, %error, "not confirmed yet");
    }
}

/// The name becomes the organization's, unless it is somebody's. One that it took before and for
/// which nothing was made is taken up again.
async fn take_name(app: &App, caller: &Caller, wanted: &New) -> Result<Owned> {
    let New { name, organization, of, .. } = wanted;
    let (mut tx, now) = (app.begin().await?, app.now());
    let new = Owned {
        id: PlatformId(Uuid::now_v7()),
        name: name.clone(),
        organization: organization.id,
        created_at: now,
        found: None,
    };
    if platforms::take(&mut tx, &new).await? {
        let done = Done {
            organization: organization.id,
            actor: caller.actor(),
            action: "platform.create",
            target: &new.id.to_string(),
            detail: match of {
                Some(of) => json!({"name": name, "of": of}),
                None => json!({"name": name}),
            },
        };
        audit::write(&mut tx, done, now).await?;
        operations::begin(&mut tx, &new, (caller.actor(), wanted.operation(app)), now).await?;
        tx.commit().await?;
        return Ok(new);
    }
    let there = platforms::by_name(&mut tx, name).await?;
    drop(tx);
    let taken = || Error::NameTaken(name.to_string());
    // What was found is there by other means, or was until just now.
    let is_own = |there: &Owned| there.organization == organization.id && there.found.is_none();
    let own = there.filter(is_own).ok_or_else(taken)?;
    match app.cluster().get(name).await? {
        None => Ok(own),
        // The answer was lost, or it is another request: whoever makes it compares what is wanted.
        Some(made) if is_it(&own, &made) => Ok(own),
        Some(_) => Err(taken()),
    }
}

/// It will not be made: the name is free again.
async fn refuse(
    conn: &mut PgConnection,
    caller: &Caller,
    owned: &Owned,
    why: &ClusterError,
    now: Timestamp,
) -> sqlx::Result<()> {
    platforms::let_go(&mut *conn, owned.id, now).await?;
    let done = Done {
        organization: owned.organization,
        actor: caller.actor(),
        action: "platform.create.refused",
        target: &owned.id.to_string(),
        detail: json!({"name": owned.name, "why": why.to_string()}),
    };
    audit::write(conn, done, now).await.map(drop)
}
