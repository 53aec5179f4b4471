//! Pebble and the DNS it asks, on free ports of this machine.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use certificates::acme::Authority;
use certificates::limits::Limits;
use http_body_util::{BodyExt as _, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

pub(crate) struct Rig {
    pub(crate) directory: String,
    /// Host and port.
    pub(crate) address: String,
    /// The DNS, and where it is told what to answer.
    pub(crate) dns: SocketAddr,
    told: String,
    management: String,
    /// Of Pebble's own HTTPS.
    pub(crate) root: String,
    _programs: [Child; 2],
    folder: TempDir,
}

/// Where an authority looks, and whom it lets in.
#[derive(Clone, Copy)]
pub(crate) struct Looks {
    pub(crate) http: u16,
    pub(crate) tls: u16,
    /// Only accounts that exist with it outside of ACME: by name and key.
    pub(crate) asks_who: Option<(&'static str, &'static str)>,
    /// The DNS that it asks, where that is another than its own.
    pub(crate) dns: Option<SocketAddr>,
}

impl Looks {
    /// Over plain HTTP.
    pub(crate) fn at(http: u16) -> Self {
        Self { http, tls: 1, asks_who: None, dns: None }
    }
}

impl Rig {
    /// Starts one whose DNS leads every name to this machine.
    pub(crate) async fn start(looks: Looks, environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = secure(folder.path());
        let [https, management, dns, tests] = free_ports();
        let config = json!({"pebble": {
            "listenAddress": format!("127.0.0.1:{https}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": folder.path().join("cert.pem"),
            "privateKey": folder.path().join("key.pem"),
            "httpPort": looks.http,
            "tlsPort": looks.tls,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": looks.asks_who.is_some(),
            "externalAccountMACKeys": looks.asks_who.map(|(id, key)| json!({id: key})),
            "retryAfter": {"authz": 1, "order": 1},
            "keyAlgorithm": "ecdsa",
            "profiles": {
                "default": {"description": "ninety days", "validityPeriod": 7_776_000},
                "shortlived": {"description": "six days", "validityPeriod": 518_400},
            },
        }});
        let file = folder.path().join("config.json");
        std::fs::write(&file, config.to_string()).unwrap();
        let mut names = Command::new(told("SOULFRA_TEST_CHALLTESTSRV"));
        names.args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""]);
        names.args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""]);
        names.args(["-dnsserver", &format!("127.0.0.1:{dns}")]);
        names.args(["-management", &format!("127.0.0.1:{tests}")]);
        let names = ready(names, "Starting management server").await;
        let mut pebble = Command::new(told("SOULFRA_TEST_PEBBLE"));
        let asked = looks.dns.unwrap_or(SocketAddr::from(([127, 0, 0, 1], dns)));
        pebble.arg("-config").arg(&file).args(["-dnsserver", &asked.to_string()]);
        pebble.envs([("PEBBLE_VA_NOSLEEP", "1")]).envs(environment.iter().copied());
        let pebble = ready(pebble, "ACME directory available at").await;
        until_listening(https).await;
        until_listening(management).await;
        Self {
            directory: format!("https://127.0.0.1:{https}/dir"),
            address: format!("127.0.0.1:{https}"),
            dns: SocketAddr::from(([127, 0, 0, 1], dns)),
            told: format!("127.0.0.1:{tests}"),
            management: format!("127.0.0.1:{management}"),
            root,
            _programs: [names, pebble],
            folder,
        }
    }

    /// From now on the DNS says that this is another name of that.
    pub(crate) async fn set_cname(&self, name: &str, target: &str) {
        let said = json!({"host": format!("{name}."), "target": format!("{target}.")});
        self.say("/set-cname", &said).await;
    }

    /// From now on the DNS has this text too.
    pub(crate) async fn set_txt(&self, name: &str, text: &str) {
        self.say("/set-txt", &json!({"host": format!("{name}."), "value": text})).await;
    }

    /// From now on the DNS fails for this name.
    pub(crate) async fn refuse(&self, name: &str) {
        self.say("/set-servfail", &json!({"host": format!("{name}.")})).await;
    }

    async fn say(&self, path: &str, said: &serde_json::Value) {
        let client: Client<_, Full<Bytes>> =
            Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        let request = hyper::Request::post(format!("http://{}{path}", self.told));
        let request = request.body(Full::from(said.to_string())).unwrap();
        assert!(client.request(request).await.unwrap().status().is_success());
    }

    /// From now on it says this when asked when to renew a certificate.
    pub(crate) async fn set_renewal(&self, certificate: &str, said: &serde_json::Value) {
        let client: Client<_, Full<Bytes>> =
            Client::builder(TokioExecutor::new()).build(self.connector());
        let body = json!({"certificate": certificate, "ariResponse": said.to_string()});
        let request =
            hyper::Request::post(format!("https://{}/set-renewal-info/", self.management))
                .header("user-agent", "tests");
        let request = request.body(Full::from(body.to_string())).unwrap();
        let answer = client.request(request).await.unwrap();
        let (status, body) = (answer.status(), answer.into_body().collect().await.unwrap());
        assert!(status.is_success(), "{status}: {:?}", body.to_bytes());
    }

    /// Whom to trust for what it issues, in PEM.
    pub(crate) async fn issuing_root(&self) -> String {
        let client: Client<_, Full<Bytes>> =
            Client::builder(TokioExecutor::new()).build(self.connector());
        let uri = format!("https://{}/roots/0", self.management).parse().unwrap();
        let body = client.get(uri).await.unwrap().into_body();
        String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    /// Who asks Pebble.
    pub(crate) fn connector(&self) -> HttpsConnector<HttpConnector> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.root.as_bytes()).unwrap()).unwrap();
        let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.enforce_http(false);
        HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_only()
            .enable_http1()
            .wrap_connector(connector)
    }

    /// Who is asked in its place.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        let read = |name: &str| std::fs::read(self.folder.path().join(name)).unwrap();
        let chain = CertificateDer::from_pem_slice(&read("cert.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_slice(&read("key.pem")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![chain], key);
        Arc::new(config.unwrap())
    }

    /// As the settings have it.
    pub(crate) fn authority(&self, name: &str) -> Authority {
        Authority {
            name: name.to_owned(),
            directory: self.directory.clone(),
            contact: Vec::new(),
            profile: None,
            binding: None,
            limits: Limits::none(),
            root: Some(self.root.clone()),
        }
    }
}

/// Pebble says so just before it does.
async fn until_listening(port: u16) {
    let listening = async {
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), listening).await.unwrap();
}

/// Starts a program and waits until it says this.
pub(crate) async fn ready(mut program: Command, says: &str) -> Child {
    program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = program.spawn().unwrap();
    let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (mut out, mut err) = (BufReader::new(out).lines(), BufReader::new(err).lines());
    let mut heard = Vec::new();
    loop {
        let line = tokio::select! {
            Ok(Some(line)) = out.next_line() => line,
            Ok(Some(line)) = err.next_line() => line,
            else => panic!("it ended: {heard:?}"),
        };
        let is_ready = line.contains(says);
        heard.push(line);
        if is_ready {
            break;
        }
    }
    // Somebody has to read on, or it stands still once its pipe is full.
    tokio::spawn(async move { while let Ok(Some(_)) = out.next_line().await {} });
    tokio::spawn(async move { while let Ok(Some(_)) = err.next_line().await {} });
    child
}

/// A certificate for Pebble's own HTTPS; returns the root that signed it.
fn secure(folder: &Path) -> String {
    let root_key = KeyPair::generate().unwrap();
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_pem = root.self_signed(&root_key).unwrap().pem();
    let issuer = Issuer::from_params(&root, &root_key);
    let key = KeyPair::generate().unwrap();
    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    std::fs::write(folder.join("cert.pem"), leaf.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    root_pem
}

/// Held together, so that they differ.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let held = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

#[expect(clippy::disallowed_methods, reason = "the suite says where they are")]
pub(crate) fn told(variable: &str) -> String {
    std::env::var(variable).unwrap()
}
