//! How the API server of Kubernetes is reached: as kube's own client does, but for what small
//! requests on new connections have to wait for.
//!
//! kube leaves Nagle's algorithm on (kube 5.0, `client/builder.rs`). The first request on a new
//! connection is written right behind the end of the handshake, so it waits until that is
//! acknowledged, which the other side puts off for 40 ms where it has nothing to say.

use std::time::Duration;

use hyper_util::client::legacy::Client as Requests;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ClientBuilder, ConfigExt as _};
use kube::{Client, Config};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tower::{BoxError, ServiceBuilder};

/// Until the API server takes a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// After so much silence the other end's machine is asked whether it is still there, so often, at
/// such intervals: calls that wait for one that vanished fail then, and a silent watch begins anew.
const SILENT: Duration = Duration::from_secs(20);
const TIMES: u32 = 3;
const ASKS: Duration = Duration::from_secs(5);
/// A connection that nobody uses. The API server keeps them for longer.
const IDLE: Duration = Duration::from_mins(1);

/// Why the API server cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nothing says where it is.
    #[error("cannot find the API server: {0}; set KUBECONFIG, or run inside a cluster")]
    NotFound(String),
    /// What says where it is cannot be used.
    #[error("the API server's address, certificate or credentials cannot be used: {0}")]
    Unusable(#[from] kube::Error),
}

/// A client of the API server that `KUBECONFIG` names, or of the cluster that this runs in. It
/// tries nothing twice: whoever calls does, and knows when.
///
/// # Errors
/// [`ConnectError`]
pub async fn connect() -> Result<Client, ConnectError> {
    let found = Config::infer().await;
    let config = found.map_err(|error| ConnectError::NotFound(error.to_string()))?;
    Ok(client(config)?)
}

/// A client of an API server that was found. It tries nothing twice, and waits for no answer longer
/// than whoever calls does.
///
/// # Errors
/// Where the certificates or credentials of the configuration cannot be used.
pub fn client(mut config: Config) -> kube::Result<Client> {
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    if config.proxy_url.is_some() {
        // kube knows how to speak with proxies.
        return Client::try_from(config);
    }
    // Which of the libraries that do the arithmetic; an error says that there is one already.
    let _chosen = aws_lc_rs::default_provider().install_default();
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_keepalive(Some(SILENT));
    connector.set_keepalive_interval(Some(ASKS));
    connector.set_keepalive_retries(Some(TIMES));
    connector.set_connect_timeout(config.connect_timeout);
    let connector = config.rustls_https_connector_with_connector(connector)?;
    let requests = Requests::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .build::<_, Body>(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(requests);
    Ok(ClientBuilder::new(service, config.default_namespace).build())
}
