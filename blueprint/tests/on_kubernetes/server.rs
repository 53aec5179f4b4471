//! The API server of this run, asked what it thinks of a blueprint without keeping it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Certificate, Client, Response, StatusCode};
use serde_json::Value;

const DEFINITIONS: &str = "apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const BLUEPRINTS: &str = "apis/soulfra.io/v1alpha1/platformblueprints";
const PATIENCE: Duration = Duration::from_mins(2);

pub struct Server {
    http: Client,
    address: String,
}

/// What the API server said.
#[derive(Debug)]
pub struct Answer {
    pub accepts: bool,
    pub message: String,
    /// Field and message of each fault.
    pub faults: Vec<(String, String)>,
}

impl Server {
    /// With our definition installed.
    pub async fn with_definition() -> Self {
        let server = Self::of_this_run();
        server.install(&blueprint::crd_yaml()).await;
        server
    }

    fn of_this_run() -> Self {
        let file = std::env::var_os("SOULFRA_TEST_KUBECONFIG")
            .expect("SOULFRA_TEST_KUBECONFIG: run this by `cargo xtask test --suite cluster`");
        let config = std::fs::read_to_string(PathBuf::from(file)).unwrap();
        let config: Value = serde_saphyr::from_str(&config).unwrap();
        let cluster = &config["clusters"][0]["cluster"];
        let authority = cluster["certificate-authority"].as_str().unwrap();
        let authority = Certificate::from_pem(&std::fs::read(authority).unwrap()).unwrap();
        let token = config["users"][0]["user"]["token"].as_str().unwrap();
        let token = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        let http = Client::builder()
            .tls_certs_only([authority])
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, token)]))
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .unwrap();
        Self { http, address: cluster["server"].as_str().unwrap().to_owned() }
    }

    async fn install(&self, definition: &str) {
        let name = "platformblueprints.soulfra.io";
        let url = format!("{}/{DEFINITIONS}/{name}", self.address);
        let patch = self.http.patch(format!("{url}?fieldManager=tests&force=true"));
        let patch = patch.header(CONTENT_TYPE, "application/apply-patch+yaml");
        let answer = patch.body(definition.to_owned()).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "the definition was refused: {text}");
        let patience = Instant::now() + PATIENCE;
        loop {
            let answer = self.http.get(&url).send().await.unwrap();
            let definition: Value = answer.json().await.unwrap();
            let conditions = definition["status"]["conditions"].clone();
            let has = |kind: &str, status: &str| {
                conditions.as_array().is_some_and(|all| {
                    all.iter().any(|c| c["type"] == kind && c["status"] == status)
                })
            };
            assert!(!has("NonStructuralSchema", "True"), "{conditions}");
            if has("Established", "True") && self.serves_blueprints().await {
                return;
            }
            assert!(Instant::now() < patience, "the definition is not established: {conditions}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn serves_blueprints(&self) -> bool {
        let answer = self.http.get(format!("{}/{BLUEPRINTS}", self.address)).send().await.unwrap();
        answer.status() == StatusCode::OK
    }

    /// Whether it would take this as a new blueprint, as `kubectl apply` asks: unknown fields are
    /// refused, not dropped.
    pub async fn ask(&self, blueprint: &Value) -> Answer {
        let trial = "dryRun=All&fieldValidation=Strict";
        let post = self.http.post(format!("{}/{BLUEPRINTS}?{trial}", self.address));
        Answer::read(post.json(blueprint).send().await.unwrap()).await
    }
}

impl Answer {
    async fn read(answer: Response) -> Self {
        let status = answer.status();
        let told: Value = answer.json().await.unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        assert!(status.is_success() || status.is_client_error(), "{status}: {told}");
        let causes = told["details"]["causes"].as_array().cloned().unwrap_or_default();
        let faults = causes.iter().map(|cause| (text(&cause["field"]), text(&cause["message"])));
        Self {
            accepts: status.is_success(),
            message: text(&told["message"]),
            faults: faults.collect(),
        }
    }
}
