//! What was done, and by whom.

use axum::Json;
use axum::extract::{Query, State};

use crate::app::App;
use crate::db::audit;
use crate::domain::audit::Entry;
use crate::domain::page::{Page, Wanted};
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::http::caller::Caller;

/// What was done in the organization, the first thing first. Whoever keeps the lines can check
/// without us that none was changed or left out: `control-plane verify-audit FILE`.
#[utoipa::path(
    get, path = "/v1/audit", operation_id = "listAudit", tag = "audit", params(Wanted),
    responses((status = 200, body = Page<Entry>))
)]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Page<Entry>>> {
    caller.may(Scope::AuditRead)?;
    let (after, limit) = wanted.read()?;
    let after = after.map_or(Ok(0), |after| after.parse::<i64>());
    let after = after.map_err(|error| Error::Unreadable(error.to_string()))?;
    let mut conn = app.conn().await?;
    let found = audit::list(&mut conn, caller.organization(), after, limit + 1).await?;
    Ok(Json(Page::of(found, limit, |entry| entry.number.to_string())))
}
