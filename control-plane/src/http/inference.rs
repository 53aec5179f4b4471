//! What model servers ask: money for their tenants; and tell: what was used. Nobody else is heard here.
//!
//! A control plane hears so many of them at once and no more, and of each one fewer still; who finds no
//! place soon comes again, which they do by themselves. So they take no connection from people, one takes
//! none from the others, and no rate of an organization's counts.

pub mod leases;
pub mod records;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
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

/// Claims that are answered at once, keys that are looked up among them: each has a connection.
pub(crate) const LEASES: usize = 3;
/// Batches that are taken in at once: each has a connection.
pub(crate) const BATCHES: usize = 1;
/// Batches that are read at once or were read, of 8 MiB at most: none of these has a connection.
const READ: usize = 4;
/// Claims of one model server that are answered at once.
const OWN_LEASES: usize = 2;
/// Batches that one model server sends at once.
const OWN_BATCHES: usize = 1;
/// Nobody waits longer for a place.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where model servers are heard.
#[derive(Clone, Debug)]
pub struct Desks {
    leases: Arc<Semaphore>,
    batches: Arc<Semaphore>,
    read: Arc<Semaphore>,
    own: Arc<Mutex<HashMap<ModelServerId, Own>>>,
}

/// What one model server does at once.
#[derive(Clone, Debug)]
struct Own {
    leases: Arc<Semaphore>,
    batches: Arc<Semaphore>,
}

impl Default for Desks {
    fn default() -> Self {
        let [leases, batches, read] = [LEASES, BATCHES, READ].map(places);
        Self { leases, batches, read, own: Arc::default() }
    }
}

impl Default for Own {
    fn default() -> Self {
        let [leases, batches] = [OWN_LEASES, OWN_BATCHES].map(places);
        Self { leases, batches }
    }
}

impl Desks {
    /// Those of one whose key is good: there are never more than keys were made.
    fn own(&self, server: ModelServerId) -> Own {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.entry(server).or_default().clone()
    }
}

fn places(count: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(count))
}

/// A model server whose key is good.
#[derive(Clone, Copy, Debug)]
pub struct ModelServer(ModelServerId);

impl FromRequestParts<App> for ModelServer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let hash = KeyHash::of_model_server(sent(parts)?).ok_or(Error::NoKey)?;
        let _place = place(&app.desks().leases).await?;
        let mut conn = app.conn().await?;
        let known = model_servers::find(&mut conn, hash, app.now()).await?;
        known.map(Self).ok_or(Error::NoKey)
    }
}

/// A model server that sends a batch, and its place among those that do: taken before any of it is read,
/// so that who sends slowly is in nobody's way but its own.
#[derive(Debug)]
pub struct Sender {
    server: ModelServerId,
    _own: OwnedSemaphorePermit,
    _read: OwnedSemaphorePermit,
}

impl FromRequestParts<App> for Sender {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let ModelServer(server) = ModelServer::from_request_parts(parts, app).await?;
        let desks = app.desks();
        let own = place(&desks.own(server).batches).await?;
        Ok(Self { server, _own: own, _read: place(&desks.read).await? })
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_model_server_that_sends_slowly_is_in_nobodys_way_but_its_own() {
        let desks = Desks::default();
        let [one, other] = [1, 2].map(|id| ModelServerId(Uuid::from_u128(id)));
        let _sends = place(&desks.own(one).batches).await.unwrap();
        assert!(matches!(place(&desks.own(one).batches).await, Err(Error::NoPlace)));
        drop(place(&desks.own(other).batches).await.unwrap());
        drop(place(&desks.own(one).leases).await.unwrap());
    }
}
