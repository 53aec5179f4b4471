//! The proxy before a real API server.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]
#![expect(clippy::expect_used, reason = "same")]

use std::path::PathBuf;

use faults::api::{Call, Event, Fault, Proxy, Upstream};
use faults::script;
use reqwest::{Client, Response, retry};
use serde_json::{Value, json};

const NAMESPACES: &str = "/api/v1/namespaces";

struct Cluster {
    proxy: Proxy,
    http: Client,
}

impl Cluster {
    async fn of_this_run() -> Self {
        let file = std::env::var_os("SOULFRA_TEST_KUBECONFIG")
            .expect("SOULFRA_TEST_KUBECONFIG: run this by `cargo xtask test --suite cluster`");
        let upstream = Upstream::of_kubeconfig(&PathBuf::from(file)).unwrap();
        let proxy = Proxy::before(upstream).await.unwrap();
        let http = Client::builder().no_proxy().retry(retry::never()).build().unwrap();
        Self { proxy, http }
    }

    async fn get(&self, path: &str) -> Response {
        self.http.get(self.proxy.url() + path).send().await.unwrap()
    }

    async fn create(&self, name: &str) -> reqwest::Result<Response> {
        let body = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        self.http.post(self.proxy.url() + NAMESPACES).json(&body).send().await
    }

    async fn has(&self, name: &str) -> bool {
        self.get(&format!("{NAMESPACES}/{name}")).await.status().is_success()
    }
}

#[tokio::test]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn on_kubernetes_a_lost_answer_leaves_the_object() {
    let cluster = Cluster::of_this_run().await;
    cluster.proxy.follow(script::at(0, Call::has_effect, Fault::ResetBefore));
    assert!(cluster.create("faults-before").await.is_err());
    assert!(!cluster.has("faults-before").await);
    cluster.proxy.follow(script::at(0, Call::has_effect, Fault::ResetAfter));
    assert!(cluster.create("faults-after").await.is_err());
    assert!(cluster.has("faults-after").await);
    assert_eq!(cluster.create("faults-after").await.unwrap().status(), 409);
    assert_eq!(cluster.proxy.count(Call::has_effect), 3);
}

#[tokio::test]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn on_kubernetes_a_stale_list_lacks_what_is_there() {
    let cluster = Cluster::of_this_run().await;
    let names = async || -> Vec<String> {
        let list: Value = cluster.get(NAMESPACES).await.json().await.unwrap();
        let items = list["items"].as_array().unwrap();
        items.iter().map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    assert!(!names().await.contains(&"faults-stale".to_owned()));
    cluster.create("faults-stale").await.unwrap();
    cluster.proxy.follow(|_| Fault::Stale { back: 1 });
    assert!(!names().await.contains(&"faults-stale".to_owned()));
    cluster.proxy.follow(script::nothing());
    assert!(names().await.contains(&"faults-stale".to_owned()));
}

#[tokio::test]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn on_kubernetes_a_watch_loses_an_event_and_ends_with_410() {
    let cluster = Cluster::of_this_run().await;
    cluster.create("faults-watch").await.unwrap();
    cluster.proxy.follow(|_| {
        Fault::Events(Box::new(|number| match number {
            0 => Event::Drop,
            1 => Event::Pass,
            _ => Event::Gone,
        }))
    });
    // At least `default`, the three of the system and ours: each is told as added.
    let text = cluster.get(&format!("{NAMESPACES}?watch=true")).await.text().await.unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((events.len(), &events[0]["type"]), (2, &"ADDED".into()));
    assert_eq!(events[1]["object"]["code"], 410);
}
