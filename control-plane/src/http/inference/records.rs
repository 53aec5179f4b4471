//! What was used, as model servers tell it: each answer once, however often it is told.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use blueprint::Currency;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use usage::{Event, Micros};
use utoipa::ToSchema;

use super::{Sender, place, terms};
use crate::app::App;
use crate::cluster::Cluster;
use crate::db::treasury;
use crate::db::usage::{self as records, Told};
use crate::domain::usage::Each;
use crate::error::{Error, Result};
use crate::http::sent::Sent;

/// What was used.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Batch {
    /// Answers, 20,000 at most.
    pub events: Vec<Event>,
}

/// What became of a batch. All of it is known now, durably.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TakenIn {
    /// Answers that were not known before.
    pub new: usize,
    /// Answers that were: nothing came of those.
    pub known: usize,
    /// Of all, those whose id came before with other content, which counts for good.
    pub conflicts: usize,
    /// Answers that cannot be kept, such as one of the year 1970: nothing comes of those either, and
    /// sending them again is in vain.
    pub refused: usize,
}

/// Takes in what was used, and counts what it cost into its tenants' budgets: each id once, in the
/// transaction in which it is stored. A batch whose answer was lost is sent again as it is. What is told
/// of tenants that are no platforms is kept, too, and what cannot be kept stops nothing of the rest.
#[utoipa::path(
    post, path = "/v1/inference/usage", operation_id = "recordUsage", tag = "inference",
    request_body = Batch, security(("modelServer" = [])), responses(
        (status = 200, body = TakenIn),
        (status = 503, description = "Nothing was taken in; send the same again, after `Retry-After`. `too-busy`: \
            too many batches at once, or another one of this model server. `no-cluster`: blueprints were not \
            seen yet."),
    )
)]
pub async fn take_in(
    State(app): State<App>,
    sender: Sender,
    Sent { value: Batch { events }, .. }: Sent<Batch>,
) -> Result<Json<TakenIn>> {
    let server = sender.server;
    let Each { events: told, mut torn, unfit } = Each::of(&events).map_err(Error::Unreadable)?;
    if let Some(first) = unfit.first() {
        let count = unfit.len();
        tracing::error!(%server, count, %first, "usage that cannot be kept; the rest is taken in");
    }
    // Once all of it is here: a connection waits for nobody who sends.
    let _place = place(&app.desks().batches).await?;
    let mut tx = app.begin().await?;
    let new = records::add(&mut tx, &told, server, app.now()).await?;
    let mut known = told.clone();
    let new: Vec<_> =
        new.into_iter().filter_map(|(id, platform)| Some((known.remove(&id)?, platform))).collect();
    let known: Vec<_> = known.into_values().collect();
    torn.extend(records::torn(&mut tx, &known).await?);
    records::sum_up(&mut tx, &new).await?;
    bill(&mut tx, app.cluster(), &new, app.now()).await?;
    tx.commit().await?;
    if let Some(first) = torn.first() {
        let count = torn.len();
        tracing::error!(%server, count, %first, "usage came again with other content; the first counts");
    }
    Ok(Json(TakenIn {
        new: new.len(),
        known: events.len() - unfit.len() - new.len(),
        conflicts: torn.len(),
        refused: unfit.len(),
    }))
}

/// Counts what new answers cost into their tenants' vaults, all of them opened in one order. Who has a
/// name by now does not pay for whoever had it before.
async fn bill(
    conn: &mut PgConnection,
    cluster: &dyn Cluster,
    new: &[Told<'_>],
    now: Timestamp,
) -> Result<()> {
    let mut bills: BTreeMap<(&str, Currency), Vec<Told<'_>>> = BTreeMap::new();
    // What cost nothing needs no money.
    for (event, platform) in new.iter().filter(|(event, _)| event.cost > Micros::ZERO) {
        let of = (event.tenant.as_str(), event.currency);
        bills.entry(of).or_default().push((*event, *platform));
    }
    if bills.is_empty() {
        return Ok(());
    }
    let of: Vec<_> = bills.keys().copied().collect();
    let terms = terms(cluster, of.iter().map(|(tenant, _)| *tenant))?;
    let terms: BTreeMap<_, _> = of.iter().copied().zip(terms).collect();
    let mut chests = treasury::open(conn, &of, now).await?;
    for chest in &mut chests {
        let of = (chest.tenant.clone(), chest.currency);
        let of = (of.0.as_str(), of.1);
        let terms = terms.get(&of).copied().unwrap_or_default();
        let whose = chest.platform;
        let costs = bills.get(&of).into_iter().flatten().filter(|(_, platform)| *platform == whose);
        let forgone: Micros =
            costs.map(|(event, _)| chest.record(event.holding, event.cost, terms, now)).sum();
        if forgone > Micros::ZERO {
            let (tenant, currency, micros) = (of.0, of.1, forgone.get());
            tracing::warn!(tenant, %currency, micros, "spent beyond the budget: nobody pays that");
        }
    }
    Ok(treasury::keep(conn, &chests).await?)
}
