//! Platforms that sleep, and who wakes them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::http::uri::Authority;
use axum::routing::{get, post};
use certificates::served::{Platform, Sleeps, Speaker, let_sleep, note_uses, quiet_since};
use edge::cluster::{Cluster, NotStarted};
use edge::uses::{Uses, name_of};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use http_body_util::Full;
use hyper::{Request, StatusCode};
use jiff::SignedDuration;
use sqlx::PgPool;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::client::TlsStream;
use tokio_stream::wrappers::WatchStream;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use work::Clock;

use crate::Rig;
use crate::rig::{PATIENCE, backend};

/// A cluster with one platform's Deployment: once it is started, a copy gets an address, and the
/// test says when it is ready.
#[derive(Clone)]
pub(crate) struct Played {
    started: Arc<Mutex<Vec<(String, u16)>>>,
    pods: watch::Sender<Option<SocketAddr>>,
    ready: watch::Sender<bool>,
    asked: Arc<AtomicUsize>,
    /// The API server does nothing any more.
    is_gone: bool,
}

impl Played {
    pub(crate) fn new() -> Self {
        let (pods, ready) = (watch::channel(None).0, watch::channel(false).0);
        let (started, asked) = (Arc::default(), Arc::default());
        Self { started, pods, ready, asked, is_gone: false }
    }

    /// A copy, which answers from the start and says when it is ready.
    fn copy(&self) -> Router {
        let (ready, asked) = (self.ready.subscribe(), self.asked.clone());
        let readiness =
            get(
                async move || {
                    if *ready.borrow() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
                },
            );
        let page = get(async move || {
            asked.fetch_add(1, Ordering::SeqCst);
            "good morning"
        });
        Router::new()
            .route("/readyz", readiness)
            .route("/", page)
            .route("/say", post(async |said: String| said))
            .route(
                "/events",
                get(async || ([("content-type", "text/event-stream")], "data: 1\n\n")),
            )
            .route("/gone", get(async || StatusCode::GONE))
    }

    pub(crate) fn started(&self) -> Vec<(String, u16)> {
        self.started.lock().unwrap().clone()
    }

    async fn until_started(&self) {
        let mut pods = self.pods.subscribe();
        let started = pods.wait_for(Option::is_some);
        tokio::time::timeout(PATIENCE, started).await.unwrap().unwrap();
    }
}

#[async_trait]
impl Cluster for Played {
    async fn start(&self, namespace: &str, copies: u16) -> Result<(), NotStarted> {
        if self.is_gone {
            return Err(NotStarted::Missing(namespace.to_owned()));
        }
        self.started.lock().unwrap().push((namespace.to_owned(), copies));
        if self.pods.borrow().is_none() {
            self.pods.send_replace(Some(backend(self.copy()).await));
        }
        Ok(())
    }

    fn pods(&self, _: &str) -> BoxStream<'static, Authority> {
        let pods = WatchStream::new(self.pods.subscribe());
        let pods = pods.filter_map(async |pod| Some(pod?.to_string().parse().unwrap()));
        pods.chain(futures::stream::pending()).boxed()
    }
}

fn sleeps(asleep: bool) -> Sleeps {
    Sleeps { namespace: "tenant-acme".to_owned(), copies: 2, asleep }
}

/// A platform that sleeps: nobody answers where it would.
async fn asleep(rig: &Rig, name: &str, asleep: bool) -> Platform {
    let mut platform = rig.bare_platform(name, Router::new()).await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    platform.backend = free.local_addr().unwrap().to_string();
    drop(free);
    platform.sleeps = Some(sleeps(asleep));
    rig.put(&platform).await;
    rig.issue(&platform.own_host).await;
    rig.until_served(&platform.own_host).await;
    platform
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn the_first_visitors_of_a_platform_that_sleeps_wait_until_a_copy_is_ready(db: PgPool) {
    let cluster = Played::new();
    let rig = Rig::in_cluster(db, Some(Arc::new(cluster.clone()))).await;
    asleep(&rig, "acme", true).await;
    let visits = futures::future::join_all((0..20).map(|_| rig.get("acme.soulfra.test", "/")));
    let wakes = async {
        cluster.until_started().await;
        // It answers by now, and is not ready: nobody is handed on to it.
        cluster.asked.load(Ordering::SeqCst)
    };
    let body = "a long body ".repeat(10_000);
    let says = Request::post("/say").header("host", "acme.soulfra.test");
    let says = rig.ask("acme.soulfra.test", says.body(Full::from(body.clone())).unwrap());
    let ready = async {
        let asked = wakes.await;
        cluster.ready.send_replace(true);
        asked
    };
    let (answers, said, too_early) = tokio::join!(visits, says, ready);
    assert_eq!(too_early, 0);
    for answer in answers {
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "good morning"));
    }
    assert!(said.text == body, "what was sent while it slept is all there");
    assert_eq!(cluster.started(), [("tenant-acme".to_owned(), 2)], "one wakes it for all");
    assert_eq!(rig.get("acme.soulfra.test", "/").await.status, StatusCode::OK);
    assert_eq!(cluster.started().len(), 1, "what the edge is told is older than what it saw");
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn a_platform_that_fell_asleep_unheard_is_woken_too(db: PgPool) {
    let cluster = Played::new();
    cluster.ready.send_replace(true);
    let rig = Rig::in_cluster(db, Some(Arc::new(cluster.clone()))).await;
    asleep(&rig, "acme", false).await;
    let body = "a long body ".repeat(10_000);
    let says = Request::post("/say").header("host", "acme.soulfra.test");
    let said = rig.ask("acme.soulfra.test", says.body(Full::from(body.clone())).unwrap()).await;
    assert!(said.text == body, "{}: {}", said.status, &said.text[..said.text.len().min(200)]);
    assert_eq!(cluster.started().len(), 1);
}

/// Reads until this was said: all that was said until then.
async fn hears(stream: &mut TlsStream<TcpStream>, word: &str) -> String {
    let mut said = Vec::new();
    let hearing = async {
        while !String::from_utf8_lossy(&said).contains(word) {
            let read = stream.read_buf(&mut said).await.unwrap();
            assert!(read > 0, "{}", String::from_utf8_lossy(&said));
        }
    };
    tokio::time::timeout(PATIENCE, hearing).await.unwrap();
    String::from_utf8(said).unwrap()
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn streams_of_events_hear_that_the_platform_wakes_and_then_its_events(db: PgPool) {
    let cluster = Played::new();
    let rig = Rig::in_cluster(db, Some(Arc::new(cluster.clone()))).await;
    asleep(&rig, "acme", true).await;
    let begin = async |path: &str| {
        let mut stream = rig.visitor("acme.soulfra.test", "http/1.1").await.unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: acme.soulfra.test\r\naccept: text/event-stream\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    };
    let (mut events, mut gone) = (begin("/events").await, begin("/gone").await);
    for stream in [&mut events, &mut gone] {
        let head = hears(stream, "waking up").await;
        assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("text/event-stream"), "{head}");
    }
    cluster.ready.send_replace(true);
    hears(&mut events, "data: 1\n\n").await;
    // Who is to hear something else asks again, and does.
    hears(&mut gone, "retry: 3000\n\n").await;
    let mut again = begin("/gone").await;
    assert!(hears(&mut again, "\r\n\r\n").await.starts_with("HTTP/1.1 410 "));
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn a_platform_that_cannot_be_woken_is_said_to_rest_in_its_name(db: PgPool) {
    let cluster = Played { is_gone: true, ..Played::new() };
    let rig = Rig::in_cluster(db, Some(Arc::new(cluster))).await;
    asleep(&rig, "acme", true).await;
    let page = rig.get("acme.soulfra.test", "/").await;
    assert_eq!((page.status, page.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "30"));
    assert!(page.text.contains("The acme platform"), "{}", page.text);
    assert!(page.text.contains("is resting"), "{}", page.text);
    let request = Request::get("/").header("host", "acme.soulfra.test");
    let problem = rig.ask("acme.soulfra.test", request.body(Full::default()).unwrap()).await;
    assert!(problem.text.contains("\"code\":\"asleep\""), "{}", problem.text);
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn one_visitor_does_not_wake_all_platforms(db: PgPool) {
    let cluster = Played::new();
    cluster.ready.send_replace(true);
    let rig = Rig::in_cluster(db, Some(Arc::new(cluster))).await;
    let mut statuses = Vec::new();
    for n in 0..22 {
        let platform = asleep(&rig, &format!("p{n}"), true).await;
        statuses.push(rig.get(&platform.own_host, "/").await.status);
    }
    assert_eq!(statuses[..20], [StatusCode::OK; 20]);
    assert_eq!(statuses[21], StatusCode::TOO_MANY_REQUESTS);
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn who_is_used_does_not_fall_asleep_and_who_is_used_by_nobody_does(db: PgPool) {
    let start = "2026-03-01T12:00:00Z".parse().unwrap();
    let clock = Clock::fixed(start);
    let cluster = Played::new();
    cluster.ready.send_replace(true);
    let rig = Rig::in_cluster(db.clone(), Some(Arc::new(cluster.clone()))).await;
    let used = asleep(&rig, "used", true).await;
    let unused = asleep(&rig, "unused", false).await;
    let never = rig.bare_platform("never", Router::new()).await;
    let mut conn = db.acquire().await.unwrap();
    let mut since = async |platform: &Platform| {
        quiet_since(&mut conn, platform.uid, clock.now()).await.unwrap()
    };
    assert_eq!(since(&unused).await, None, "no edge says anything");

    assert_eq!(rig.get("used.soulfra.test", "/").await.status, StatusCode::OK);
    // The operator sees that it is awake.
    let awake = Platform { sleeps: Some(sleeps(false)), ..used.clone() };
    rig.put(&awake).await;
    clock.advance(SignedDuration::from_secs(60));
    let stop = CancellationToken::new();
    let edge = name_of(rig.folder.path()).unwrap();
    assert_eq!(name_of(rig.folder.path()).unwrap(), edge, "after the next start too");
    let speaker = Speaker { edge, wakes: true };
    let uses = Uses::new(db.clone(), rig.edge.table.clone(), speaker, clock.clone());
    let telling = uses.run(stop.clone());
    let hearing = async {
        let mut quiet = None;
        while quiet.is_none() {
            tokio::task::yield_now().await;
            quiet = since(&used).await;
        }
        assert_eq!(since(&unused).await, Some(start), "since it was first asked for");
        assert_eq!(since(&never).await, None, "it never sleeps");
        clock.advance(SignedDuration::from_secs(14));
        assert!(since(&used).await.is_some());
        clock.advance(SignedDuration::from_secs(2));
        assert_eq!(since(&used).await, None, "an edge is not heard, and may have visitors");
        clock.advance(SignedDuration::from_mins(15));
        stop.cancel();
        quiet.unwrap()
    };
    let both = Box::pin(async { tokio::join!(hearing, telling) });
    let (quiet, ()) = tokio::time::timeout(PATIENCE, both).await.unwrap();
    assert!(quiet > start, "{quiet}");
    assert_eq!(since(&used).await, None, "the only edge has said farewell");

    // Another edge has no visitors.
    let other = Speaker { edge: Uuid::new_v4(), wakes: true };
    let mut conn = db.acquire().await.unwrap();
    let now = clock.now();
    note_uses(&mut conn, other, &[(never.uid, now)], now).await.unwrap();
    let quiet = quiet_since(&mut conn, used.uid, now).await.unwrap().unwrap();
    note_uses(&mut conn, other, &[(used.uid, now)], now).await.unwrap();
    assert!(!let_sleep(&mut conn, used.uid, quiet, now).await.unwrap(), "it was used since");
    // A third one would not wake it.
    let third = Speaker { edge: Uuid::new_v4(), wakes: false };
    note_uses(&mut conn, third, &[], now).await.unwrap();
    assert!(!let_sleep(&mut conn, used.uid, now, now).await.unwrap());
    note_uses(&mut conn, Speaker { wakes: true, ..third }, &[], now).await.unwrap();
    assert!(let_sleep(&mut conn, used.uid, now, now).await.unwrap());
    assert_eq!(quiet_since(&mut conn, never.uid, now).await.unwrap(), None);
}
