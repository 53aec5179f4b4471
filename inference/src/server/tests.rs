mod forms;
mod hostile;
mod money;

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response as HttpResponse};
use futures::StreamExt;
use secrecy::ExposeSecret;
use serde_json::Value;
use tower::ServiceExt;
use web::token::{Caller, Credential};

use super::*;
use crate::admission::Places;
use crate::safety::Level;
use crate::simulator::{Record, Simulator};

const SECRET: &str = "a-secret-of-at-least-thirty-two-bytes";

struct App {
    inference: Inference,
    router: Router,
    engine: Simulator,
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

impl App {
    fn new(engine: Simulator) -> Self {
        Self::with(engine, Limits::default())
    }

    fn with(engine: Simulator, limits: Limits) -> Self {
        let credentials = Credentials::default();
        credentials.set("acme", tenant(SECRET));
        let inference = Inference::new(credentials, Arc::new(now), limits);
        inference.set_engine(Arc::new(engine.clone()));
        Self { router: router(inference.clone()), inference, engine }
    }

    fn record(&self) -> Record {
        self.engine.record()
    }

    async fn send(&self, request: Request<Body>) -> HttpResponse<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn ask(&self, body: Value) -> HttpResponse<Body> {
        self.send(signed(&body)).await
    }
}

fn tenant(secret: &str) -> Tenant {
    Tenant::new(Credential::new(secret.to_owned()), "starter", Level::Moderate)
}

fn token() -> String {
    let caller = Caller::new("acme", "u", "a");
    let token = web::token::sign(&Credential::new(SECRET), &caller, now()).unwrap();
    token.expose_secret().to_owned()
}

fn post(body: &str, token: Option<&str>) -> Request<Body> {
    let mut request = Request::post("/v1/chat/completions");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

fn signed(body: &Value) -> Request<Body> {
    post(&body.to_string(), Some(&token()))
}

fn question(text: &str) -> Value {
    json!({"messages": [{"role": "user", "content": text}]})
}

fn streamed(text: &str) -> Value {
    let mut body = question(text);
    body["stream"] = json!(true);
    body["stream_options"] = json!({"include_usage": true});
    body
}

async fn text_of(response: HttpResponse<Body>) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn json_of(response: HttpResponse<Body>) -> Value {
    serde_json::from_str(&text_of(response).await).unwrap()
}

/// The `data:` lines of a stream, as JSON but for the last.
fn data_of(stream: &str) -> Vec<Value> {
    let lines = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.map(|data| serde_json::from_str(data).unwrap_or_else(|_| json!(data))).collect()
}

/// Lets every other task run until it waits for something.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_has_text_usage_and_the_request_id() {
    let app = App::new(Simulator::echo());
    let mut request = signed(&question("one two three"));
    request.headers_mut().insert("x-request-id", "abc-1".parse().unwrap());
    let response = app.send(request).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-request-id"], "abc-1");
    assert_eq!(response.headers()["x-queue-position"], "0");
    let body = json_of(response).await;
    assert_eq!(body["id"], "chatcmpl-abc-1");
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["created"], 1_800_000_000);
    assert_eq!(body["choices"][0]["message"]["content"], "one two three");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert_eq!(body["usage"]["total_tokens"], 6);
}

#[tokio::test(start_paused = true)]
async fn a_stream_opens_speaks_ends_and_tells_its_usage() {
    let app = App::new(Simulator::echo().with_pace(Duration::from_millis(20)));
    let response = app.ask(streamed("one two")).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let data = data_of(&text_of(response).await);
    let delta = |at: usize| data[at]["choices"][0]["delta"].clone();
    assert_eq!(delta(0), json!({"role": "assistant", "content": ""}));
    assert_eq!((delta(1), delta(2)), (json!({"content": "one "}), json!({"content": "two"})));
    assert_eq!(data[3]["choices"][0]["finish_reason"], "stop");
    assert_eq!(data[4]["choices"], json!([]));
    assert_eq!(data[4]["usage"]["completion_tokens"], 2);
    assert_eq!(data[5], "[DONE]");
    assert_eq!(data.len(), 6);
    assert!(data[..5].iter().all(|chunk| chunk["id"] == data[0]["id"]));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_says_so_and_is_never_done() {
    let app = App::new(Simulator::breaking_after(1));
    let data = data_of(&text_of(app.ask(streamed("one two")).await).await);
    let last = data.last().unwrap();
    assert_eq!(last["error"]["code"], "engine-failed");
    assert!(!last.to_string().contains("as it was told to"), "the cause is for the log");

    let whole = app.ask(question("one two")).await;
    assert_eq!(whole.status(), 503);
    assert_eq!(json_of(whole).await["code"], "engine-failed");
}

#[tokio::test(start_paused = true)]
async fn only_a_fresh_token_of_a_known_tenant_is_let_in() {
    let app = App::new(Simulator::echo());
    let body = question("hi").to_string();
    let other = Caller::new("other", "u", "a");
    let stranger = web::token::sign(&Credential::new(SECRET), &other, now()).unwrap();
    for token in [None, Some("nonsense"), Some(stranger.expose_secret())] {
        let response = app.send(post(&body, token)).await;
        assert_eq!(response.status(), 401);
        assert_eq!(json_of(response).await["code"], "not-signed-in");
    }
    app.inference.credentials.remove("acme");
    assert_eq!(app.ask(question("hi")).await.status(), 401);
    app.inference.credentials.set("acme", tenant(&"another-".repeat(5)));
    assert_eq!(app.ask(question("hi")).await.status(), 401);
    assert!(app.record().started.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_model_list_and_health_follow_the_engine() {
    let app = App::new(Simulator::echo());
    let list = || {
        let get = Request::get("/v1/models").header("authorization", format!("Bearer {}", token()));
        get.body(Body::empty()).unwrap()
    };
    let body = json_of(app.send(list()).await).await;
    assert_eq!(body["data"][0]["id"], "simulated");
    assert_eq!(body["data"][0]["context_length"], 8192);

    let empty = Inference::new(app.inference.credentials.clone(), Arc::new(now), Limits::default());
    let router = router(empty.clone());
    let health = || Request::get("/health").body(Body::empty()).unwrap();
    assert_eq!(router.clone().oneshot(health()).await.unwrap().status(), 503);
    let loading = router.clone().oneshot(list()).await.unwrap();
    assert_eq!(loading.headers()["retry-after"], "5");
    assert_eq!(json_of(loading).await["code"], "model-loading");
    empty.set_engine(Arc::new(Simulator::echo()));
    let healthy = json_of(router.oneshot(health()).await.unwrap()).await;
    assert_eq!(healthy, json!({"status": "ok", "running": 0, "waiting": 0}));
}

#[tokio::test(start_paused = true)]
async fn a_question_waits_for_its_model_but_not_for_ever() {
    let credentials = Credentials::default();
    credentials.set("acme", tenant(SECRET));
    let inference = Inference::new(credentials, Arc::new(now), Limits::default());
    let router = router(inference.clone());
    let ask = || tokio::spawn(router.clone().oneshot(signed(&question("hi"))));

    let refused = ask().await.unwrap().unwrap();
    assert_eq!(refused.status(), 503);
    assert_eq!(json_of(refused).await["code"], "model-loading");

    let early: Vec<_> = (0..5).map(|_| ask()).collect();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(inference.load(), Load { running: 0, waiting: 4 });
    inference.set_engine(Arc::new(Simulator::echo()));
    // A further model that is to come is not unknown.
    inference.expect(["later".to_owned()]);
    for (model, code) in [("later", "model-loading"), ("never", "model-not-found")] {
        let mut question = question("hi");
        question["model"] = json!(model);
        let refused = router.clone().oneshot(signed(&question)).await.unwrap();
        assert_eq!(json_of(refused).await["code"], code);
    }
    let mut statuses = Vec::new();
    for early in early {
        statuses.push(early.await.unwrap().unwrap().status().as_u16());
    }
    // A person has four places in the queue, here as elsewhere.
    assert_eq!(statuses, [200, 200, 200, 200, 429]);
}

#[tokio::test(start_paused = true)]
async fn as_many_run_at_once_as_the_engine_takes() {
    let engine = Simulator::echo().with_prefill(Duration::from_secs(1)).with_at_once(3);
    let app = App::new(engine);
    let asking: Vec<_> = (0..4)
        .map(|number| {
            let caller = Caller::new("acme", format!("u{number}"), "a");
            let token = web::token::sign(&Credential::new(SECRET), &caller, now()).unwrap();
            let request = post(&question("hi").to_string(), Some(token.expose_secret()));
            tokio::spawn(app.router.clone().oneshot(request))
        })
        .collect();
    for answer in asking {
        assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(app.record().most_at_once, 3);
}

#[tokio::test(start_paused = true)]
async fn bad_requests_never_reach_the_engine() {
    let app = App::new(Simulator::echo());
    let mut unknown = question("hi");
    unknown["model"] = json!("gpt-99");
    let response = app.ask(unknown).await;
    assert_eq!(
        (response.status().as_u16(), "model-not-found"),
        (404, code(response).await.as_str())
    );

    let response = app.ask(question(&"x".repeat(600 * 1024))).await;
    assert_eq!(
        (response.status().as_u16(), "request-too-large"),
        (413, code(response).await.as_str())
    );

    let response = app.send(post("{", Some(&token()))).await;
    assert_eq!(
        (response.status().as_u16(), "unreadable-request"),
        (400, code(response).await.as_str())
    );

    assert!(app.record().started.is_empty());
    let long = app.ask(question(&"x ".repeat(9000))).await;
    assert_eq!((long.status().as_u16(), "prompt-too-long"), (400, code(long).await.as_str()));
}

async fn code(response: HttpResponse<Body>) -> String {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    json_of(response).await["code"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_stops_the_engine_in_both_modes() {
    let app = App::new(Simulator::echo().with_pace(Duration::from_millis(10)));
    let long = "word ".repeat(100);

    let mut body = app.ask(streamed(&long)).await.into_body().into_data_stream();
    body.next().await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(35)).await;
    let before = app.record().tokens;
    drop(body);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let record = app.record();
    assert_eq!((record.running, record.cancelled), (0, 1));
    assert!(record.tokens <= before + 5, "{record:?}");
    assert_eq!(app.inference.load(), Load { running: 0, waiting: 0 });

    let whole = tokio::time::timeout(Duration::from_millis(35), app.ask(question(&long))).await;
    assert!(whole.is_err(), "it must still be running");
    tokio::time::sleep(Duration::from_secs(5)).await;
    let record = app.record();
    assert_eq!((record.running, record.cancelled), (0, 2));
    assert!(record.tokens < 20, "{record:?}");
}

#[tokio::test(start_paused = true)]
async fn one_runs_the_others_wait_and_see_where_they_stand() {
    let app = App::new(Simulator::echo().with_pace(Duration::from_millis(100)));
    let first = app.ask(streamed("one two three")).await;
    let second = app.ask(streamed("second")).await;
    let third = app.ask(streamed("third")).await;
    assert_eq!(second.headers()["x-queue-position"], "1");
    assert_eq!(third.headers()["x-queue-position"], "2");
    settle().await;
    assert_eq!(app.inference.load(), Load { running: 1, waiting: 2 });
    let (_, _, third) = tokio::join!(text_of(first), text_of(second), text_of(third));
    let before_text = third.split("data:").next().unwrap();
    assert_eq!(before_text, ": position 2\n\n: position 1\n\n");
    let record = app.record();
    assert_eq!(record.most_at_once, 1);
    assert_eq!(record.started, ["one two three", "second", "third"]);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_while_waiting_is_never_started() {
    let app = App::new(Simulator::echo().with_pace(Duration::from_millis(100)));
    let first = app.ask(streamed("one two three")).await;
    let second = app.ask(streamed("leaves")).await;
    settle().await;
    drop(second);
    settle().await;
    assert_eq!(app.inference.load(), Load { running: 1, waiting: 0 });
    text_of(first).await;
    settle().await;
    assert_eq!(app.record().started, ["one two three"]);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_says_when_to_come_back() {
    let places = Places { waiting_per_person: 1, ..Places::default() };
    let limits = Limits { policy: Policy { places, ..Policy::default() }, ..Limits::default() };
    let app = App::with(Simulator::echo().with_pace(Duration::from_secs(1)), limits);
    let _running = app.ask(streamed("one two three")).await;
    let waiting = app.ask(streamed("next")).await;
    assert_eq!(waiting.headers()["x-queue-wait"], "10");
    assert_eq!(waiting.headers()["ratelimit"], "\"waiting\";r=0;t=10");
    let refused = app.ask(streamed("too much")).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "10");
    assert_eq!(refused.headers()["ratelimit-policy"], "\"waiting\";q=1");
    assert_eq!(refused.headers()["ratelimit"], "\"waiting\";r=0;t=10");
    assert_eq!(refused.headers()["x-ratelimit-remaining-requests"], "0");
    assert_eq!(json_of(refused).await["code"], "queue-full");
}
