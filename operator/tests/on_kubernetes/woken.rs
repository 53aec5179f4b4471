//! A platform that sleeps is woken by its visitors: a real edge with the rights that its chart gives
//! it, the operator, the API server, and the program of the platform's pods, whose node the test is.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use certificates::orders;
use edge::challenges::Challenges;
use edge::cluster::Kubernetes;
use edge::disk::Disk;
use edge::door::{Doors, Outside};
use edge::follow::Follower;
use edge::keys::Keys;
use edge::table::Table;
use edge::tls::Tls;
use edge::waking::Waking;
use jiff::SignedDuration;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::config::AuthInfo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;
use web::serve::{Limits, Places, Proxies, Transport};
use work::Clock;
use work::sealed::RootKey;

use crate::chart;
use crate::house::{SOON, client_of, config, told};
use crate::pod::{Pod, Runtime};
use crate::sleeping::{Fleet, RUNTIME, uid, wanted};

/// An edge's account, and the namespace it is in.
const ACCOUNT: &str = "soulfra-edge";
/// Visitors who come at once to a platform that sleeps.
const VISITORS: usize = 4;
/// A node has nothing to do for so long before it tells how its pods are.
const QUIET: Duration = Duration::from_millis(50);
/// How often it is woken in the suites.
const USUAL: usize = 5;

/// An edge with the rights of its chart, and its address.
struct Edge {
    https: SocketAddr,
    _folder: TempDir,
    _stop: DropGuard,
}

impl Edge {
    async fn start(fleet: &Fleet) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = Arc::new(RootKey::from_bytes([9; 32]));
        let disk = Disk::open(folder.path(), &key).unwrap();
        let (db, table) = (fleet.db.clone(), Arc::new(Table::default()));
        let follower = Follower::new(db.clone(), table.clone(), disk.clone(), key.clone());
        let challenges = Challenges::new(db.clone());
        let keys = Arc::new(Keys::new(100, disk, db, key));
        let tls = Arc::new(Tls::new(table.clone(), keys, challenges.clone()).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let https = listener.local_addr().unwrap();
        let waking = Waking::new(Some(Arc::new(as_edge(fleet).await)));
        let proxies = Proxies::default();
        let outside = Outside { https_port: https.port(), proxies, of_one: 100 };
        let doors = Doors::new(table, challenges, waking, outside);
        let (stop, places) = (CancellationToken::new(), Places::new(Limits::of(100)));
        let tls = Transport::tls_by_name(tls);
        tokio::spawn(web::serve::serve(listener, tls, doors.secure(), stop.clone(), places));
        let told = stop.clone();
        tokio::spawn(async move { follower.run(told).await });
        Self { https, _folder: folder, _stop: stop.drop_guard() }
    }
}

/// The API server, for whoever has an edge's own token.
async fn as_edge(fleet: &Fleet) -> Kubernetes {
    let client = fleet.house.client.clone();
    chart::install_edge(&client).await;
    let accounts: Api<ServiceAccount> = Api::namespaced(client, ACCOUNT);
    let spec = TokenRequestSpec { expiration_seconds: Some(7_200), ..Default::default() };
    let request = TokenRequest { spec, ..Default::default() };
    let by = PostParams::default();
    let made = accounts.create_token_request(ACCOUNT, &by, &request).await;
    let token = made.unwrap().status.unwrap().token;
    let mut config = config().await;
    config.auth_info = AuthInfo { token: Some(token.into()), ..AuthInfo::default() };
    Kubernetes::new(client_of(config))
}

/// The node: it has a copy run where the Deployment wants some, and tells where it is.
struct Node {
    slices: Api<EndpointSlice>,
    /// An address of this machine that only the cluster of the test reaches.
    address: IpAddr,
    pod: Arc<Pod>,
    copy: Option<Runtime>,
    /// Copies that have ended.
    ended: Arc<AtomicUsize>,
}

impl Node {
    async fn new(fleet: &Fleet, name: &str) -> Self {
        let namespace = format!("tenant-{name}");
        let config = config().await;
        let api_server = (config.cluster_url.host().unwrap().to_owned(), 9);
        let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        socket.connect(api_server).await.unwrap();
        Self {
            slices: Api::namespaced(fleet.house.client.clone(), &namespace),
            address: socket.local_addr().unwrap().ip(),
            pod: Arc::new(Pod::make(&fleet.house, name).await),
            copy: None,
            ended: Arc::default(),
        }
    }

    async fn tell(&self, at: Option<SocketAddr>) {
        let endpoints = at.map(|at| {
            let conditions = json!({"ready": false, "serving": false, "terminating": false});
            json!({"addresses": [at.ip()], "conditions": conditions})
        });
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": "runtime-x", "labels": {"kubernetes.io/service-name": RUNTIME}},
            "addressType": "IPv4",
            "endpoints": Vec::from_iter(endpoints),
            "ports": [{"name": "http", "port": at.map_or(1, |at| at.port())}],
        });
        let parameters = PatchParams::apply("node").force();
        self.slices.patch("runtime-x", &parameters, &Patch::Apply(&slice)).await.unwrap();
    }

    async fn starts(&mut self) {
        let copy = Runtime::begin(&self.pod, self.address).await;
        self.tell(Some(copy.address)).await;
        self.copy = Some(copy);
    }

    async fn ends(&mut self) {
        self.tell(None).await;
        if let Some(copy) = self.copy.take() {
            copy.end().await;
            self.ended.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Goes on until told to stop.
    async fn run(mut self, fleet: Arc<Fleet>, name: String, stop: CancellationToken) {
        let mut told = Instant::now();
        while !stop.is_cancelled() {
            let copies = wanted(&fleet.house.seen.of(&name)).unwrap_or(0);
            match (copies, self.copy.is_some()) {
                (0, true) => self.ends().await,
                (1.., false) => self.starts().await,
                // Nothing happened for a while: the API server hears how it is.
                _ if told.elapsed() > QUIET => {
                    fleet.house.serve(&name).await;
                    told = Instant::now();
                }
                _ => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
        self.ends().await;
    }
}

/// How long the same visitors wait who ask the program itself, from when it is begun.
async fn alone(pod: &Pod, address: IpAddr) -> Duration {
    let begun = Instant::now();
    let copy = Runtime::begin(pod, address).await;
    while !is_ready(copy.address).await {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let answers = futures::future::join_all((0..VISITORS).map(|_| copy.get("/"))).await;
    assert!(answers.iter().all(|(status, _)| *status == 200));
    let took = begun.elapsed();
    copy.end().await;
    took
}

async fn is_ready(at: SocketAddr) -> bool {
    let asked = async {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(at).await?;
        let question = format!("GET /readyz HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n\r\n");
        stream.write_all(question.as_bytes()).await?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await?;
        std::io::Result::Ok(head.ends_with(b" 200"))
    };
    asked.await.unwrap_or(false)
}

/// Who asks for pages under the platform's name: the n-th household, each with an address of its own.
fn visitor(n: usize, host: &str, edge: SocketAddr, root: &str) -> reqwest::Client {
    let [_, _, high, low] = u32::try_from(n).unwrap().to_be_bytes();
    let root = reqwest::Certificate::from_pem(root.as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([root]).resolve(host, edge);
    let address = IpAddr::from([127, 1, high, low]);
    client.local_address(address).pool_max_idle_per_host(0).build().unwrap()
}

/// A certificate of an authority, for this name: the root in PEM.
async fn issue(fleet: &Fleet, name: &str) -> String {
    let key = KeyPair::generate().unwrap();
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.use_authority_key_identifier_extension = true;
    let pem = root.self_signed(&key).unwrap().pem();
    let authority = Issuer::new(root, key);
    let key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::new([name.to_owned()]).unwrap();
    leaf.use_authority_key_identifier_extension = true;
    let chain = leaf.signed_by(&key, &authority).unwrap().pem();
    let mut tx = fleet.db.begin().await.unwrap();
    let (seal, now) = (RootKey::from_bytes([9; 32]), Clock::System.now());
    orders::bring(&mut tx, &seal, name, chain, &key.serialize_pem(), now).await.unwrap();
    tx.commit().await.unwrap();
    pem
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn visitors_of_a_platform_that_sleeps_wait_for_it_and_none_fails() {
    wakes(USUAL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask soak wakes"]
async fn soak_visitors_of_a_platform_that_sleeps_wait_for_it_and_none_fails() {
    wakes(told("SOULFRA_WAKES").parse().unwrap()).await;
}

/// A platform that sleeps while nobody visits it.
struct Sleeper {
    name: String,
    uid: Uuid,
    /// Its page, as visitors have it.
    page: String,
    host: String,
    root: String,
    pod: Arc<Pod>,
    /// Where its copies are.
    address: IpAddr,
    /// Copies that have ended.
    ended: Arc<AtomicUsize>,
    node: JoinHandle<()>,
    stop: DropGuard,
}

impl Sleeper {
    async fn make(fleet: &Arc<Fleet>, label: &str, edge: SocketAddr) -> Self {
        let house = &fleet.house;
        let name = house.name(label);
        let runtime = json!({"scaleToZeroAfter": "1m"});
        house.apply(&name, |it| it["spec"]["runtime"] = runtime).await;
        let uid = uid(&house.until_made(&name).await);
        let host = format!("{name}.platforms.example");
        let root = issue(fleet, &host).await;
        let node = Node::new(fleet, &name).await;
        let (ended, pod, address) = (node.ended.clone(), node.pod.clone(), node.address);
        let stop = CancellationToken::new();
        let node = tokio::spawn(node.run(fleet.clone(), name.clone(), stop.clone()));
        let page = format!("https://{host}:{}/", edge.port());
        let stop = stop.drop_guard();
        let sleeper = Self { name, uid, page, host, root, pod, address, ended, node, stop };
        let visitor = visitor(0, &sleeper.host, edge, &sleeper.root);
        let first = async {
            while !visitor.get(&sleeper.page).send().await.is_ok_and(|it| it.status() == 200) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(SOON, first).await.expect("it is met");
        sleeper
    }

    /// Waits until nothing of it runs, `times` copies having run before.
    async fn until_asleep(&self, fleet: &Fleet, times: usize) {
        let asleep = async {
            while !fleet.told(self.uid).await.is_some_and(|(asleep, _)| asleep)
                || self.ended.load(Ordering::SeqCst) < times
            {
                tokio::time::sleep(Duration::from_millis(100)).await;
                // It counts from when it was first asked for after it woke.
                fleet.house.clock.advance(SignedDuration::from_secs(5));
                fleet.says(&[]).await;
                fleet.turn(&self.name);
            }
        };
        tokio::time::timeout(SOON, asleep).await.expect("it falls asleep");
    }

    /// Visitors come at once. How long the last of them waited.
    async fn is_visited(&self, time: usize, edge: SocketAddr) -> Duration {
        let visitor = visitor(time + 1, &self.host, edge, &self.root);
        let begun = Instant::now();
        let visits = (0..VISITORS).map(|_| async {
            let answer = visitor.get(&self.page).send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap(), begun.elapsed())
        });
        let answers = futures::future::join_all(visits).await;
        let failed = answers.iter().find(|(status, ..)| *status != 200);
        assert!(failed.is_none(), "{failed:?}");
        answers.iter().map(|(.., took)| *took).max().unwrap()
    }
}

/// They are woken one after the other and fall asleep together: the operator lets each write only
/// so often.
async fn wakes(times: usize) {
    let fleet = Arc::new(Fleet::open().await);
    let edge = Edge::start(&fleet).await;
    let labels = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    let labels = &labels[..times.div_ceil(USUAL).min(labels.len())];
    let made = labels.iter().map(|label| Sleeper::make(&fleet, label, edge.https));
    let sleepers = futures::future::join_all(made).await;
    let (mut beyond, mut starts) = (Vec::new(), Vec::new());
    for time in 0..times {
        let (round, which) = (time / sleepers.len(), time % sleepers.len());
        if which == 0 {
            // The edge says that nobody uses any.
            fleet.house.clock.advance(SignedDuration::from_secs(90));
            fleet.says(&[]).await;
            let all = sleepers.iter().map(|sleeper| sleeper.until_asleep(&fleet, round + 1));
            futures::future::join_all(all).await;
        }
        let sleeper = &sleepers[which];
        let own = alone(&sleeper.pod, sleeper.address).await;
        let slowest = sleeper.is_visited(time, edge.https).await;
        beyond.push(slowest.saturating_sub(own));
        starts.push(own);
        fleet.says(&[sleeper.uid]).await;
    }
    beyond.sort_unstable();
    starts.sort_unstable();
    let at = |times: &[Duration], part: usize| times[(times.len() - 1) * part / 100];
    let within = beyond.iter().filter(|took| **took <= Duration::from_millis(50)).count();
    println!(
        "counted: {times} wake-ups of {} platforms, {} requests, 0 failed; the slowest visitor of \
         each beyond the same wait at the program itself, from when it is begun, in turns: median \
         {:.1?}, p90 {:.1?}, p99 {:.1?}, longest {:.1?}, {within} within 50 ms; alone: median {:.1?}",
        sleepers.len(),
        times * VISITORS,
        at(&beyond, 50),
        at(&beyond, 90),
        at(&beyond, 99),
        at(&beyond, 100),
        at(&starts, 50),
    );
    for Sleeper { node, stop, .. } in sleepers {
        drop(stop);
        node.await.unwrap();
    }
    drop(edge);
    assert!(at(&beyond, 50) < Duration::from_millis(500), "{beyond:?}");
    Arc::into_inner(fleet).unwrap().close().await;
}
