//! The people of an organization.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::app::App;
use crate::db::audit::{self, Done};
use crate::db::members::{self, Changed};
use crate::db::{invitations, keys, webhooks};
use crate::domain::id::PersonId;
use crate::domain::page::{Page, Wanted};
use crate::domain::role::Role;
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::http::caller::Caller;
use crate::http::sent::{Key as Idempotency, Sent};

/// A person in the organization.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Their id.
    pub id: String,
    /// As they want to be called.
    pub name: String,
    /// Where they are reached.
    pub email: String,
    /// What they are here.
    pub role: Role,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub added_at: Timestamp,
}

/// What somebody is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedRole {
    /// owner, admin, developer, billing or viewer.
    pub role: Role,
}

impl From<members::Member> for Member {
    fn from(member: members::Member) -> Self {
        Self {
            id: member.person.to_string(),
            name: member.name,
            email: member.email,
            role: member.role,
            added_at: member.added_at,
        }
    }
}

/// The members of the organization.
#[utoipa::path(
    get, path = "/v1/members", operation_id = "listMembers", tag = "members", params(Wanted),
    responses((status = 200, body = Page<Member>))
)]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Page<Member>>> {
    caller.may(Scope::MembersRead)?;
    let (after, limit) = wanted.read()?;
    let after = after.map(|after| after.parse::<PersonId>()).transpose();
    let after = after.map_err(|error| Error::Unreadable(error.to_string()))?;
    let mut conn = app.conn().await?;
    let found = members::list(&mut conn, caller.organization(), after, limit + 1).await?;
    let items = found.into_iter().map(Member::from).collect();
    Ok(Json(Page::of(items, limit, |member| member.id.clone())))
}

/// Says what a member is from now on. There is always an owner, and only owners make and unmake them.
#[utoipa::path(
    put, path = "/v1/members/{id}/role", operation_id = "setMemberRole", tag = "members",
    params(("id" = String, Path, description = "The person's id")), request_body = WantedRole,
    responses((status = 204))
)]
pub async fn set_role(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    sent: Sent<WantedRole>,
) -> Result<StatusCode> {
    let person = id.parse().map_err(|_| Error::Nothing("member"))?;
    change(&app, &caller, person, Some(sent.value.role)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a member out, and takes back their keys and invitations. What else they made stays.
#[utoipa::path(
    delete, path = "/v1/members/{id}", operation_id = "removeMember", tag = "members",
    params(("id" = String, Path, description = "The person's id")),
    responses((status = 204))
)]
pub async fn remove(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    _: Idempotency,
) -> Result<StatusCode> {
    let person = id.parse().map_err(|_| Error::Nothing("member"))?;
    change(&app, &caller, person, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a member this, or none.
///
/// # Errors
/// [`Error::NotAllowed`], [`Error::Nothing`], [`Error::LastOwner`], the database.
pub async fn change(
    app: &App,
    caller: &Caller,
    person: PersonId,
    wanted: Option<Role>,
) -> Result<()> {
    caller.may(Scope::MembersWrite)?;
    if let Some(role) = wanted {
        caller.may(role.needs())?;
    }
    let (mut tx, now) = (app.begin().await?, app.now());
    let organization = caller.organization();
    let changed = match wanted {
        Some(role) => members::set_role(&mut tx, organization, person, role).await?,
        None => members::remove(&mut tx, organization, person).await?,
    };
    let before = match changed {
        Changed::From(before) => before,
        Changed::NoMember => return Err(Error::Nothing("member")),
        // Whoever may not know better learns nothing new: who owns it is no secret to members.
        Changed::LastOwner => {
            caller.may(Scope::OwnersWrite)?;
            return Err(Error::LastOwner);
        }
    };
    caller.may(before.needs())?;
    if wanted != Some(before) {
        // What they handed out lets in nobody any more, themselves above all.
        let (who, may) = (person.to_string(), wanted.map(Role::scopes).unwrap_or_default());
        let invitations = invitations::revoke_of(&mut tx, organization, &who, now).await?;
        let keys = keys::revoke_of(&mut tx, organization, &who, &may, now).await?;
        let webhooks = webhooks::delete_of(&mut tx, organization, &who, &may).await?;
        let done = Done {
            organization,
            actor: caller.actor(),
            action: if wanted.is_some() { "member.role" } else { "member.remove" },
            target: &person.to_string(),
            detail: json!({
                "before": before, "role": wanted,
                "keysTakenBack": keys, "invitationsTakenBack": invitations,
                "webhooksDeleted": webhooks,
            }),
        };
        audit::write(&mut tx, done, now).await?;
    }
    Ok(tx.commit().await?)
}
