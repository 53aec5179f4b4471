//! Invitations into an organization.

use accounts::{Email, Token};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::db::audit::{self, Done};
use crate::db::{invitations, members, organizations};
use crate::domain::id::{InvitationId, OrganizationId};
use crate::domain::page::{Page, Wanted};
use crate::domain::role::Role;
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::http::caller::Caller;
use crate::http::sent::{Key as Idempotency, Sent};

/// So many can be open at once: all of them are on one page.
const OPEN: i64 = 100;
/// A link is good for so long.
const GOOD: SignedDuration = SignedDuration::from_hours(7 * 24);

/// An invitation that was not accepted yet.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Invitation {
    /// Its id.
    pub id: String,
    /// For whom.
    pub email: String,
    /// What they will be.
    pub role: Role,
    /// The id of the person or key that made it, or whoever runs the control plane.
    pub made_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Until then it can be accepted.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// An invitation that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewInvitation {
    #[serde(flatten)]
    known: Invitation,
    /// The link, for whom it is for and nobody else. It is shown here and never again.
    pub url: String,
}

/// Whom to invite.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedInvitation {
    /// Their e-mail address.
    pub email: String,
    /// What they will be: owner, admin, developer, billing or viewer.
    pub role: Role,
}

impl From<invitations::Invitation> for Invitation {
    fn from(known: invitations::Invitation) -> Self {
        Self {
            id: known.id.to_string(),
            email: known.email,
            role: known.role,
            made_by: known.made_by,
            created_at: known.created_at,
            expires_at: known.expires_at,
        }
    }
}

/// The invitations that can be accepted.
#[utoipa::path(
    get, path = "/v1/invitations", operation_id = "listInvitations", tag = "members",
    params(Wanted), responses((status = 200, body = Page<Invitation>))
)]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Page<Invitation>>> {
    caller.may(Scope::MembersRead)?;
    let (after, limit) = wanted.read()?;
    let after = after.map(|after| after.parse::<InvitationId>()).transpose();
    let after = after.map_err(|error| Error::Unreadable(error.to_string()))?;
    let (mut conn, organization) = (app.conn().await?, caller.organization());
    let found = invitations::list(&mut conn, organization, (after, limit + 1), app.now()).await?;
    let items = found.into_iter().map(Invitation::from).collect();
    Ok(Json(Page::of(items, limit, |invitation| invitation.id.clone())))
}

/// Invites somebody. The link is shown once; another one for the same address takes its place.
#[utoipa::path(
    post, path = "/v1/invitations", operation_id = "createInvitation", tag = "members",
    request_body = WantedInvitation, responses((status = 201, body = NewInvitation))
)]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    sent: Sent<WantedInvitation>,
) -> Result<(StatusCode, Json<NewInvitation>)> {
    if sent.key.is_some() {
        return Err(Error::Unreadable(
            "a link is shown once, so no answer is kept: leave out Idempotency-Key".to_owned(),
        ));
    }
    let made = invite(&app, &caller, &sent.value).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Takes an invitation back. One that was taken back before is no error.
#[utoipa::path(
    delete, path = "/v1/invitations/{id}", operation_id = "revokeInvitation", tag = "members",
    params(("id" = String, Path, description = "The invitation's id")),
    responses((status = 204))
)]
pub async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    _: Idempotency,
) -> Result<StatusCode> {
    let id = id.parse().map_err(|_| Error::Nothing("invitation"))?;
    take_back(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Invites somebody.
///
/// # Errors
/// [`Error::NotAllowed`], [`Error::Unreadable`], [`Error::IsMember`], the database.
pub async fn invite(
    app: &App,
    caller: &Caller,
    wanted: &WantedInvitation,
) -> Result<NewInvitation> {
    caller.may(Scope::MembersWrite)?;
    caller.may(wanted.role.needs())?;
    let email: Email = wanted.email.parse().map_err(|problem: accounts::EmailProblem| {
        Error::Unreadable(format!("email: {problem}"))
    })?;
    let (mut tx, organization) = (app.begin().await?, caller.organization());
    organizations::lock(&mut tx, organization).await?;
    if members::has(&mut tx, organization, &email).await? {
        return Err(Error::IsMember);
    }
    if invitations::count(&mut tx, organization, app.now()).await? >= OPEN {
        return Err(Error::Unreadable(format!(
            "{OPEN} invitations are open, and more at once there are not: take some back"
        )));
    }
    if let Some(open) = invitations::open(&mut tx, organization, &email).await? {
        caller.may(open.role.needs())?;
    }
    let to = (organization, email, wanted.role);
    let made = made(&mut tx, app.url(), to, caller.actor(), app.now()).await?;
    tx.commit().await?;
    Ok(made)
}

/// Makes an invitation into an organization, and writes down that it was made. One that is open for
/// the same person is none any more.
///
/// # Errors
/// The database.
pub async fn made(
    conn: &mut PgConnection,
    url: &url::Url,
    (organization, email, role): (OrganizationId, Email, Role),
    actor: &str,
    now: Timestamp,
) -> sqlx::Result<NewInvitation> {
    if let Some(open) = invitations::open(&mut *conn, organization, &email).await? {
        revoked(&mut *conn, (organization, open.id), actor, now).await?;
    }
    let (token, hash) = Token::random();
    let known = invitations::Invitation {
        id: InvitationId(Uuid::now_v7()),
        organization,
        email: email.to_string(),
        role,
        made_by: actor.to_owned(),
        created_at: now,
        expires_at: now + GOOD,
    };
    invitations::create(conn, &known, &hash).await?;
    let done = Done {
        organization,
        actor,
        action: "invitation.create",
        target: &known.id.to_string(),
        detail: json!({"email": known.email, "role": role}),
    };
    audit::write(conn, done, now).await?;
    let url = format!("{}/join/{}", url.as_str().trim_end_matches('/'), token.expose());
    Ok(NewInvitation { known: known.into(), url })
}

/// Takes an invitation back.
///
/// # Errors
/// [`Error::NotAllowed`], [`Error::Nothing`], the database.
pub async fn take_back(app: &App, caller: &Caller, id: InvitationId) -> Result<()> {
    caller.may(Scope::MembersWrite)?;
    let (mut tx, now) = (app.begin().await?, app.now());
    let organization = caller.organization();
    let known = invitations::get(&mut tx, organization, id).await?;
    caller.may(known.ok_or(Error::Nothing("invitation"))?.role.needs())?;
    revoked(&mut tx, (organization, id), caller.actor(), now).await?;
    Ok(tx.commit().await?)
}

async fn revoked(
    conn: &mut PgConnection,
    (organization, id): (OrganizationId, InvitationId),
    actor: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    if let Some(known) = invitations::revoke(&mut *conn, organization, id, now).await? {
        let done = Done {
            organization,
            actor,
            action: "invitation.revoke",
            target: &id.to_string(),
            detail: json!({"email": known.email}),
        };
        audit::write(conn, done, now).await?;
    }
    Ok(())
}
