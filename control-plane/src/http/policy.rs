//! What an organization asks of its members.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::app::App;
use crate::db::audit::{self, Done};
use crate::db::organizations;
use crate::domain::policy::SecondFactor;
use crate::domain::scope::Scope;
use crate::error::Result;
use crate::http::caller::Caller;
use crate::http::sent::Sent;

/// What an organization asks of its members.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// Whether they need a second factor to do anything in the console. Keys of the API are asked for none.
    pub second_factor: SecondFactor,
}

/// Says what is asked of members, from their next request on.
#[utoipa::path(
    put, path = "/v1/organization/policy", operation_id = "setPolicy", tag = "organization",
    request_body = Policy, responses((status = 204))
)]
pub async fn set(State(app): State<App>, caller: Caller, sent: Sent<Policy>) -> Result<StatusCode> {
    change(&app, &caller, sent.value).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Asks this of members.
///
/// # Errors
/// [`Error::NotAllowed`](crate::error::Error::NotAllowed), the database.
pub async fn change(app: &App, caller: &Caller, wanted: Policy) -> Result<()> {
    caller.may(Scope::PolicyWrite)?;
    let (mut tx, organization) = (app.begin().await?, caller.organization());
    let Policy { second_factor } = wanted;
    let before = organizations::set_second_factor(&mut tx, organization, second_factor).await?;
    if before != second_factor {
        let done = Done {
            organization,
            actor: caller.actor(),
            action: "organization.policy",
            target: &organization.to_string(),
            detail: json!({"secondFactor": {"before": before, "now": second_factor}}),
        };
        audit::write(&mut tx, done, app.now()).await?;
    }
    Ok(tx.commit().await?)
}
