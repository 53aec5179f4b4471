//! The accept loop: bounded connections, bounded waits, a graceful end.
//!
//! `axum::serve` installs no timer, so hyper's own header timeout would never fire; this loop does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;
use tower::util::MapRequest;
use tower_http::timeout::TimeoutBody;

/// The other end of the connection a request came on; each request carries it as an extension.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Over TLS, the name it asked for; a request must name the same host.
    pub tls_name: Option<Arc<str>>,
}

/// How a listener speaks.
#[derive(Clone)]
pub enum Transport {
    /// HTTP as it is.
    Plain,
    /// HTTP over TLS.
    Tls(TlsAcceptor),
}

impl Transport {
    /// HTTP over TLS with these settings.
    pub fn tls(config: Arc<ServerConfig>) -> Self {
        Self::Tls(TlsAcceptor::from(config))
    }
}

/// What one listener allows.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once; further ones wait in the kernel's queue.
    pub connections: usize,
    /// Until the whole request head, or the TLS handshake, must have arrived.
    pub head: Duration,
    /// The longest silence in the middle of a request's body.
    pub body: Duration,
    /// How long running answers may take to finish after the stop was asked for.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            head: Duration::from_secs(15),
            body: Duration::from_secs(30),
            drain: Duration::from_secs(5),
        }
    }
}

/// Serves `router` on `listener` until `stop` is cancelled, then lets running answers finish for
/// at most `limits.drain`.
pub async fn serve(
    listener: TcpListener,
    transport: Transport,
    router: Router,
    stop: CancellationToken,
    limits: Limits,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let running = GracefulShutdown::new();
    let server = server(limits);
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => match place {
                Ok(place) => place,
                Err(_closed) => break,
            },
        };
        let (stream, address) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file handles, mostly: give the running ones a moment to end.
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "could not set TCP_NODELAY");
        }
        let (server, router, watcher) = (server.clone(), router.clone(), running.watcher());
        match &transport {
            Transport::Plain => {
                let peer = Peer { address, tls_name: None };
                let server = server.http1_only();
                tokio::spawn(async move {
                    connection(&server, limits, stream, peer, router, watcher).await;
                    drop(place);
                });
            }
            Transport::Tls(acceptor) => {
                let handshake = acceptor.accept(stream);
                tokio::spawn(async move {
                    // A visitor who never speaks is let go here too.
                    if let Ok(Ok(stream)) = tokio::time::timeout(limits.head, handshake).await {
                        let tls = stream.get_ref().1;
                        let tls_name = tls.server_name().map(Arc::from);
                        let server = match tls.alpn_protocol() {
                            Some(b"h2") => server.http2_only(),
                            _ => server.http1_only(),
                        };
                        let peer = Peer { address, tls_name };
                        connection(&server, limits, stream, peer, router, watcher).await;
                    }
                    drop(place);
                });
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(limits.drain, running.shutdown()).await.is_err() {
        tracing::info!("some answers were still running when the time to stop was up");
    }
}

fn server(limits: Limits) -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(limits.head).max_headers(100);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(100)
        .max_pending_accept_reset_streams(20)
        .keep_alive_interval(Duration::from_secs(20));
    server
}

/// The version is always known beforehand: detecting it by the first bytes has no time limit, so
/// a visitor who sends none would stay for ever.
async fn connection<S>(
    server: &auto::Builder<TokioExecutor>,
    limits: Limits,
    stream: S,
    peer: Peer,
    router: Router,
    watcher: Watcher,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = MapRequest::new(router, move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        request.map(|body| Body::new(TimeoutBody::new(limits.body, body)))
    });
    let connection = server
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::post;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_visitor_who_never_finishes_the_head_is_let_go() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let moment = Duration::from_millis(100);
        let limits = Limits { head: moment, body: moment, ..Limits::default() };
        let router = Router::new().route("/", post(|said: String| async { said }));
        let server = tokio::spawn(serve(listener, Transport::Plain, router, stop.clone(), limits));

        let beginnings: [&[u8]; 4] = [
            b"",
            b"PRI * HT",
            b"GET / HTTP/1.1\r\nhost: x\r\n",
            b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf",
        ];
        for beginning in beginnings {
            let mut slow = TcpStream::connect(address).await.unwrap();
            slow.write_all(beginning).await.unwrap();
            let mut rest = Vec::new();
            let read =
                tokio::time::timeout(Duration::from_secs(5), slow.read_to_end(&mut rest)).await;
            let beginning = String::from_utf8_lossy(beginning);
            assert!(read.is_ok(), "stays open for ever: {beginning:?}");
        }

        stop.cancel();
        server.await.unwrap();
    }
}
