//! What model servers ask: money for their tenants; and tell: what was used. Nobody else is heard here.
//!
//! A control plane hears so many of them at once and no more; who finds no place soon comes again, which
//! they do by themselves. So they take no connection from people, and no rate of an organization's counts.

pub mod leases;
pub mod records;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use blueprint::BlueprintName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::caller::sent;
use crate::app::App;
use crate::cluster::Cluster;
use crate::db::model_servers;
use crate::domain::id::ModelServerId;
use crate::domain::key::KeyHash;
use crate::domain::treasury::Terms;
use crate::error::{Error, Result};

/// Claims that are answered at once.
const LEASES: usize = 6;
/// Batches that are taken in at once, of 8 MiB at most.
const BATCHES: usize = 2;
/// Nobody waits longer for a place.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where model servers are heard.
#[derive(Clone, Debug)]
pub struct Desks {
    leases: Arc<Semaphore>,
    batches: Arc<Semaphore>,
}

impl Default for Desks {
    fn default() -> Self {
        let [leases, batches] = [LEASES, BATCHES].map(|places| Arc::new(Semaphore::new(places)));
        Self { leases, batches }
    }
}

/// A model server whose key is good.
#[derive(Clone, Copy, Debug)]
pub struct ModelServer(ModelServerId);

impl FromRequestParts<App> for ModelServer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let hash = KeyHash::of_model_server(sent(parts)?).ok_or(Error::NoKey)?;
        let mut conn = app.conn().await?;
        let known = model_servers::find(&mut conn, hash, app.now()).await?;
        known.map(Self).ok_or(Error::NoKey)
    }
}

/// A place of a model server that sends a batch: taken before any of it is read.
#[derive(Debug)]
pub struct Place {
    _kept: OwnedSemaphorePermit,
}

impl FromRequestParts<App> for Place {
    type Rejection = Error;

    async fn from_request_parts(_: &mut Parts, app: &App) -> Result<Self> {
        Ok(Self { _kept: place(&app.desks().batches).await? })
    }
}

async fn place(desk: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit> {
    let place = timeout(PATIENCE, Arc::clone(desk).acquire_owned()).await;
    place.map_err(|_| Error::NoPlace)?.map_err(|_| Error::NoPlace)
}

/// What these tenants may have, in the same order, as their blueprints were seen last: a moment old at
/// most while the cluster answers. Where nothing was seen yet, nobody is taken for one without a budget.
fn terms<'a>(cluster: &dyn Cluster, tenants: impl Iterator<Item = &'a str>) -> Result<Vec<Terms>> {
    if !cluster.is_known() {
        return Err(Error::NoCluster("blueprints were not seen yet".to_owned()));
    }
    let names: Vec<Option<BlueprintName>> = tenants.map(|name| name.parse().ok()).collect();
    let asked: Vec<_> = names.iter().flatten().cloned().collect();
    let mut seen = cluster.seen(&asked).into_iter();
    let of = |name: &Option<BlueprintName>| name.as_ref().and_then(|_| seen.next().flatten());
    Ok(names.iter().map(of).map(|seen| Terms::of(seen.as_ref())).collect())
}
