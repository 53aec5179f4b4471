//! The proxy before a toy API server, which counts what it carries out.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use faults::api::{Call, Event, Fault, Proxy, Upstream, Verb};
use faults::script;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use reqwest::Client;
use serde_json::Value;
use tokio::net::TcpListener;

const SECRETS: &str = "/api/v1/namespaces/acme/secrets";
const EVENTS: &str = "{\"type\":\"A\"}\n{\"type\":\"B\"}\n{\"type\":\"C\"}\n";

struct Toy {
    writes: Arc<AtomicUsize>,
    proxy: Proxy,
    http: Client,
}

impl Toy {
    async fn start() -> Self {
        let writes = Arc::new(AtomicUsize::new(0));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, Arc::clone(&writes)));
        let upstream = Upstream::plain(&format!("http://{address}")).unwrap();
        let proxy = Proxy::before(upstream).await.unwrap();
        // A caller that does not try again by itself.
        let http = Client::builder().no_proxy().retry(reqwest::retry::never()).build().unwrap();
        Self { writes, proxy, http }
    }

    fn written(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }

    async fn write(&self) -> reqwest::Result<reqwest::Response> {
        self.http.post(self.proxy.url() + SECRETS).body("{}").send().await
    }

    async fn list(&self) -> String {
        self.http.get(self.proxy.url() + SECRETS).send().await.unwrap().text().await.unwrap()
    }

    /// What one write gets, when it is hit.
    async fn hit(&self, fault: Fault) -> reqwest::Result<reqwest::Response> {
        self.proxy.follow(script::at(0, Call::has_effect, fault));
        self.write().await
    }
}

async fn serve(listener: TcpListener, writes: Arc<AtomicUsize>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let writes = Arc::clone(&writes);
        let service = service_fn(move |request: Request<Incoming>| {
            let writes = Arc::clone(&writes);
            async move {
                if request.method() == Method::POST {
                    writes.fetch_add(1, Ordering::SeqCst);
                }
                let text = match request.uri().query() {
                    Some("watch=true") => EVENTS.to_owned(),
                    _ => writes.load(Ordering::SeqCst).to_string(),
                };
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text))))
            }
        });
        tokio::spawn(async move {
            let http = hyper::server::conn::http1::Builder::new();
            http.serve_connection(TokioIo::new(stream), service).await
        });
    }
}

#[tokio::test]
async fn what_is_not_hit_passes_and_is_noted() {
    let toy = Toy::start().await;
    assert_eq!(toy.write().await.unwrap().status(), 200);
    assert_eq!(toy.list().await, "1");
    let calls = toy.proxy.calls();
    assert_eq!(
        calls.iter().map(|seen| seen.call.verb).collect::<Vec<_>>(),
        [Verb::Create, Verb::List]
    );
    assert!(calls.iter().all(|seen| seen.answered == Some(200) && seen.fault == "none"));
    assert_eq!(toy.proxy.count(Call::has_effect), 1);
    toy.proxy.forget();
    assert_eq!(toy.proxy.calls(), []);
}

#[tokio::test]
async fn who_is_killed_before_has_changed_nothing_and_after_it_has() {
    let toy = Toy::start().await;
    assert!(toy.hit(Fault::ResetBefore).await.is_err());
    assert_eq!(toy.written(), 0);
    assert!(toy.hit(Fault::ResetAfter).await.is_err());
    assert_eq!(toy.written(), 1);
    toy.proxy.struck(2).await;
    let calls = toy.proxy.calls();
    let told: Vec<_> = calls.iter().map(|seen| (seen.carried_out, seen.answered)).collect();
    assert_eq!(told, [(None, None), (Some(200), None)]);
    assert_eq!(toy.write().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_call_that_hangs_hangs_before_or_after() {
    let toy = Toy::start().await;
    for (fault, written) in [(Fault::HangBefore, 0), (Fault::HangAfter, 1)] {
        toy.proxy.forget();
        tokio::select! {
            answer = toy.hit(fault) => panic!("{answer:?}"),
            () = toy.proxy.struck(1) => {}
        }
        assert_eq!(toy.written(), written);
    }
}

#[tokio::test]
async fn refusals_look_like_an_api_servers() {
    let toy = Toy::start().await;
    let answer = toy.hit(Fault::Answer { status: 429, retry_after: Some(2) }).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (429, &"2".parse().unwrap())
    );
    let told: Value = answer.json().await.unwrap();
    assert_eq!((&told["kind"], &told["reason"]), (&"Status".into(), &"TooManyRequests".into()));
    assert_eq!(toy.written(), 0);
    let answer = toy.hit(Fault::AnswerAfter { status: 504 }).await.unwrap();
    assert_eq!(answer.status(), 504);
    assert_eq!(toy.written(), 1);
}

#[tokio::test]
async fn a_stale_list_is_one_that_was_true_before() {
    let toy = Toy::start().await;
    assert_eq!(toy.list().await, "0");
    toy.write().await.unwrap();
    assert_eq!(toy.list().await, "1");
    toy.write().await.unwrap();
    toy.proxy.follow(|call| match call.verb {
        Verb::List => Fault::Stale { back: 2 },
        _ => Fault::None,
    });
    assert_eq!(toy.list().await, "0");
    toy.proxy.follow(script::nothing());
    assert_eq!(toy.list().await, "2");
}

#[tokio::test]
async fn a_watch_misleads_as_it_is_told_to() {
    let toy = Toy::start().await;
    let url = toy.proxy.url() + SECRETS + "?watch=true";
    let watch = async || toy.http.get(&url).send().await.unwrap().text().await.unwrap();
    assert_eq!(watch().await, EVENTS);
    let events = |number| match number {
        0 => Event::Delay(Duration::from_millis(1)),
        1 => Event::Drop,
        _ => Event::Gone,
    };
    toy.proxy.follow(move |_| Fault::Events(Box::new(events)));
    let text = watch().await;
    let told: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((told.len(), &told[0]["type"]), (2, &"A".into()));
    assert_eq!((&told[1]["type"], &told[1]["object"]["code"]), (&"ERROR".into(), &410.into()));
}

#[tokio::test]
async fn every_write_of_a_flow_can_be_its_last() {
    let toy = Toy::start().await;
    let flow = async || {
        for _ in 0..3 {
            toy.write().await?;
        }
        Ok::<_, reqwest::Error>(())
    };
    flow().await.unwrap();
    let points = toy.proxy.count(Call::has_effect);
    assert_eq!(points, 3);
    for n in 0..points {
        let before = toy.written();
        toy.proxy.follow(script::dead_from(n, Call::has_effect, Fault::ResetAfter, || {
            Fault::ResetBefore
        }));
        assert!(flow().await.is_err());
        assert!(toy.write().await.is_err(), "the dead write no more");
        assert_eq!(toy.written() - before, n + 1);
    }
}
