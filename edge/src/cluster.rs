//! The cluster that platforms run in, as far as an edge needs it: a port, behind which is the API
//! server.

use std::time::Duration;

use async_trait::async_trait;
use axum::http::uri::Authority;
use futures::stream::{BoxStream, StreamExt as _};
use futures::{TryStreamExt as _, stream};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watcher};
use serde_json::json;

/// How the Deployment of a platform's pods is called, and the Service before them.
const RUNTIME: &str = "runtime";
/// Who we are to the API server's book-keeping of fields.
const MANAGER: &str = "soulfra-edge";
/// A call must end within this time.
const CALL_DEADLINE: Duration = Duration::from_secs(5);
/// The API server's answer where a patch tests for something that is not so.
const IS_OTHERWISE: u16 = 422;

/// The cluster.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// Has so many copies of a platform run, where none are to. Where some are, nothing is done.
    ///
    /// # Errors
    /// [`NotStarted`]: the same can be asked for again.
    async fn start(&self, namespace: &str, copies: u16) -> Result<(), NotStarted>;

    /// Where pods of a platform are, as soon as each has an address and whether it answers or not;
    /// one may be told again and again. Those that are about to end are not told.
    fn pods(&self, namespace: &str) -> BoxStream<'static, Authority>;
}

/// Nothing was started, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotStarted {
    /// There is nothing to start.
    #[error("there is no Deployment {RUNTIME} in {0}")]
    Missing(String),
    /// The API server did not do it.
    #[error("the API server: {0}")]
    Unavailable(String),
}

/// The API server.
pub struct Kubernetes(Client);

impl Kubernetes {
    /// By this client.
    pub fn new(client: Client) -> Self {
        Self(client)
    }
}

#[async_trait]
impl Cluster for Kubernetes {
    async fn start(&self, namespace: &str, copies: u16) -> Result<(), NotStarted> {
        let api: Api<Deployment> = Api::namespaced(self.0.clone(), namespace);
        let by = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        // Of a scale of none, nought is left out. One call, since visitors wait for it; of plain
        // values: there is nothing to fail.
        let from_none = serde_json::from_value(json!([
            {"op": "test", "path": "/spec", "value": {}},
            {"op": "add", "path": "/spec/replicas", "value": copies},
        ]));
        let patch = Patch::Json::<()>(from_none.unwrap_or_default());
        let patched = api.patch_scale(RUNTIME, &by, &patch);
        match within(patched).await? {
            Err(kube::Error::Api(refused)) if refused.code == IS_OTHERWISE => {
                let scale = said(namespace, within(api.get_scale(RUNTIME)).await?)?;
                let wanted = scale.spec.and_then(|spec| spec.replicas).unwrap_or(0);
                let why = || NotStarted::Unavailable(refused.message.clone());
                if wanted > 0 { Ok(()) } else { Err(why()) }
            }
            patched => said(namespace, patched).map(|_| ()),
        }
    }

    fn pods(&self, namespace: &str) -> BoxStream<'static, Authority> {
        let api: Api<EndpointSlice> = Api::namespaced(self.0.clone(), namespace);
        let ours = watcher::Config::default()
            .labels(&format!("kubernetes.io/service-name={RUNTIME}"))
            .timeout(60);
        watcher(api, ours)
            .default_backoff()
            .touched_objects()
            .map_ok(|slice| stream::iter(addresses(&slice)))
            .filter_map(async |slice| slice.ok())
            .flatten()
            .boxed()
    }
}

fn addresses(slice: &EndpointSlice) -> Vec<Authority> {
    let port = slice.ports.iter().flatten().find_map(|port| port.port);
    let stays = slice.endpoints.iter().filter(|endpoint| {
        let conditions = endpoint.conditions.as_ref();
        conditions.and_then(|conditions| conditions.terminating) != Some(true)
    });
    let bare = |address: &String| {
        let port = port?;
        // An address of IPv6 stands in brackets there.
        let at = if slice.address_type == "IPv6" {
            format!("[{address}]:{port}")
        } else {
            format!("{address}:{port}")
        };
        at.parse().ok()
    };
    stays.flat_map(|endpoint| &endpoint.addresses).filter_map(bare).collect()
}

async fn within<T>(
    call: impl Future<Output = kube::Result<T>>,
) -> Result<kube::Result<T>, NotStarted> {
    tokio::time::timeout(CALL_DEADLINE, call).await.map_err(|_| {
        NotStarted::Unavailable(format!("no answer within {} s", CALL_DEADLINE.as_secs()))
    })
}

fn said<T>(namespace: &str, answer: kube::Result<T>) -> Result<T, NotStarted> {
    answer.map_err(|error| match error {
        kube::Error::Api(status) if status.code == 404 => NotStarted::Missing(namespace.to_owned()),
        error => NotStarted::Unavailable(error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_told_before_they_are_ready_and_not_when_they_are_about_to_end() {
        let slice = |kind: &str, addresses: [&str; 2]| {
            let slice = json!({
                "addressType": kind, "metadata": {"name": "runtime-x"},
                "ports": [{"port": 8080, "name": "http"}],
                "endpoints": [
                    {"addresses": [addresses[0]], "conditions": {"ready": false}},
                    {"addresses": [addresses[1]], "conditions": {"terminating": true}},
                ],
            });
            super::addresses(&serde_json::from_value(slice).unwrap())
        };
        assert_eq!(slice("IPv4", ["10.0.0.1", "10.0.0.2"]), ["10.0.0.1:8080"]);
        assert_eq!(slice("IPv6", ["fd00::1", "fd00::2"]), ["[fd00::1]:8080"]);
    }
}
