//! The program as operators run it: a file, two ports, a real model, an end in order.
#![expect(clippy::unwrap_used, reason = "helpers of tests, which clippy takes for something else")]

mod server;

use std::process::{Command, ExitStatus};

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use server::{SECRET, Server, begin};

impl Server {
    async fn ask(&self, body: &Value) -> (u16, Value) {
        let url = format!("{}/v1/chat/completions", self.tenants);
        let token = server::token();
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

#[tokio::test]
async fn it_answers_lists_loads_and_ends_when_told() {
    let server = Server::start(json!({"models": ["smollm2-135m"]}));
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
    let (mut missing, _) = begin(folder.path(), SECRET, json!({"models": ["no-such-model"]}));
    assert!(!missing.wait().unwrap().success());
    let (mut guessable, line) = begin(folder.path(), "short", json!({"models": ["smollm2-135m"]}));
    assert!(!guessable.wait().unwrap().success());
    assert_eq!(line, "", "no port was opened");
}
