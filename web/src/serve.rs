//! The accept loop: bounded connections, bounded waits, a graceful end.
//!
//! `axum::serve` installs no timer, so hyper's own header timeout would never fire; this loop does.
//! Whoever comes when all [`Places`] are taken is refused at once: a connection accepted and left
//! waiting would hold a file descriptor all the same.

mod complaint;
mod connection;
mod places;
mod proxies;
mod secure;

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::complaint::Complaint;
use self::connection::{Version, Visit};
pub use self::places::{Places, TakenPlace, as_one};
pub use self::proxies::{Networks, Proxies};
pub use self::secure::{Asked, ByName, Secured};

/// What a visitor too many gets over plain HTTP; over TLS, saying it would cost a handshake.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: text/plain; charset=utf-8\r\n\
    retry-after: 10\r\n\
    connection: close\r\n\r\n\
    Too many connections are open at the moment. Try again in a few seconds.\n";

/// What is kept of a request's head, of an answer that waits to be taken, and of it encrypted, each,
/// in bytes: as much as Node allows a head, and one record of TLS.
const BUFFER: usize = 16 << 10;
/// After so much silence the other end's machine is asked whether it is still there, so often, at
/// such intervals.
const SILENCE: Duration = Duration::from_mins(1);
const TIMES: u32 = 4;
const ASKS: Duration = Duration::from_secs(15);

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
    Tls(Secured),
}

impl Transport {
    /// HTTP over TLS with these settings.
    pub fn tls(config: Arc<ServerConfig>) -> Self {
        Self::Tls(Secured::One(TlsAcceptor::from(config)))
    }

    /// HTTP over TLS with settings that are chosen for each visitor.
    pub fn tls_by_name(names: Arc<dyn ByName>) -> Self {
        Self::Tls(Secured::ByName(names))
    }
}

/// What the listeners that share their places allow.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once, over all these listeners; a further one is refused. Each takes a file
    /// descriptor, so leave some of the process's for all else.
    pub connections: usize,
    /// How many of them one address may hold, a /64 of IPv6 counting as one. Proxies may hold more:
    /// [`Places::behind`].
    pub from_one_address: usize,
    /// How many of them this machine itself may hold: everybody on a laptop, or a proxy here.
    pub from_this_machine: usize,
    /// Until the whole request head, or the TLS handshake, must have arrived.
    pub head: Duration,
    /// The longest silence in the middle of a request's body.
    pub body: Duration,
    /// How long the other end may take nothing of what waits to be sent. Where nothing waits, as
    /// in a stream between two events, no time runs.
    pub write: Duration,
    /// How long nothing may be asked on a connection of HTTP/2 until it takes no further requests;
    /// answers that are on their way go on. With HTTP/1.1 it is `head`, as one request follows the
    /// other.
    pub idle: Duration,
    /// How long running answers may take to finish after the stop was asked for.
    pub drain: Duration,
}

impl Limits {
    /// So many connections: a quarter of them at most for one address, three quarters for this
    /// machine.
    pub fn of(connections: usize) -> Self {
        Self {
            connections,
            from_one_address: connections.div_ceil(4),
            from_this_machine: connections - connections / 4,
            head: Duration::from_secs(15),
            body: Duration::from_secs(30),
            write: Duration::from_secs(30),
            idle: Duration::from_mins(5),
            drain: Duration::from_secs(5),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::of(4096)
    }
}

/// Serves `router` on `listener` until `stop` is cancelled, then lets running answers finish for
/// at most their `drain`.
pub async fn serve(
    listener: TcpListener,
    transport: Transport,
    router: Router,
    stop: CancellationToken,
    places: Places,
) {
    let limits = places.limits();
    let running = TaskTracker::new();
    let (mut broken, mut full) = (Complaint::default(), Complaint::default());
    loop {
        let (stream, address) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    broken.not_accepted(&error).await;
                    continue;
                }
            },
        };
        let Some(place) = places.take(address.ip()) else {
            if let Some(times) = full.once_more(Instant::now()) {
                tracing::warn!(times, "all places for connections are taken: refused some");
            }
            refuse(stream, &transport);
            continue;
        };
        let set = stream.set_nodelay(true).and_then(|()| ask_whether_there(&stream));
        if let Err(error) = set {
            tracing::debug!(%error, "could not say how a connection is to be");
        }
        // Under TLS, since only here is seen what the other end takes.
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(limits.write));
        let stream = Box::pin(stream);
        let (router, stop) = (router.clone(), stop.clone());
        match &transport {
            Transport::Plain => {
                let visit = Visit { peer: Peer { address, tls_name: None }, place, limits, stop };
                running.spawn(visit.serve(stream, Version::One, router));
            }
            Transport::Tls(secured) => {
                let secured = secured.clone();
                running.spawn(async move {
                    // Each step in a place of its own: a connection that never gets that far does
                    // not take the room for it.
                    let handshake = async {
                        stream.get_ref().readable().await?;
                        Box::pin(secured.accept(stream)).await
                    };
                    // A visitor who never speaks is let go here too.
                    let Ok(Ok(stream)) = tokio::time::timeout(limits.head, handshake).await else {
                        return;
                    };
                    let tls = stream.get_ref().1;
                    let tls_name = tls.server_name().map(|name| name.to_ascii_lowercase().into());
                    let version = match tls.alpn_protocol() {
                        Some(b"h2") => Version::Two,
                        Some(b"http/1.1") | None => Version::One,
                        // The handshake was all that was wanted.
                        Some(_) => return,
                    };
                    let peer = Peer { address, tls_name };
                    let visit = Visit { peer, place, limits, stop };
                    Box::pin(visit.serve(stream, version, router)).await;
                });
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(limits.drain, ended(&running)).await.is_err() {
        tracing::info!("some answers were still running when the time to stop was up");
    }
}

async fn ended(running: &TaskTracker) {
    running.close();
    running.wait().await;
}

/// Who vanished without a word is not kept for ever.
fn ask_whether_there(stream: &TcpStream) -> std::io::Result<()> {
    let asks = TcpKeepalive::new().with_time(SILENCE).with_interval(ASKS).with_retries(TIMES);
    SockRef::from(stream).set_tcp_keepalive(&asks)
}

/// Closes it, without waiting for anything.
fn refuse(stream: TcpStream, transport: &Transport) {
    if matches!(transport, Transport::Plain) {
        // The socket stays one that does not block, and is new, so the few bytes fit.
        let said = stream.into_std().and_then(|mut stream| stream.write_all(FULL));
        if let Err(error) = said {
            tracing::debug!(%error, "a visitor too many was not told so");
        }
    }
}

#[cfg(test)]
mod tests;
