//! The two servers: ours over an engine that answers at once, and one that does nothing.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use blueprint::Currency;
use inference::engine::{TokenStream, token_stream};
use inference::prices::{Micros, Price, Prices};
use inference::safety::{Level, Rules};
use inference::till::{Keeper, Till};
use inference::{
    Credentials, Engine, EngineError, Inference, Job, Limits, Meter, ModelCard, Reason, Tenant,
};
use tokio::net::TcpListener;
use tokio::sync::watch;
use web::token::{Caller, Credential};

const TENANTS: usize = 16;
const ANSWER: &str = r#"{"choices":[{"message":{"role":"assistant","content":"Paris"}}]}"#;

pub(crate) fn serve(kind: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let (router, _keeper) = if kind == "ours" {
            let (router, keeper) = ours(folder.path()).await;
            (router, Some(keeper))
        } else {
            (nothing(), None)
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        let until = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        tokio::select! {
            served = axum::serve(listener, router) => served.unwrap(),
            ended = until => { ended.unwrap().unwrap(); }
        }
    });
}

fn nothing() -> Router {
    let answer = async |_: Bytes| ([("content-type", "application/json")], ANSWER);
    Router::new().route("/v1/chat/completions", post(answer))
}

/// Everything on: identity, rules, queue, money that is leased and settled, records that are kept.
async fn ours(folder: &Path) -> (Router, Keeper) {
    let mut prices = Prices::default();
    let million = Micros::new(1_000_000);
    let (prompt, completion) = (million, million);
    let price = Price { currency: Currency::USD, prompt, cached_prompt: prompt, completion };
    prices.set("at-once", price);
    let opened = Till::open_local(&folder.join("usage"), prices, Arc::new(now)).await;
    let (till, local, keeper) = opened.unwrap();
    let credentials = Credentials::default();
    for number in 0..TENANTS {
        let starter = Tenant::new(credential(), "starter", Level::Moderate);
        credentials.set(tenant(number), starter);
        local.set_budget(&tenant(number), Some("1000000.00 USD".parse().unwrap()));
        let limits = inference::budget::Limits { per_user_daily_tokens: Some(1 << 40) };
        till.ledger().set_limits(&tenant(number), limits);
    }
    let inference = Inference::new(credentials, Arc::new(now), Limits::default())
        .with_till(till)
        .with_rules(Rules::new().unwrap());
    inference.set_engine(Arc::new(AtOnce));
    (inference::router(inference), keeper)
}

/// Answers one word at once.
struct AtOnce;

#[async_trait]
impl Engine for AtOnce {
    fn models(&self) -> Vec<ModelCard> {
        let (id, title) = ("at-once".to_owned(), "At once".to_owned());
        vec![ModelCard { id, title, context_tokens: 1024 }]
    }

    fn room(&self) -> watch::Receiver<usize> {
        watch::Sender::new(64).subscribe()
    }

    async fn generate(&self, _job: Job, meter: Meter) -> Result<TokenStream, EngineError> {
        let (out, stream) = token_stream();
        meter.read(8);
        meter.made(1);
        out.text("Paris".to_owned());
        out.end(Reason::Stop, meter.usage());
        Ok(stream)
    }
}

fn tenant(number: usize) -> String {
    format!("tenant-{number}")
}

pub(crate) fn credential() -> Credential {
    Credential::new("a-secret-of-at-least-thirty-two-bytes")
}

/// People of several tenants.
pub(crate) fn caller(person: usize) -> Caller {
    let tenant = tenant(person % TENANTS);
    Caller::new(tenant, format!("u{person}"), "a")
}

#[expect(clippy::disallowed_methods, reason = "a measurement has the system's clock")]
pub(crate) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
