//! A control plane that takes usage in, and what it is told.

use std::sync::Arc;

use accounts::passwords::{Cost, Passwords};
use blueprint::{Currency, Money};
use control_plane::cluster::Cluster as _;
use control_plane::rates::Rates;
use control_plane::{App, Parts, migrate, model_servers, router};
use reqwest::header;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use usage::{Event, Micros, Outcome, Tokens};
use uuid::Uuid;
use web::egress::Egress;
use web::serve::{Limits, Places, Proxies, Transport};
use work::Clock;
use work::sealed::{KeyRing, RootKey};

use crate::TENANTS;
use crate::played::Played;

/// A control plane on a port, and a model server's way to it.
pub(crate) struct Intake {
    http: reqwest::Client,
    url: String,
    db: PgPool,
    _stop: DropGuard,
}

impl Intake {
    pub(crate) async fn open(db: PgPool) -> Self {
        migrate(&mut db.acquire().await.unwrap()).await.unwrap();
        let cluster = Arc::new(Played::default());
        for number in 0..TENANTS[1] {
            let text = format!(
                "apiVersion: soulfra.io/v1alpha1\nkind: PlatformBlueprint\nmetadata:\n  name: {}\n\
                 spec:\n  identity:\n    displayName: Any\n",
                name(number)
            );
            let mut blueprint = blueprint::read(&text).unwrap();
            blueprint.spec.ai.monthly_budget = Some(Money::new(1 << 40, Currency::USD));
            cluster.by_kubectl(blueprint);
        }
        assert!(cluster.is_known());
        let key = model_servers::add(&db, "bench", Clock::System.now()).await.unwrap();
        let parts = Parts {
            db: db.clone(),
            cluster,
            clock: Clock::System,
            passwords: Passwords::new(Cost::CHEAP, 1).unwrap(),
            root_keys: KeyRing::of(RootKey::from_bytes([7; 32])),
            egress: Egress::new().unwrap(),
            rates: Rates::default(),
            url: "https://console.test".parse().unwrap(),
            proxies: Proxies::default(),
            installation: None,
            gateway: None,
        };
        let router = router(App::new(parts).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/inference/usage", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let places = Places::new(Limits::default());
        tokio::spawn(web::serve::serve(listener, Transport::Plain, router, stop.clone(), places));
        let authorization = format!("Bearer {}", key.expose()).parse().unwrap();
        let headers = [(header::AUTHORIZATION, authorization)].into_iter().collect();
        let http = reqwest::Client::builder().default_headers(headers).build().unwrap();
        Self { http, url, db, _stop: stop.drop_guard() }
    }

    /// Tells it; how many of them were new.
    pub(crate) async fn tell(&self, batch: String) -> usize {
        let sent = self.http.post(&self.url).header(header::CONTENT_TYPE, "application/json");
        let answer = sent.body(batch).send().await.unwrap();
        let status = answer.status();
        let told: Value = answer.json().await.unwrap();
        assert_eq!(status, 200, "{told}");
        usize::try_from(told["new"].as_u64().unwrap()).unwrap()
    }

    pub(crate) async fn kept(&self) -> i64 {
        let count = "select count(*) from control.usage_event";
        sqlx::query_scalar(count).fetch_one(&self.db).await.unwrap()
    }
}

fn name(tenant: usize) -> String {
    format!("tenant-{tenant}")
}

/// Batches of so many events, by turns of so many tenants, as they are sent.
pub(crate) fn batches(tenants: usize, events: usize, count: usize) -> Vec<String> {
    let now = Clock::System.now();
    let event = |number: usize| Event {
        id: Uuid::now_v7(),
        tenant: name(number % tenants),
        user: Uuid::now_v7().to_string(),
        agent: Uuid::now_v7().to_string(),
        model: "llama-3.1-8b-instruct".to_owned(),
        request: Uuid::now_v7().simple().to_string(),
        tokens: Tokens { prompt: 812, cached: 400, completion: 240 },
        cost: Micros::new(317),
        currency: Currency::USD,
        holding: None,
        outcome: Outcome::Finished,
        started_at: now,
        ended_at: now,
    };
    let batch = |_| json!({"events": (0..events).map(event).collect::<Vec<_>>()}).to_string();
    (0..count).map(batch).collect()
}
