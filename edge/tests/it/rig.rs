//! A fleet in a database, an edge before it, and visitors.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use certificates::orders;
use certificates::served::{self, Platform, Standing};
use edge::challenges::Challenges;
use edge::cluster::Cluster;
use edge::disk::{Disk, DiskError};
use edge::door::{Doors, Outside};
use edge::follow::Follower;
use edge::keys::Keys;
use edge::table::Table;
use edge::tls::Tls;
use edge::waking::Waking;
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use sqlx::PgPool;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch::Receiver;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;
use web::serve::{Limits, Proxies, Transport};
use work::Clock;
use work::sealed::RootKey;

/// Nothing here takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Where a proxy is that each edge believes.
pub(crate) const PROXY: &str = "127.0.0.9/32";

/// Requests that one visitor may have under way.
pub(crate) const OF_ONE: usize = 300;

/// A fleet and one edge.
pub(crate) struct Rig {
    pub(crate) db: PgPool,
    authority: Issuer<'static, KeyPair>,
    /// Whom visitors trust.
    pub(crate) roots: Vec<String>,
    pub(crate) folder: TempDir,
    pub(crate) edge: Edge,
}

/// A running edge.
pub(crate) struct Edge {
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
    pub(crate) table: Arc<Table>,
    pub(crate) failure: Receiver<Option<String>>,
    pub(crate) stop: CancellationToken,
    _stop: DropGuard,
    tasks: Vec<JoinHandle<()>>,
}

/// What a visitor is answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) fn root_key() -> Arc<RootKey> {
    Arc::new(RootKey::from_bytes([9; 32]))
}

impl Rig {
    pub(crate) async fn start(db: PgPool) -> Self {
        Self::in_cluster(db, None).await
    }

    /// With an edge that wakes platforms by this cluster.
    pub(crate) async fn in_cluster(db: PgPool, cluster: Option<Arc<dyn Cluster>>) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut root = CertificateParams::default();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.use_authority_key_identifier_extension = true;
        let pem = root.self_signed(&key).unwrap().pem();
        let folder = tempfile::tempdir().unwrap();
        let edge = Edge::in_cluster(db.clone(), folder.path(), cluster).await;
        Self { db, authority: Issuer::new(root, key), roots: vec![pem], folder, edge }
    }

    /// A platform that is met under its own name and these others, all of them with certificates.
    pub(crate) async fn platform(&self, name: &str, router: Router, others: &[&str]) -> Platform {
        let platform = self.bare_platform(name, router).await;
        for other in others {
            self.verify(&platform, other).await;
            self.issue(other).await;
        }
        self.issue(&platform.own_host).await;
        platform
    }

    /// A platform without any certificate.
    pub(crate) async fn bare_platform(&self, name: &str, router: Router) -> Platform {
        let platform = Platform {
            uid: Uuid::new_v4(),
            name: name.to_owned(),
            backend: backend(router).await.to_string(),
            own_host: format!("{name}.soulfra.test"),
            primary_host: None,
            standing: Standing::Serving,
            display_name: format!("The {name} platform"),
            support_email: Some(format!("help@{name}.test")),
            looks: None,
            sleeps: None,
        };
        self.put(&platform).await;
        platform
    }

    pub(crate) async fn put(&self, platform: &Platform) {
        served::put(&mut self.db.acquire().await.unwrap(), platform).await.unwrap();
    }

    /// The name is the platform's from now on.
    pub(crate) async fn verify(&self, platform: &Platform, name: &str) {
        let now = sqlx::query_scalar::<_, i32>(
            "with new as (
                 insert into certificates.claim
                     (id, name, tenant, tenant_uid, token, target, state, claimed_at, look_at)
                 values ($1, $2, $3, $4, $1::text, $1::text, 'pending', now(), now())
                 returning id)
             select 1",
        );
        let id = Uuid::new_v4();
        now.bind(id)
            .bind(name)
            .bind(&platform.name)
            .bind(platform.uid)
            .fetch_one(&self.db)
            .await
            .unwrap();
        let verify = "update certificates.claim set state = 'verified', verified_at = now()
                      where id = $1";
        sqlx::query(verify).bind(id).execute(&self.db).await.unwrap();
    }

    /// The name has a new certificate from now on.
    pub(crate) async fn issue(&self, name: &str) -> Uuid {
        let key = KeyPair::generate().unwrap();
        let mut leaf = CertificateParams::new([name.to_owned()]).unwrap();
        leaf.use_authority_key_identifier_extension = true;
        let pem = leaf.signed_by(&key, &self.authority).unwrap().pem();
        let mut tx = self.db.begin().await.unwrap();
        let now = Clock::System.now();
        let key = key.serialize_pem();
        let id = orders::bring(&mut tx, &root_key(), name, pem, &key, now).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// A visitor who asks TLS for one name; `None` where TLS refuses.
    pub(crate) async fn visitor(&self, name: &str, protocol: &str) -> Option<TlsStream<TcpStream>> {
        self.visitor_at("127.0.0.1", name, protocol).await
    }

    /// The same, at this address.
    async fn visitor_at(
        &self,
        address: &str,
        name: &str,
        protocol: &str,
    ) -> Option<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        for root in &self.roots {
            roots.add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap()).unwrap();
        }
        let mut config =
            ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((address.parse::<IpAddr>().unwrap(), 0).into()).unwrap();
        let stream = socket.connect(self.edge.https).await.unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.ok()
    }

    /// Waits until TLS is spoken under a name.
    pub(crate) async fn until_served(&self, name: &str) {
        let served = async {
            while self.visitor(name, "http/1.1").await.is_none() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, served).await.unwrap();
    }

    /// One request over HTTP/1.1 under one name, by TLS and by Host.
    pub(crate) async fn get(&self, host: &str, path: &str) -> Answer {
        let request = Request::get(path).header("host", host).header("accept", "text/html");
        self.ask(host, request.body(Full::default()).unwrap()).await
    }

    /// One request over HTTP/1.1, as it is.
    pub(crate) async fn ask(&self, name: &str, request: Request<Full<Bytes>>) -> Answer {
        self.ask_from("127.0.0.1", name, request).await
    }

    /// The same, from this address.
    pub(crate) async fn ask_from(
        &self,
        address: &str,
        name: &str,
        request: Request<Full<Bytes>>,
    ) -> Answer {
        let stream = self.visitor_at(address, name, "http/1.1").await.unwrap();
        let (mut asking, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        answered(asking.send_request(request).await.unwrap()).await
    }

    /// One request over HTTP/2, as it is.
    pub(crate) async fn ask_by_two(&self, name: &str, request: Request<Full<Bytes>>) -> Answer {
        let stream = self.visitor(name, "h2").await.unwrap();
        let (executor, stream) = (TokioExecutor::new(), TokioIo::new(stream));
        let (mut asking, connection) =
            hyper::client::conn::http2::handshake(executor, stream).await.unwrap();
        tokio::spawn(connection);
        answered(asking.send_request(request).await.unwrap()).await
    }

    /// One request over plain HTTP; all that is said until the end.
    pub(crate) async fn plain(&self, host: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(self.edge.http).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        said
    }
}

async fn answered(answer: hyper::Response<hyper::body::Incoming>) -> Answer {
    let (head, body) = answer.into_parts();
    let body = tokio::time::timeout(PATIENCE, body.collect()).await.unwrap().unwrap().to_bytes();
    let text = String::from_utf8_lossy(&body).into_owned();
    Answer { status: head.status, headers: head.headers, text }
}

impl Edge {
    /// One that keeps what it knows in this folder.
    pub(crate) async fn start(db: PgPool, folder: &Path) -> Self {
        Self::in_cluster(db, folder, None).await
    }

    /// One that was given this key.
    pub(crate) async fn with_key(db: PgPool, folder: &Path, key: RootKey) -> Self {
        Self::made(db, folder, None, Arc::new(key)).await
    }

    async fn in_cluster(db: PgPool, folder: &Path, cluster: Option<Arc<dyn Cluster>>) -> Self {
        Self::made(db, folder, cluster, root_key()).await
    }

    async fn made(
        db: PgPool,
        folder: &Path,
        cluster: Option<Arc<dyn Cluster>>,
        key: Arc<RootKey>,
    ) -> Self {
        let disk = opened(folder, &key).await;
        let table = Arc::new(Table::default());
        let follower = Follower::new(db.clone(), table.clone(), disk.clone(), key.clone());
        follower.begin().await;
        let failure = follower.failure();
        let challenges = Challenges::new(db.clone());
        let keys = Arc::new(Keys::new(1_000, disk, db, key));
        let tls = Arc::new(Tls::new(table.clone(), keys, challenges.clone()).unwrap());
        let stop = CancellationToken::new();
        let [plain, secure] = [listener().await, listener().await];
        let (http, https) = (plain.local_addr().unwrap(), secure.local_addr().unwrap());
        let proxies = Proxies::at([PROXY.parse().unwrap()]);
        let outside = Outside { https_port: https.port(), proxies, of_one: OF_ONE };
        let places = outside.places(Limits::of(400));
        let doors = Doors::new(table.clone(), challenges, Waking::new(cluster), outside);
        let serve = web::serve::serve;
        let (tls, told) = (Transport::tls_by_name(tls), stop.clone());
        let plain = serve(plain, Transport::Plain, doors.plain(), stop.clone(), places.clone());
        let secure = serve(secure, tls, doors.secure(), stop.clone(), places);
        let following = async move { follower.run(told).await };
        let tasks = vec![tokio::spawn(plain), tokio::spawn(secure), tokio::spawn(following)];
        let guard = stop.clone().drop_guard();
        Self { http, https, table, failure, stop, _stop: guard, tasks }
    }

    /// Ends, with all that it holds.
    pub(crate) async fn end(&mut self) {
        self.stop.cancel();
        for task in self.tasks.drain(..) {
            task.await.unwrap();
        }
    }
}

/// As soon as the one before has let go of it: what it wrote last may still be under way.
async fn opened(path: &Path, key: &Arc<RootKey>) -> Disk {
    let opened = async {
        loop {
            match Disk::open(path, key) {
                Err(DiskError::File(redb::Error::DatabaseAlreadyOpen)) => {
                    tokio::task::yield_now().await;
                }
                opened => break opened.unwrap(),
            }
        }
    };
    tokio::time::timeout(PATIENCE, opened).await.unwrap()
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Serves a platform's routes on a port of its own.
pub(crate) async fn backend(router: Router) -> SocketAddr {
    let listener = listener().await;
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}
