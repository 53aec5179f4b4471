//! A platform as the API server has it, served by the program that its pods run: the test is the
//! node, which makes files and environment of what a pod names.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use clap::{Args as _, FromArgMatches as _};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams};
use operator::kind::Kind;
use operator::reconcile::ADMIN_LINK;
use operator::seen::Tenant;
use serde_json::json;
use tempfile::TempDir;
use tenant_runtime::program::{self, Settings};
use tokio_util::sync::CancellationToken;

use crate::House;

/// Settings of what the program does not have yet.
const UNUSED: [&str; 3] =
    ["SOULFRA_DATABASE_READ_URL_FILE", "SOULFRA_FILES_CREDENTIAL_FILE", "SOULFRA_FILES_URL"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn a_blueprint_becomes_a_platform_that_its_first_visitor_owns_by_a_link_good_for_one_use() {
    let log = log();
    let house = House::open(2).await;
    let name = house.name("a");
    house.apply(&name, |_| {}).await;
    house.until_made(&name).await;
    house.until_known(&name, has_link).await;
    let link = link_of(&house, &name).await.expect("there is a link");
    let runtime = Runtime::start(&house, &name).await;
    let host = format!("{name}.platforms.example");
    assert!(link.starts_with(&format!("https://{host}/welcome/")), "{link}");
    let path = link.strip_prefix(&format!("https://{host}")).unwrap();

    assert_eq!(runtime.get("/").await.0, 200);
    assert_eq!(runtime.get(path).await.0, 200, "looking uses nothing up");
    let olive = [("name", "Olive"), ("email", "olive@example.com"), ("password", "horse staple b")];
    assert_eq!(runtime.post(path, &olive).await, 303);
    assert_eq!(runtime.post(path, &olive).await, 410);
    assert_eq!(runtime.get(path).await.0, 410);

    // Used: it is taken away, and no other one is made.
    house.clock.advance(SignedDuration::from_mins(6));
    house.settle(&name).await;
    assert_eq!(link_of(&house, &name).await, None);
    let status = house.blueprints().get(&name).await.unwrap().status.unwrap();
    assert_eq!(status.admin_link.map(|link| (link.asked, link.until)), Some((String::new(), None)));

    // Whoever lost the way in is let in again, by another one.
    house.apply(&name, |it| it["metadata"]["annotations"] = json!({ADMIN_LINK: "lost"})).await;
    let again = house.until(&name, "asked again", |it| {
        it.status
            .as_ref()
            .and_then(|it| it.admin_link.as_ref())
            .is_some_and(|it| it.asked == "lost")
    });
    let asked = again.await.status.unwrap().admin_link.unwrap();
    assert!(asked.until.is_some());
    house.until_known(&name, has_link).await;
    let second = link_of(&house, &name).await.expect("there is another link");
    assert_ne!(link, second);
    let (status, page) =
        runtime.get(second.strip_prefix(&format!("https://{host}")).unwrap()).await;
    assert!(status == 200 && page.contains("Welcome back"), "{page}");

    // Nobody tells what the links say but the Secret.
    let secrets = [&link, &second].map(|link| link.rsplit('/').next().unwrap().to_owned());
    let blueprint = serde_json::to_string(&house.blueprints().get(&name).await.unwrap()).unwrap();
    let events: Api<Event> = Api::all(house.client.clone());
    let events = events.list(&ListParams::default()).await.unwrap().items;
    let configs: Api<ConfigMap> = Api::namespaced(house.client.clone(), &format!("tenant-{name}"));
    let configs = configs.list(&ListParams::default()).await.unwrap().items;
    let said = String::from_utf8_lossy(&log.lock().unwrap()).into_owned();
    assert!(said.contains(&name), "the log is heard");
    for told in [&blueprint, &json!(events).to_string(), &json!(configs).to_string(), &said] {
        assert!(secrets.iter().all(|secret| !told.contains(secret)), "a link was told");
    }
    runtime.end().await;
}

fn has_link(tenant: &Tenant) -> bool {
    tenant.children.keys().any(|id| id.kind == Kind::Secret && *id.name == *"admin-link")
}

/// The link that is in the platform's namespace.
async fn link_of(house: &House, name: &str) -> Option<String> {
    let secrets: Api<Secret> = Api::namespaced(house.client.clone(), &format!("tenant-{name}"));
    let secret = secrets.get_opt("admin-link").await.unwrap()?;
    Some(String::from_utf8(secret.data?.remove("url")?.0).unwrap())
}

/// The program of a platform's pod.
struct Runtime {
    address: SocketAddr,
    host: String,
    client: reqwest::Client,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
    /// Its volumes.
    _folder: TempDir,
}

impl Runtime {
    async fn start(house: &House, name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let environment = mount(house, name, folder.path()).await;
        let settings = settings(&environment);
        let stop = CancellationToken::new();
        let (tell, told) = tokio::sync::oneshot::channel();
        let until = stop.clone();
        let serving = tokio::spawn(async move {
            program::run(settings, until, |address| tell.send(address).unwrap()).await.unwrap();
        });
        let address = told.await.unwrap();
        let host = format!("{name}.platforms.example");
        let client = web::client::internal().unwrap();
        let runtime = Self { address, host, client, stop, serving, _folder: folder };
        let ready = async {
            while runtime.get("/readyz").await.0 != 200 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(crate::house::SOON, ready).await.expect("it is ready in time");
        runtime
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let request = self.client.get(format!("http://{}{path}", self.address));
        let answer = request.header("host", &self.host).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> u16 {
        let body =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.client.post(format!("http://{}{path}", self.address)).body(body);
        let request = request
            .header("host", &self.host)
            .header("origin", format!("https://{}", self.host))
            .header("content-type", "application/x-www-form-urlencoded");
        request.send().await.unwrap().status().as_u16()
    }

    async fn end(self) {
        self.stop.cancel();
        self.serving.await.unwrap();
    }
}

/// Writes the volumes that the runtime's pods mount, and gives the environment they have.
async fn mount(house: &House, name: &str, folder: &Path) -> BTreeMap<String, String> {
    let deployment = house.deployments(name).get("runtime").await.unwrap();
    let pod = deployment.spec.unwrap().template.spec.unwrap();
    let namespace = format!("tenant-{name}");
    let configs: Api<ConfigMap> = Api::namespaced(house.client.clone(), &namespace);
    let secrets: Api<Secret> = Api::namespaced(house.client.clone(), &namespace);
    let container = &pod.containers[0];
    let mut places = BTreeMap::new();
    for volume in pod.volumes.unwrap() {
        let place = folder.join(&volume.name);
        fs::create_dir(&place).unwrap();
        let mounts = container.volume_mounts.iter().flatten();
        let mounted = mounts.clone().find(|mount| mount.name == volume.name).unwrap();
        places.insert(mounted.mount_path.clone(), place.clone());
        if let Some(config) = volume.config_map {
            for (file, text) in configs.get(&config.name).await.unwrap().data.unwrap() {
                fs::write(place.join(file), text).unwrap();
            }
        }
        for source in volume.projected.and_then(|it| it.sources).unwrap_or_default() {
            let projected = source.secret.unwrap();
            let data = secrets.get(&projected.name).await.unwrap().data.unwrap();
            for item in projected.items.unwrap() {
                let file = place.join(item.path);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, &data[&item.key].0).unwrap();
            }
        }
    }
    let mut environment = BTreeMap::new();
    for from in container.env_from.iter().flatten() {
        let config = &from.config_map_ref.as_ref().unwrap().name;
        for (variable, value) in configs.get(config).await.unwrap().data.unwrap() {
            let within = places.iter().find(|(mounted, _)| value.starts_with(mounted.as_str()));
            let value = match within {
                Some((mounted, place)) => value.replacen(mounted, place.to_str().unwrap(), 1),
                None => value,
            };
            environment.insert(variable, value);
        }
    }
    // Many pods listen on one port of addresses of their own, and tests on none of their own.
    environment.insert("SOULFRA_LISTEN".to_owned(), "127.0.0.1:0".to_owned());
    environment
}

/// What the program makes of an environment; each of it must mean something to it.
fn settings(environment: &BTreeMap<String, String>) -> Settings {
    let command = Settings::augment_args(clap::Command::new("tenant-runtime"));
    let mut options = vec!["tenant-runtime".to_owned()];
    let mut known = UNUSED.map(str::to_owned).to_vec();
    for argument in command.get_arguments() {
        let Some(variable) = argument.get_env().and_then(|it| it.to_str()) else { continue };
        known.push(variable.to_owned());
        if let Some(value) = environment.get(variable) {
            options.push(format!("--{}={value}", argument.get_long().unwrap()));
        }
    }
    let unknown: Vec<_> = environment.keys().filter(|it| !known.contains(it)).collect();
    assert!(unknown.is_empty(), "the program knows nothing of {unknown:?}");
    Settings::from_arg_matches(&command.get_matches_from(options)).unwrap()
}

/// All that is logged in this process, from now on.
fn log() -> Arc<Mutex<Vec<u8>>> {
    static LOG: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();
    let log = LOG.get_or_init(|| {
        let log = Arc::<Mutex<Vec<u8>>>::default();
        let into = Into(log.clone());
        let filter = "debug,operator=trace,tenant_runtime=trace,accounts=trace,database=trace";
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(false)
            .with_writer(move || into.clone())
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        log
    });
    log.clone()
}

#[derive(Clone)]
struct Into(Arc<Mutex<Vec<u8>>>);

impl Write for Into {
    fn write(&mut self, said: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(said);
        Ok(said.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
