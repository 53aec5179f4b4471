//! The program as operators run it: a file, two ports, a real model, an end in order.
#![expect(clippy::unwrap_used, reason = "helpers of tests, which clippy takes for something else")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use inference::models::Store;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use web::token::{Caller, Credential};

const SECRET: &str = "a-secret-of-at-least-thirty-two-bytes";

struct Server {
    child: Child,
    tenants: String,
    operators: String,
    client: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start(models: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (mut child, addresses) = begin(folder.path(), models, SECRET);
        let told: Value = serde_json::from_str(&addresses).unwrap_or_else(|_| {
            panic!("it said {addresses:?} and ended as {:?}", child.wait());
        });
        let address = |name: &str| format!("http://{}", told[name].as_str().unwrap());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let (tenants, operators) = (address("tenants"), address("operators"));
        Self { child, tenants, operators, client, _folder: folder }
    }

    async fn ask(&self, body: &Value) -> (u16, Value) {
        let caller = Caller::new("acme", "u", "a");
        let token = web::token::sign(&Credential::new(SECRET), &caller, now()).unwrap();
        let url = format!("{}/v1/chat/completions", self.tenants);
        let request = self.client.post(url).bearer_auth(token.expose_secret()).json(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn operate(&self, method: reqwest::Method, path: &str) -> (u16, Value) {
        let request = self.client.request(method, format!("{}{path}", self.operators));
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    fn end(mut self) -> ExitStatus {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already ended, mostly.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "the program has the system's clock too")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Starts it, and reads the first line of what it says.
fn begin(folder: &Path, models: &str, secret: &str) -> (Child, String) {
    let (file, secret_file) = (folder.join("server.yaml"), folder.join("secret"));
    std::fs::write(&secret_file, secret).unwrap();
    let cache = Store::of_this_person().unwrap();
    let config = json!({
        "listen": "127.0.0.1:0", "admin": "127.0.0.1:0", "models": [models],
        "usage": folder.join("usage"),
        "prices": {"smollm2-135m": free(), "no-such-model": free()},
        "cache": cache.folder(), "tenants": [{"name": "acme", "secretFile": secret_file, "class": "business"}],
    });
    // JSON is YAML.
    std::fs::write(&file, config.to_string()).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_model-server"))
        .arg("--config")
        .arg(file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, line)
}

fn free() -> Value {
    json!({"currency": "USD", "prompt": 0, "cachedPrompt": 0, "completion": 0})
}

#[tokio::test]
async fn it_answers_lists_loads_and_ends_when_told() {
    let server = Server::start("smollm2-135m");
    let question = json!({
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
        "temperature": 0, "max_tokens": 24,
    });
    let (status, answer) = server.ask(&question).await;
    assert_eq!(status, 200, "{answer}");
    assert!(!answer["choices"][0]["message"]["content"].as_str().unwrap().is_empty());
    assert!(answer["usage"]["completion_tokens"].as_u64().unwrap() > 1, "{answer}");

    let get = reqwest::Method::GET;
    assert_eq!(server.operate(get.clone(), "/ready").await.0, 200);
    let (_, models) = server.operate(get, "/models").await;
    assert_eq!(models["models"][0]["id"], "smollm2-135m");
    let (again, _) = server.operate(reqwest::Method::PUT, "/models/smollm2-135m").await;
    let (unknown, _) = server.operate(reqwest::Method::PUT, "/models/no-such-model").await;
    let (gone, _) = server.operate(reqwest::Method::DELETE, "/models/smollm2-135m").await;
    assert_eq!((again, unknown, gone), (200, 404, 200));
    assert_eq!(server.operate(reqwest::Method::GET, "/ready").await.0, 503);
    let (back, _) = server.operate(reqwest::Method::PUT, "/models/smollm2-135m").await;
    let (status, _) = server.ask(&question).await;
    assert_eq!((back, status), (200, 200));
    assert!(server.end().success());
}

#[test]
fn what_cannot_be_served_is_said_and_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut missing, _) = begin(folder.path(), "no-such-model", SECRET);
    assert!(!missing.wait().unwrap().success());
    let (mut guessable, line) = begin(folder.path(), "smollm2-135m", "short");
    assert!(!guessable.wait().unwrap().success());
    assert_eq!(line, "", "no port was opened");
}
