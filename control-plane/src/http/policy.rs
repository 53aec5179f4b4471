//! What an organization asks of those who come in.

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;

use crate::app::App;
use crate::db::audit::{self, Done};
use crate::db::{organizations, sign_on};
use crate::domain::policy::{Barred, Policy};
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::http::caller::Caller;
use crate::http::sent::Sent;

/// Says what is asked of those who come in, all of it, from their next request on. What would shut out
/// whoever says it is refused.
#[utoipa::path(
    put, path = "/v1/organization/policy", operation_id = "setPolicy", tag = "organization",
    request_body = Policy, responses((status = 204))
)]
pub async fn set(State(app): State<App>, caller: Caller, sent: Sent<Policy>) -> Result<StatusCode> {
    change(&app, &caller, &sent.value).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Asks this of those who come in.
///
/// # Errors
/// [`Error::NotAllowed`], [`Error::Unreadable`], [`Error::ShutsYouOut`], the database.
pub async fn change(app: &App, caller: &Caller, wanted: &Policy) -> Result<()> {
    caller.may(Scope::PolicyWrite)?;
    wanted.check().map_err(Error::Unreadable)?;
    let (mut tx, organization) = (app.begin().await?, caller.organization());
    organizations::lock(&mut tx, organization).await?;
    let before = organizations::policy(&mut tx, organization).await?;
    wanted.may_follow(&before, caller.entrance(), app.now()).map_err(Error::ShutsYouOut)?;
    let is_new = wanted.single_sign_on_only && !before.single_sign_on_only;
    if is_new && sign_on::get(&mut tx, organization).await?.is_none() {
        return Err(Error::ShutsYouOut(Barred::SingleSignOn));
    }
    if before != *wanted {
        organizations::set_policy(&mut tx, organization, wanted).await?;
        let done = Done {
            organization,
            actor: caller.actor(),
            action: "organization.policy",
            target: &organization.to_string(),
            detail: json!({"before": before, "now": wanted}),
        };
        audit::write(&mut tx, done, app.now()).await?;
    }
    Ok(tx.commit().await?)
}
