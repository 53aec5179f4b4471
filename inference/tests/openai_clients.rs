//! OpenAI's own clients, unmodified, against our server with a pretend model:
//! `tests/openai-clients` has what they do.
//!
//! They are no part of a clone, so these tests are left out of a plain `cargo test`.
//! `cargo xtask test --suite openai-clients` installs them, and runs these.
#![expect(clippy::unwrap_used, reason = "helpers of tests, which clippy takes for something else")]

#[path = "../../tests/openai-clients/clients.rs"]
mod clients;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use inference::embedding::SimulatedEmbedder;
use inference::engine::TokenStream;
use inference::safety::Level;
use inference::simulator::Simulator;
use inference::wire::Refusal;
use inference::{
    Credentials, Engine, EngineError, Inference, Job, Limits, Meter, ModelCard, Prompt, Role,
    Shape, Tenant, router,
};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::process::Command;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use web::Problem;
use web::serve::{Places, Transport};
use web::token::{Caller, Credential};

const SECRET: &str = "a-secret-of-at-least-thirty-two-bytes";
const CALL: &str = r#"<tool_call>{"name": "weather", "arguments": {"city": "Bern"}}</tool_call>"#;

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
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let places = Places::new(web::serve::Limits::default());
    let (stop, router) = (CancellationToken::new(), app());
    tokio::spawn(web::serve::serve(listener, Transport::Plain, router, stop.clone(), places));
    let variables = [
        ("OPENAI_BASE_URL", format!("{base}/v1")),
        ("OPENAI_API_KEY", token()),
        ("SUITE_CONTROL", format!("{base}/control")),
        ("SUITE_MODEL", "simulated".to_owned()),
    ];
    clients::passes(suite, &variables).await;
    stop.cancel();
}

/// The server as it is, the time standing still, so that one token is good for a whole suite.
fn app() -> Router {
    let credentials = Credentials::default();
    let tenant = Tenant::new(Credential::new(SECRET), "starter", Level::Moderate);
    credentials.set("acme", tenant);
    let inference = Inference::new(credentials, Arc::new(now), Limits::default());
    let stage = Stage::default();
    inference.set_engine(Arc::new(stage.clone()));
    inference.set_embedder(Arc::new(SimulatedEmbedder::default()));
    let record = async move || {
        let record = stage.slow.record();
        Json(json!({"running": record.running, "cancelled": record.cancelled}))
    };
    router(inference)
        .layer(middleware::from_fn_with_state(Failures::default(), Failures::fail))
        .route("/control/record", get(record))
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn token() -> String {
    let caller = Caller::new("acme", "u", "a");
    let token = web::token::sign(&Credential::new(SECRET), &caller, now()).unwrap();
    token.expose_secret().to_owned()
}

/// A pretend model that can be asked to be slow, to break, and to call a tool.
#[derive(Clone)]
struct Stage {
    echo: Simulator,
    slow: Simulator,
    breaks: Simulator,
    calls: Simulator,
}

impl Default for Stage {
    fn default() -> Self {
        Self {
            echo: Simulator::echo(),
            slow: Simulator::saying("word ".repeat(2000)).with_pace(Duration::from_millis(50)),
            breaks: Simulator::breaking_after(1),
            calls: Simulator::saying(format!("I ask. {CALL}")),
        }
    }
}

impl Stage {
    fn plays(&self, job: &Job) -> &Simulator {
        let Prompt::Chat(messages) = &job.prompt else { return &self.echo };
        let said = |role: Role, text: &str| {
            let last = messages.iter().rev().find(|message| message.role == role);
            last.is_some_and(|message| message.content.contains(text))
        };
        if said(Role::User, "count slowly") {
            &self.slow
        } else if said(Role::User, "please break") {
            &self.breaks
        } else if said(Role::System, "</tools>")
            && said(Role::User, "weather")
            && !said(Role::User, "tool_")
            && job.shape == Shape::Free
        {
            &self.calls
        } else {
            &self.echo
        }
    }
}

#[async_trait]
impl Engine for Stage {
    fn models(&self) -> Vec<ModelCard> {
        self.echo.models()
    }

    fn room(&self) -> watch::Receiver<usize> {
        watch::Sender::new(4).subscribe()
    }

    async fn generate(&self, job: Job, meter: Meter) -> Result<TokenStream, EngineError> {
        self.plays(&job).generate(job.clone(), meter).await
    }
}

/// Fails as often as a request's headers say, under the key that they name.
#[derive(Clone, Default)]
struct Failures(Arc<Mutex<HashMap<String, u32>>>);

impl Failures {
    async fn fail(State(failures): State<Self>, request: Request, next: Next) -> Response {
        let told = {
            let headers = request.headers();
            let header = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
            let after = header("x-suite-after").unwrap_or_else(|| "1".to_owned());
            let times = header("x-suite-times").zip(header("x-suite-key"));
            header("x-suite-fail").zip(times).map(|(status, times)| (status, after, times))
        };
        let Some((status, after, (times, key))) = told else { return next.run(request).await };
        let count = {
            let mut seen = failures.0.lock().unwrap();
            let seen = seen.entry(key).or_default();
            *seen += 1;
            *seen
        };
        if count > times.parse().unwrap() {
            return next.run(request).await;
        }
        let status = StatusCode::from_bytes(status.as_bytes()).unwrap();
        Refusal::from(
            Problem::new(status, "as-told", "As it was told to.")
                .retry_after(after.parse().unwrap()),
        )
        .into_response()
    }
}
