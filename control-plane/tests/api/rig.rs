//! The API, its database, the cluster that is played, and callers.

use std::net::{Ipv4Addr, TcpListener};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use accounts::passwords::{Cost, Passwords};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::Response;
use blueprint::PlanName;
use control_plane::admit::{self, Admitted, New};
use control_plane::rates::Rates;
use control_plane::{App, Parts, router};
use plan::Installation;
use serde_json::Value;
use sqlx::PgPool;
use tower::ServiceExt as _;
use url::Url;
use web::egress::Egress;
use web::serve::Proxies;
use work::Clock;
use work::sealed::{KeyRing, RootKey};

use crate::played::Played;

/// As much as nobody asks.
const PLENTY: NonZeroU32 = NonZeroU32::new(1_000_000).unwrap();
/// Where people meet it.
pub(crate) const URL: &str = "https://console.test";
/// When it is.
const NOW: &str = "2026-03-01T12:00:00Z";

pub(crate) struct Rig {
    pub(crate) app: App,
    pub(crate) db: PgPool,
    pub(crate) cluster: Arc<Played>,
    pub(crate) clock: Clock,
    pub(crate) gateway: Gateway,
    router: Router,
}

/// Where platforms are asked.
#[derive(Clone)]
pub(crate) struct Gateway {
    pub(crate) url: Url,
    /// Whoever serves a platform takes it.
    pub(crate) door: Arc<Mutex<Option<TcpListener>>>,
}

/// What control planes beside each other share.
type Shared = (PgPool, Arc<Played>, Clock, Gateway);

impl Gateway {
    fn open() -> Self {
        let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        door.set_nonblocking(true).unwrap();
        let url = format!("http://{}", door.local_addr().unwrap()).parse().unwrap();
        Self { url, door: Arc::new(Mutex::new(Some(door))) }
    }
}

/// What was answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The code of a problem.
    pub(crate) fn code(&self) -> (u16, &str) {
        (self.status.as_u16(), self.body["code"].as_str().unwrap_or_default())
    }
}

/// Whoever has a key, or none.
#[derive(Clone)]
pub(crate) struct Caller<'a> {
    rig: &'a Rig,
    key: Option<String>,
}

impl Rig {
    pub(crate) async fn new(db: PgPool) -> Self {
        Self::within(db, Rates::new(PLENTY, PLENTY)).await
    }

    /// One that may be asked so much.
    pub(crate) async fn within(db: PgPool, rates: Rates) -> Self {
        control_plane::migrate(&mut db.acquire().await.unwrap()).await.unwrap();
        let (cluster, clock) = (Arc::new(Played::default()), Clock::fixed(NOW.parse().unwrap()));
        let shared = (db, cluster, clock, Gateway::open());
        Self::of(shared, rates, key_ring(&[7]), Some(installation()))
    }

    /// Another control plane on the same database, with these root keys.
    pub(crate) fn beside(&self, root_keys: KeyRing) -> Self {
        Self::of(self.shared(), Rates::new(PLENTY, PLENTY), root_keys, Some(installation()))
    }

    /// Another one that knows nothing of the operator's settings.
    pub(crate) fn without_installation(&self) -> Self {
        Self::of(self.shared(), Rates::new(PLENTY, PLENTY), key_ring(&[7]), None)
    }

    fn shared(&self) -> Shared {
        (self.db.clone(), self.cluster.clone(), self.clock.clone(), self.gateway.clone())
    }

    fn of(
        (db, cluster, clock, gateway): Shared,
        rates: Rates,
        root_keys: KeyRing,
        installation: Option<Installation>,
    ) -> Self {
        let parts = Parts {
            db: db.clone(),
            cluster: cluster.clone(),
            clock: clock.clone(),
            passwords: Passwords::new(Cost::CHEAP, 4).unwrap(),
            root_keys,
            egress: Egress::allowing(["127.0.0.1/32".parse().unwrap()]).unwrap(),
            rates,
            url: URL.parse().unwrap(),
            proxies: Proxies::default(),
            installation,
            gateway: Some(gateway.url.clone()),
        };
        let app = App::new(parts).unwrap();
        Self { router: router(app.clone()), app, db, cluster, clock, gateway }
    }

    /// An organization that was admitted, with its first key.
    pub(crate) async fn admit(&self, slug: &str, plan: PlanName) -> Caller<'_> {
        self.caller(Some(self.admitted(slug, plan, None).await.key.expose()))
    }

    /// The same, with an invitation for its owner.
    pub(crate) async fn admitted(
        &self,
        slug: &str,
        plan: PlanName,
        owner: Option<&str>,
    ) -> Admitted {
        let owner = owner.map(|owner| owner.parse().unwrap());
        let new = New { slug: slug.parse().unwrap(), name: slug.to_uppercase(), plan, owner };
        let url = URL.parse().unwrap();
        admit::organization(&self.db, &url, new, self.clock.now()).await.unwrap()
    }

    pub(crate) async fn answer(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) fn caller(&self, key: Option<&str>) -> Caller<'_> {
        Caller { rig: self, key: key.map(str::to_owned) }
    }
}

impl<'a> Caller<'a> {
    /// The same before another control plane.
    pub(crate) fn at(&self, rig: &'a Rig) -> Self {
        Caller { rig, key: self.key.clone() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], String::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[], body.to_string()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], String::new()).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).unwrap();
        let (head, body) = self.rig.answer(request).await.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let body = serde_json::from_slice(&body)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&body).into_owned()));
        Answer { status: head.status, headers: head.headers, body }
    }
}

/// Root keys, the one first that seals.
pub(crate) fn key_ring(bytes: &[u8]) -> KeyRing {
    let mut keys = bytes.iter().map(|byte| RootKey::from_bytes([*byte; 32]));
    let first = KeyRing::of(keys.next().unwrap());
    keys.fold(first, KeyRing::and)
}

/// What is the same for all platforms.
pub(crate) fn installation() -> Installation {
    serde_json::from_str(include_str!("../../../plan/fixtures/installation.json")).unwrap()
}

/// A blueprint, as a person writes it.
pub(crate) fn written(name: &str, display_name: &str) -> String {
    format!(
        "apiVersion: soulfra.io/v1alpha1\nkind: PlatformBlueprint\nmetadata:\n  name: {name}\n\
         spec:\n  identity:\n    displayName: {display_name}\n"
    )
}
