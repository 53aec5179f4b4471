//! Money for a tenant, for as long as a lease lasts.

use axum::Json;
use axum::extract::State;
use usage::{Claim, Lease, Micros};

use super::{ModelServer, place, terms};
use crate::app::App;
use crate::db::treasury;
use crate::domain::treasury::{Chest, Terms};
use crate::domain::usage::is_plain;
use crate::error::{Error, Result};
use crate::http::sent::Sent;

/// Takes note of what a model server spent of a tenant's money, and leases it what it wants or what is
/// left. Said again, it changes nothing: a claim names sums since its holding began. Where the tenant is
/// no platform, is being deleted or was stopped, nothing is added to what is held.
#[utoipa::path(
    post, path = "/v1/inference/leases", operation_id = "leaseBudget", tag = "inference",
    request_body = Claim, security(("modelServer" = [])), responses(
        (status = 200, body = Lease),
        (status = 409, description = "There is no lease, by its `code`. `holding-ended`: the holding was not \
            renewed in time, or another platform has the name by now; begin another one. `claim-stale`: a later \
            claim of the holding was answered already. `budget-currency`: the tenant's budget is in another \
            currency."),
        (status = 503, description = "Nothing was done; send the same again, after `Retry-After`. `too-busy`: too \
            many claims at once, others have the tenant's money right now, or it has as many holdings as there \
            can be. `no-cluster`: blueprints were not seen yet."),
    )
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
    let desks = app.desks();
    let _own = place(&desks.own(server).leases).await?;
    let _place = place(&desks.leases).await?;
    leased(&app, &claim, terms).await.map(Json)
}

async fn leased(app: &App, claim: &Claim, terms: Terms) -> Result<Lease> {
    let (tenant, currency) = (claim.tenant.as_str(), claim.currency);
    let mut tx = app.begin().await?;
    if !terms.is_there && !treasury::is_kept(&mut tx, tenant, currency).await? {
        // Who is no platform and never was one leaves nothing behind.
        let mut chest = Chest::new(tenant.to_owned(), None, currency, app.now());
        return chest.claim(claim, terms, app.now()).map_err(Error::NoLease);
    }
    treasury::wait_briefly(&mut tx).await?;
    let chests = treasury::open(&mut tx, &[(tenant, currency)], app.now()).await;
    let mut chests = chests.map_err(|error| {
        if treasury::is_others(&error) { Error::NoPlace } else { Error::Database(error) }
    })?;
    let chest = chests.first_mut().ok_or(sqlx::Error::RowNotFound)?;
    // After others had it: what they did happened before.
    let now = app.now();
    if !chest.vault.has_place(claim.holding, now) {
        tracing::warn!(tenant, %currency, "no lease: as many holdings as one tenant can have");
        return Err(Error::NoPlace);
    }
    let lease = chest.claim(claim, terms, now).map_err(Error::NoLease)?;
    treasury::keep(&mut tx, &chests).await?;
    tx.commit().await?;
    Ok(lease)
}
