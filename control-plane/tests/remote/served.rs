//! The API on a port, and who asks it from afar.

use std::time::Duration;

use axum::Router;
use blueprint::PlanName;
use control_plane::router;
use remote::{Address, Applied, Bounds, Client, Difference, Key};
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::Rig;
use crate::rig::written;

/// Nobody waits between two tries here.
pub(crate) const AT_ONCE: Bounds = Bounds {
    connect: Duration::from_secs(5),
    answer: Duration::from_secs(10),
    silence: Duration::from_secs(10),
    tries: 3,
    pause: Duration::ZERO,
    longest_pause: Duration::from_secs(1),
};

/// Whatever is served on a port of this machine.
pub(crate) struct Served {
    pub(crate) address: Address,
    _stop: DropGuard,
}

impl Served {
    pub(crate) async fn new(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move {
            tokio::select! {
                served = axum::serve(listener, router) => served,
                () = stopped => Ok(()),
            }
        });
        Self { address, _stop: stop.drop_guard() }
    }

    /// Who asks there with this key.
    pub(crate) fn client(&self, key: &str) -> Client {
        let key: Key = key.parse().unwrap();
        Client::new(self.address.clone(), &key, AT_ONCE).unwrap()
    }
}

/// A control plane with an organization, and who asks for it.
pub(crate) struct Afar {
    pub(crate) rig: Rig,
    pub(crate) served: Served,
    pub(crate) key: String,
    pub(crate) client: Client,
}

impl Afar {
    pub(crate) async fn new(db: PgPool, plan: PlanName) -> Self {
        let rig = Rig::new(db).await;
        let served = Served::new(router(rig.app.clone())).await;
        let key = rig.admitted("acme", plan, None).await.key.expose().to_owned();
        let client = served.client(&key);
        Self { rig, served, key, client }
    }

    /// Between a file of this text and what is there.
    pub(crate) async fn difference(&self, text: &str) -> remote::Result<Difference> {
        let read = blueprint::read(text).unwrap();
        Difference::between(&self.client, read.platform_name().unwrap(), read.spec).await
    }

    /// `apply -f` of a file with this name and display name.
    pub(crate) async fn apply(&self, name: &str, display_name: &str) -> remote::Result<Applied> {
        self.apply_text(&written(name, display_name)).await
    }

    pub(crate) async fn apply_text(&self, text: &str) -> remote::Result<Applied> {
        self.difference(text).await?.apply(&self.client, rand::random()).await
    }
}
