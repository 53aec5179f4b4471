//! Stands before an authority and lets its calls go wrong.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use certificates::acme::Authority;
use certificates::limits::Limits;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{HOST, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use crate::rig::Rig;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    None,
    /// The authority hears nothing of it.
    ResetBefore,
    /// It carries it out, and nobody hears of that.
    ResetAfter,
    /// It says this instead.
    Answer(u16),
    /// The caller is killed before; after it was carried out.
    KillBefore,
    KillAfter,
}

type Script = Box<dyn FnMut(&str) -> Fault + Send>;

pub(crate) struct Proxy {
    directory: String,
    root: String,
    shared: Arc<Shared>,
    _accepting: AbortOnDropHandle<()>,
}

struct Shared {
    to: String,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    script: Mutex<Script>,
    /// Paths of calls that the authority carried out.
    done: Mutex<Vec<String>>,
    kill: tokio::sync::Notify,
    /// Pebble stands still for ever when it makes an order while it looks at an authorization, and
    /// the other way round: each holds a lock that the other one wants.
    orders: tokio::sync::RwLock<()>,
}

/// Where Pebble makes orders.
const NEW_ORDER: &str = "/order-plz";

/// The connection is cut.
#[derive(Debug, thiserror::Error)]
#[error("cut")]
struct Cut;

impl Proxy {
    pub(crate) async fn before(rig: &Rig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            to: rig.address.clone(),
            client: Client::builder(TokioExecutor::new()).build(rig.connector()),
            script: Mutex::new(Box::new(|_| Fault::None)),
            done: Mutex::default(),
            kill: tokio::sync::Notify::new(),
            orders: tokio::sync::RwLock::new(()),
        });
        let acceptor = TlsAcceptor::from(rig.server());
        let serving = shared.clone();
        let accepting = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, shared) = (acceptor.clone(), serving.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let answer = |request| {
                        let shared = shared.clone();
                        async move { shared.answer(request).await }
                    };
                    let served = http1::Builder::new();
                    let _ = served.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
                });
            }
        });
        Self {
            directory: format!("https://127.0.0.1:{port}/dir"),
            root: rig.root.clone(),
            shared,
            _accepting: AbortOnDropHandle::new(accepting),
        }
    }

    /// From the next call on, this decides by its path.
    pub(crate) fn follow(&self, script: impl FnMut(&str) -> Fault + Send + 'static) {
        *self.shared.script.lock().unwrap() = Box::new(script);
    }

    /// Forgets what was done.
    pub(crate) fn forget(&self) {
        self.shared.done.lock().unwrap().clear();
    }

    /// How many calls to paths with this in them the authority carried out.
    pub(crate) fn done(&self, part: &str) -> usize {
        self.shared.done.lock().unwrap().iter().filter(|path| path.contains(part)).count()
    }

    /// A call came with which its caller is to die.
    pub(crate) async fn killed(&self) {
        self.shared.kill.notified().await;
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

impl Shared {
    async fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Cut> {
        // Nonces and the directory have no effect.
        let is_call = request.method() == Method::POST;
        let path = request.uri().path().to_owned();
        let fault = if is_call { (self.script.lock().unwrap())(&path) } else { Fault::None };
        match fault {
            Fault::None => self.pass_on(request).await,
            Fault::ResetBefore => Err(Cut),
            Fault::Answer(status) => {
                let answer = Response::builder().status(status).header(RETRY_AFTER, "1");
                Ok(answer.body(Full::default()).unwrap())
            }
            Fault::ResetAfter => {
                self.pass_on(request).await?;
                Err(Cut)
            }
            Fault::KillBefore => {
                self.kill.notify_one();
                std::future::pending().await
            }
            Fault::KillAfter => {
                self.pass_on(request).await?;
                self.kill.notify_one();
                std::future::pending().await
            }
        }
    }

    async fn pass_on(
        self: &Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Cut> {
        let (mut head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        // The authority makes addresses from the host that it was asked by: ours.
        let host = head.headers[HOST].clone();
        head.uri = format!("https://{}{path}", self.to).parse().unwrap();
        head.headers.insert(HOST, host);
        let request = Request::from_parts(head, Full::new(body));
        // To its end, although its caller may be gone by then.
        tokio::spawn(self.clone().carry_out(path, request)).await.map_err(|_| Cut)?
    }

    async fn carry_out(
        self: Arc<Self>,
        path: String,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Full<Bytes>>, Cut> {
        let (_one, _many);
        if path == NEW_ORDER {
            _one = self.orders.write().await;
        } else {
            _many = self.orders.read().await;
        }
        let answer = self.client.request(request).await.map_err(|_| Cut)?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        if head.status.is_success() {
            self.done.lock().unwrap().push(path);
        }
        Ok(Response::from_parts(head, Full::new(body)))
    }
}
