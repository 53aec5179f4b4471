//! The program of a platform's pods, started as a node does: what a pod names becomes files and
//! environment.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use clap::{Args as _, FromArgMatches as _};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::Api;
use tempfile::TempDir;
use tenant_runtime::program::{self, Settings};
use tokio_util::sync::CancellationToken;

use crate::House;

/// Settings of what the program does not have yet.
const UNUSED: [&str; 3] =
    ["SOULFRA_DATABASE_READ_URL_FILE", "SOULFRA_FILES_CREDENTIAL_FILE", "SOULFRA_FILES_URL"];

/// The program of a platform's pod.
pub(crate) struct Runtime {
    pub(crate) address: SocketAddr,
    host: String,
    client: reqwest::Client,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

/// What a pod is given by its node.
pub(crate) struct Pod {
    environment: BTreeMap<String, String>,
    host: String,
    /// Its volumes.
    _folder: TempDir,
}

impl Pod {
    pub(crate) async fn make(house: &House, name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let environment = mount(house, name, folder.path()).await;
        Self { environment, host: format!("{name}.platforms.example"), _folder: folder }
    }
}

impl Runtime {
    /// One that is ready.
    pub(crate) async fn start(house: &House, name: &str) -> Self {
        let runtime =
            Self::begin(&Pod::make(house, name).await, IpAddr::from([127, 0, 0, 1])).await;
        let ready = async {
            while runtime.get("/readyz").await.0 != 200 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(crate::house::SOON, ready).await.expect("it is ready in time");
        runtime
    }

    /// One that listens at this address, and may not be ready yet.
    pub(crate) async fn begin(pod: &Pod, at: IpAddr) -> Self {
        let mut environment = pod.environment.clone();
        // Many pods listen on one port of addresses of their own, and tests on none of their own.
        let listen = SocketAddr::from((at, 0)).to_string();
        environment.insert("SOULFRA_LISTEN".to_owned(), listen);
        let settings = settings(&environment);
        let stop = CancellationToken::new();
        let (tell, told) = tokio::sync::oneshot::channel();
        let until = stop.clone();
        let serving = tokio::spawn(async move {
            program::run(settings, until, |address| tell.send(address).unwrap()).await.unwrap();
        });
        let address = told.await.unwrap();
        let client = web::client::internal().unwrap();
        Self { address, host: pod.host.clone(), client, stop, serving }
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let request = self.client.get(format!("http://{}{path}", self.address));
        let answer = request.header("host", &self.host).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> u16 {
        let body =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.client.post(format!("http://{}{path}", self.address)).body(body);
        let request = request
            .header("host", &self.host)
            .header("origin", format!("https://{}", self.host))
            .header("content-type", "application/x-www-form-urlencoded");
        request.send().await.unwrap().status().as_u16()
    }

    pub(crate) async fn end(self) {
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
