//! Money for a tenant, for as long as a lease lasts.

use axum::Json;
use axum::extract::State;
use usage::{Claim, Lease, Micros};

use super::{ModelServer, place, terms};
use crate::app::App;
use crate::db::treasury;
use crate::domain::usage::is_plain;
use crate::error::{Error, Result};
use crate::http::sent::Sent;

/// Takes note of what a model server spent of a tenant's money, and leases it what it wants or what is
/// left. Said again, it changes nothing: a claim names sums since its holding began. Where the tenant is
/// no platform, is being deleted or was stopped, nothing is added to what is held.
#[utoipa::path(
    post, path = "/v1/inference/leases", operation_id = "leaseBudget", tag = "inference",
    request_body = Claim, responses((status = 200, body = Lease))
)]
pub async fn lease(
    State(app): State<App>,
    ModelServer(server): ModelServer,
    Sent { value: claim, .. }: Sent<Claim>,
) -> Result<Json<Lease>> {
    if claim.tenant.is_empty() || !is_plain(&claim.tenant) {
        return Err(Error::Unreadable("tenant: a name of 1 to 128 bytes".to_owned()));
    }
    let terms = terms(app.cluster(), std::iter::once(claim.tenant.as_str()))?;
    let terms = terms.into_iter().next().unwrap_or_default();
    if !terms.gets_more && claim.want > Micros::ZERO {
        let (tenant, currency) = (&claim.tenant, claim.currency);
        tracing::info!(%server, tenant, %currency, "no more money: no such platform, or stopped");
    }
    let _place = place(&app.desks().leases).await?;
    let mut tx = app.begin().await?;
    let of = [(claim.tenant.as_str(), claim.currency)];
    let mut chests = treasury::open(&mut tx, &of, app.now()).await?;
    let chest = chests.first_mut().ok_or(sqlx::Error::RowNotFound)?;
    // After others had it: what they did happened before.
    let lease = chest.claim(&claim, terms, app.now()).map_err(Error::NoLease)?;
    treasury::keep(&mut tx, &chests).await?;
    tx.commit().await?;
    Ok(Json(lease))
}
