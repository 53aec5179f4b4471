//! One connection, from its first request to its last.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::{Body as HttpBody, Incoming};
use hyper::rt::{Read, Write};
use hyper::server::conn::{http1, http2};
use hyper::service::HttpService;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tower::util::MapRequest;
use tower_http::timeout::TimeoutBody;

use super::{BUFFER, Limits, Peer, TakenPlace};

/// A visitor, and what it may do.
pub(super) struct Visit {
    pub(super) peer: Peer,
    pub(super) place: TakenPlace,
    pub(super) limits: Limits,
    pub(super) stop: CancellationToken,
}

/// The version is always known beforehand: detecting it by the first bytes has no time limit, so
/// a visitor who sends none would stay for ever.
#[derive(Clone, Copy)]
pub(super) enum Version {
    One,
    Two,
}

impl Visit {
    pub(super) async fn serve<S>(self, stream: S, version: Version, router: Router)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { peer, place, limits, stop } = self;
        let asked = LastAsked::now();
        let last = asked.clone();
        let service = MapRequest::new(router, move |mut request: Request<Incoming>| {
            last.renew();
            request.extensions_mut().insert(peer.clone());
            request.extensions_mut().insert(place.clone());
            request.map(|body| Body::new(TimeoutBody::new(limits.body, body)))
        });
        let service = TowerToHyperService::new(service);
        let stream = TokioIo::new(stream);
        let ended = match version {
            Version::One => {
                let connection = first(limits).serve_connection(stream, service);
                let connection = Box::pin(connection.with_upgrades());
                until_told(connection, stop.cancelled()).await
            }
            Version::Two => {
                let connection = Box::pin(second().serve_connection(stream, service));
                let told = async {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = asked.until_idle(limits.idle) => {}
                    }
                };
                until_told(connection, told).await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

fn first(limits: Limits) -> http1::Builder {
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_headers(100)
        .max_buf_size(BUFFER);
    server
}

fn second() -> http2::Builder<TokioExecutor> {
    let mut server = http2::Builder::new(TokioExecutor::new());
    server
        .timer(TokioTimer::new())
        .max_concurrent_streams(100)
        .max_pending_accept_reset_streams(20)
        // What may come of a request that nobody reads yet, for each, and for a connection.
        .initial_stream_window_size(64 << 10)
        .initial_connection_window_size(128 << 10)
        // Of what waits to be taken so much is kept for each stream: a visitor has a hundred.
        .max_send_buf_size(32 << 10)
        .keep_alive_interval(Duration::from_secs(20));
    server
}

/// To its end; once told to stop, it takes no further requests.
async fn until_told<C: Connection>(
    mut connection: Pin<Box<C>>,
    told: impl Future<Output = ()>,
) -> hyper::Result<()> {
    tokio::select! {
        ended = &mut connection => return ended,
        () = told => connection.as_mut().last_request(),
    }
    connection.await
}

/// When something was asked on a connection for the last time.
#[derive(Clone)]
struct LastAsked {
    opened: Instant,
    /// Milliseconds after that.
    after: Arc<AtomicU64>,
}

impl LastAsked {
    fn now() -> Self {
        Self { opened: Instant::now(), after: Arc::default() }
    }

    fn renew(&self) {
        let after = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.after.store(after, Ordering::Relaxed);
    }

    /// Waits until nothing was asked for so long.
    async fn until_idle(&self, longest: Duration) {
        loop {
            let last = self.opened + Duration::from_millis(self.after.load(Ordering::Relaxed));
            let until = last + longest;
            if Instant::now() >= until {
                return;
            }
            sleep_until(until).await;
        }
    }
}

/// What both versions of HTTP have.
trait Connection: Future<Output = hyper::Result<()>> {
    fn last_request(self: Pin<&mut Self>);
}

impl<I, B, S> Connection for http1::UpgradeableConnection<I, S>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: Read + Write + Unpin + Send + 'static,
    B: HttpBody + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn last_request(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, B, S> Connection for http2::Connection<I, S, TokioExecutor>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: Read + Write + Unpin + 'static,
    B: HttpBody + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn last_request(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
