//! OpenAI's own clients, unmodified, against the program with real models: the same suites as
//! against the pretend one in `inference/tests/openai_clients.rs`, less what needs that one.
//!
//! They are no part of a clone, so these tests are left out of a plain `cargo test`.
//! `cargo xtask test --suite openai-clients` installs them, and runs these.
#![expect(clippy::unwrap_used, reason = "helpers of tests, which clippy takes for something else")]

#[path = "../../tests/openai-clients/clients.rs"]
mod clients;
mod server;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use server::Server;
use tokio::process::Command;

const MODELS: usize = 2;

#[tokio::test]
#[ignore = "needs OpenAI's client: cargo xtask test --suite openai-clients"]
async fn openai_for_python() {
    passes(clients::python(std::env::var_os("SOULFRA_OPENAI_PYTHON"))).await;
}

#[tokio::test]
#[ignore = "needs OpenAI's client: cargo xtask test --suite openai-clients"]
async fn openai_for_javascript() {
    passes(clients::javascript()).await;
}

/// Runs a suite against a server of its own.
async fn passes(suite: Command) {
    let models = json!({"models": ["smollm2-135m"], "embeddings": "all-minilm-l6-v2"});
    let server = Arc::new(Server::start(models));
    let loaded = tokio::time::timeout(Duration::from_mins(2), server.loaded()).await;
    assert!(loaded.is_ok(), "the models took more than 2 minutes");
    let variables = [
        ("OPENAI_BASE_URL", format!("{}/v1", server.tenants)),
        ("SUITE_CONTROL", control(Arc::clone(&server)).await),
        ("SUITE_MODEL", "real".to_owned()),
    ];
    clients::passes(suite, &variables).await;
}

impl Server {
    /// Until both models answer.
    async fn loaded(&self) {
        let mut often = tokio::time::interval(Duration::from_millis(50));
        let url = format!("{}/v1/models", self.tenants);
        loop {
            often.tick().await;
            let request = self.client.get(&url).bearer_auth(server::token().expose_secret());
            let listed: Value = request.send().await.unwrap().json().await.unwrap();
            if listed["data"].as_array().is_some_and(|models| models.len() == MODELS) {
                return;
            }
        }
    }

    /// What runs and what was cancelled, as its operators see it.
    async fn record(&self) -> Value {
        let request = self.client.get(format!("{}/metrics", self.operators));
        let metrics = request.send().await.unwrap().text().await.unwrap();
        let sum = |begins: &str, has: &str| -> f64 {
            let lines = metrics.lines().filter(|line| line.starts_with(begins));
            let lines = lines.filter(|line| line.contains(has));
            lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
        };
        json!({
            "running": sum("inference_engine_running ", ""),
            "cancelled": sum("inference_requests_total{", "outcome=\"cancelled\""),
        })
    }
}

/// Says what the server does, and signs tokens: they live for a minute, a suite for longer.
async fn control(server: Arc<Server>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let record = async |State(server): State<Arc<Server>>| Json(server.record().await);
    let router = Router::new()
        .route("/record", get(record))
        .route("/token", get(async || server::token().expose_secret().to_owned()))
        .with_state(server);
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}
