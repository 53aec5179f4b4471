//! A house for the program: its files, its database, its model server; and the program in it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use blueprint::templates::{Overrides, from_template};
use blueprint::{BlueprintName, PlanName, PlatformBlueprint, templates};
use database::Admin;
use database::tenant::{self, TenantDatabase};
use inference::safety::Level;
use inference::simulator::{SIMULATED_MODEL, Simulator};
use inference::{Credentials, Inference, Limits, Tenant};
use reqwest::header;
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use web::serve::{Places, Transport};
use web::token::Credential;
use work::Clock;
use work::sealed::RootKey;

use crate::common::{drop_database, server};

/// The platform's name in the world.
pub(crate) const HOST: &str = "acme.platforms.example";
const SECRET: &str = "a-secret-of-at-least-thirty-two-bytes";
/// What has not come by then does not come.
const SOON: Duration = Duration::from_mins(1);

/// All that stands around the program; gone when the test is over, however it ends.
pub(crate) struct House {
    folder: TempDir,
    admin: Admin,
    /// The database's; the platform is called `acme`.
    name: BlueprintName,
    app_url: SecretString,
    blueprint: Mutex<PlatformBlueprint>,
    models: SocketAddr,
    stop: CancellationToken,
}

impl House {
    /// With a database.
    pub(crate) async fn new(engine: Simulator) -> Self {
        let house = Self::without_database(engine).await;
        house.make_database().await;
        house
    }

    /// With the way to a database that is not there yet.
    pub(crate) async fn without_database(engine: Simulator) -> Self {
        let admin = Admin::from_url(&server()).unwrap();
        let name: BlueprintName = format!("pr-{}", Uuid::new_v4().simple()).parse().unwrap();
        let (app_url, _) = tenant::access(&admin, &name, &key(), 0);
        let stop = CancellationToken::new();
        let models = serve_models(engine, stop.clone()).await;
        let wanted = Overrides {
            model: Some(SIMULATED_MODEL.to_owned()),
            ..Overrides::named("acme".parse().unwrap())
        };
        let blueprint = from_template(templates::get("creator").unwrap(), &wanted).unwrap();
        let blueprint = Mutex::new(blueprint);
        let folder = tempfile::tempdir().unwrap();
        let house = Self { folder, admin, name, app_url, blueprint, models, stop };
        house.declare(|_| {});
        let entitlements = PlanName::Business.entitlements();
        let entitlements = serde_json::to_string(&entitlements).unwrap();
        fs::write(house.path("entitlements.json"), entitlements).unwrap();
        house.write_database_url(house.app_url.expose_secret());
        fs::write(house.path("credential"), SECRET).unwrap();
        house
    }

    pub(crate) async fn make_database(&self) -> TenantDatabase {
        tenant::provision(&self.admin, &self.name, &tenant_runtime::SCHEMA, &key()).await.unwrap()
    }

    /// Changes the blueprint's file, as Kubernetes does.
    pub(crate) fn declare(&self, change: impl FnOnce(&mut PlatformBlueprint)) {
        let mut blueprint = self.blueprint.lock().unwrap();
        change(&mut blueprint);
        self.write_blueprint(&blueprint::write(&blueprint));
    }

    pub(crate) fn write_blueprint(&self, text: &str) {
        let next = self.path("next");
        fs::write(&next, text).unwrap();
        fs::rename(next, self.path("blueprint.yaml")).unwrap();
    }

    /// Says which control plane there is, as Kubernetes does.
    pub(crate) fn write_control_plane(&self, text: &str) {
        let next = self.path("next");
        fs::write(&next, text).unwrap();
        fs::rename(next, self.path("control-plane.json")).unwrap();
    }

    pub(crate) fn write_database_url(&self, url: &str) {
        fs::write(self.path("database-url"), url).unwrap();
    }

    /// The platform's rows.
    pub(crate) fn rows(&self) -> PgPool {
        tenant::pool(&self.app_url).unwrap()
    }

    /// The path of a fresh admin link.
    pub(crate) async fn admin_link(&self) -> String {
        let mut db = self.rows().acquire().await.unwrap();
        let now = Clock::System.now();
        let link = accounts::ownership::issue(&mut db, now).await.unwrap();
        format!("/welcome/{}", link.token.expose())
    }

    /// Starts the program.
    pub(crate) fn start(&self) -> Running {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tenant-runtime"))
            .env_clear()
            .env("SOULFRA_BLUEPRINT", self.path("blueprint.yaml"))
            .env("SOULFRA_DATABASE_URL_FILE", self.path("database-url"))
            .env("SOULFRA_LISTEN", "127.0.0.1:0")
            .env("SOULFRA_MODELS_CREDENTIAL_FILE", self.path("credential"))
            .env("SOULFRA_MODELS_URL", format!("http://{}/v1", self.models))
            .env("SOULFRA_PLATFORM_DOMAIN", "platforms.example")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let heard = Arc::clone(&log);
        let listener = std::thread::spawn(move || {
            let mut line = String::new();
            while said.read_line(&mut line).unwrap() > 0 {
                heard.lock().unwrap().push_str(&std::mem::take(&mut line));
            }
        });
        let mut told = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut told).unwrap();
        let told: serde_json::Value = serde_json::from_str(&told).unwrap_or_default();
        let address = told["listen"].as_str().unwrap_or_default().to_owned();
        Running { child, address, log, listener: Some(listener) }
    }

    pub(crate) fn port_of_models(&self) -> u16 {
        self.models.port()
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
        drop_database(self.admin.clone(), self.name.clone());
    }
}

/// The program while it runs.
pub(crate) struct Running {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
    listener: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    /// Somebody whom the edge hands on.
    pub(crate) fn visitor(&self) -> Browser {
        let client = web::client::internal().unwrap();
        Browser { client, address: self.address.clone(), host: Some(HOST.to_owned()), cookie: None }
    }

    /// The node, which asks for no host.
    pub(crate) fn prober(&self) -> Browser {
        Browser { host: None, ..self.visitor() }
    }

    pub(crate) async fn becomes_ready(&self) {
        let prober = self.prober();
        self.comes_to(|| async { prober.get("/readyz").await.status == 200 }).await;
    }

    /// Waits until something is so.
    pub(crate) async fn comes_to<F: Future<Output = bool>>(&self, is_so: impl Fn() -> F) {
        let start = Instant::now();
        while !is_so().await {
            let log = self.log.lock().unwrap().clone();
            assert!(start.elapsed() < SOON, "it did not come to that: {log}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Whether it has logged these words.
    pub(crate) fn logged(&self, words: &str) -> bool {
        self.log.lock().unwrap().contains(words)
    }

    /// The ports of those it is connected to or would be; who came to it is none of them.
    pub(crate) fn ports_it_asks(&self) -> BTreeSet<u16> {
        let process = format!("/proc/{}", self.child.id());
        let open = fs::read_dir(format!("{process}/fd")).unwrap();
        let open: BTreeSet<_> = open
            .filter_map(|file| Some(fs::read_link(file.ok()?.path()).ok()?.display().to_string()))
            .collect();
        let own: u16 = self.address.rsplit(':').next().unwrap().parse().unwrap();
        ["tcp", "tcp6"]
            .iter()
            .flat_map(|kind| {
                let table = fs::read_to_string(format!("{process}/net/{kind}")).unwrap();
                table.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
            })
            .filter_map(|line| {
                let fields: Vec<_> = line.split_whitespace().collect();
                let port = |at: usize| u16::from_str_radix(fields[at].rsplit(':').next()?, 16).ok();
                let is_its = open.contains(&format!("socket:[{}]", fields[9]));
                // It listens at a port of its own, which nobody else has at the other end.
                (is_its && port(1)? != own).then(|| port(2)).flatten()
            })
            .collect()
    }

    /// Tells it to end, and waits until it has.
    pub(crate) fn end(mut self) -> ExitStatus {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.child.wait().unwrap()
    }

    /// How it ended by itself, and what it logged.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < SOON, "it goes on: {}", self.log.lock().unwrap());
            std::thread::sleep(Duration::from_millis(50));
        };
        self.listener.take().unwrap().join().unwrap();
        (status, self.log.lock().unwrap().clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.child.kill();
        _ = self.child.wait();
        if let Some(mut rest) = self.child.stdout.take() {
            _ = rest.read_to_end(&mut Vec::new());
        }
    }
}

/// Whoever asks.
pub(crate) struct Browser {
    client: reqwest::Client,
    address: String,
    host: Option<String>,
    cookie: Option<String>,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: header::HeaderMap,
    pub(crate) body: String,
}

impl Browser {
    /// The same, who asks for another host.
    pub(crate) fn of(self, host: &str) -> Self {
        Self { host: Some(host.to_owned()), ..self }
    }

    /// The same with a cookie, as it was set.
    pub(crate) fn with(self, cookie: &str) -> Self {
        let pair = cookie.split(';').next().unwrap().to_owned();
        Self { cookie: Some(pair), ..self }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.client.get(format!("http://{}{path}", self.address))).await
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        let body = form.extend_pairs(fields).finish();
        let request = self.client.post(format!("http://{}{path}", self.address)).body(body);
        let request = request
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ORIGIN, format!("https://{HOST}"))
            .header("sec-fetch-site", "same-origin");
        self.send(request).await
    }

    /// Shows a grant, as a control plane does.
    pub(crate) async fn brings(&self, grant: &str) -> Answer {
        let request = self.client.post(format!("http://{}/grants/admin-link", self.address));
        self.send(request.body(grant.to_owned())).await
    }

    async fn send(&self, mut request: reqwest::RequestBuilder) -> Answer {
        request = request.header(header::ACCEPT, "text/html");
        if let Some(host) = &self.host {
            request = request
                .header(header::HOST, host)
                .header("x-forwarded-for", "198.51.100.1, 203.0.113.7");
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answer { status, headers, body: answer.text().await.unwrap() }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    #[track_caller]
    pub(crate) fn location(&self) -> &str {
        self.header("location").unwrap()
    }

    /// The cookie that was set.
    #[track_caller]
    pub(crate) fn cookie(&self) -> String {
        self.header("set-cookie").unwrap().to_owned()
    }
}

async fn serve_models(engine: Simulator, stop: CancellationToken) -> SocketAddr {
    let credentials = Credentials::default();
    let tenant = Tenant::new(Credential::new(SECRET), "starter", Level::Moderate);
    credentials.set("acme", tenant);
    let now = Arc::new(|| Clock::System.now());
    let inference = Inference::new(credentials, now, Limits::default());
    inference.set_engine(Arc::new(engine));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let places = Places::new(web::serve::Limits::default());
    let router = inference::router(inference);
    tokio::spawn(web::serve::serve(listener, Transport::Plain, router, stop, places));
    address
}

fn key() -> RootKey {
    RootKey::from_bytes([7; 32])
}
