//! A proxy before a Postgres: a free port of 127.0.0.1, without TLS.
//!
//! What can be hit is a trip: what a client sends until it waits for the server, a simple query or
//! an extended one with its `Sync`. The server has carried it out when it says that it is ready
//! for the next.

mod frame;
mod statements;
mod trip;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use self::trip::Trip;

use crate::listen;
use crate::tally::{Tally, locked};

/// Connecting to a server of this machine.
const CONNECT: Duration = Duration::from_secs(5);

/// What becomes of a trip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// It passes.
    #[default]
    None,
    /// The connection is reset; what waits for the trip's end is not carried out.
    CutBefore,
    /// The server carries it out; then the connection is reset.
    CutAfter,
    /// The server does not hear its end, and no answer comes.
    HangBefore,
    /// The server carries it out, and no answer comes.
    HangAfter,
}

type Script = Box<dyn FnMut(&Trip) -> Fault + Send>;

/// The proxy; it ends when this is dropped, and so do its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<Infallible>,
}

struct Shared {
    server: SocketAddr,
    script: Mutex<Script>,
    tally: Tally<Trip>,
    refuses: AtomicBool,
    connections: AtomicU64,
    cuts: watch::Sender<u64>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("tally", &self.tally).finish_non_exhaustive()
    }
}

impl Proxy {
    /// Starts before this server; until a script is followed, everything passes.
    pub async fn before(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(crate::ANY_PORT).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            server,
            script: Mutex::new(Box::new(crate::script::nothing())),
            tally: Tally::new(),
            refuses: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            cuts: watch::Sender::new(0),
        });
        let accepting = {
            let shared = Arc::clone(&shared);
            let serve = move |stream| serve(stream, Arc::clone(&shared));
            tokio::spawn(listen::each(listener, serve))
        };
        Ok(Self { address, shared, accepting })
    }

    /// Where the program under test finds its server.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From the next trip on, this decides.
    pub fn follow(&self, script: impl FnMut(&Trip) -> Fault + Send + 'static) {
        *locked(&self.shared.script) = Box::new(script);
    }

    /// Whether new connections are reset at once.
    pub fn refuse(&self, refuse: bool) {
        self.shared.refuses.store(refuse, Ordering::Relaxed);
    }

    /// Resets all connections that there are.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Every trip since the start or since all was forgotten, in the order in which they began.
    pub fn trips(&self) -> Vec<Trip> {
        self.shared.tally.all()
    }

    /// Forgets the trips so far, and the faults.
    pub fn forget(&self) {
        self.shared.tally.forget();
    }

    /// Waits until so many faults have been carried out. A trip that hangs has been hit when it
    /// begins to hang.
    pub async fn struck(&self, n: usize) {
        self.shared.tally.struck(n).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// How a connection came to its end.
enum End {
    /// One side left.
    InOrder,
    /// To be reset.
    Cut,
}

async fn serve(mut client: TcpStream, shared: Arc<Shared>) {
    let mut cuts = shared.cuts.subscribe();
    let end = if shared.refuses.load(Ordering::Relaxed) {
        Ok(End::Cut)
    } else {
        tokio::select! {
            end = trip::carry(&mut client, &shared) => end,
            _ = cuts.changed() => Ok(End::Cut),
        }
    };
    if let Ok(End::Cut) = end {
        // Without it the end is in order, which the client takes for a failure too.
        let _ = client.set_zero_linger();
    }
}

impl Shared {
    async fn connect(&self) -> io::Result<TcpStream> {
        let server = tokio::time::timeout(CONNECT, TcpStream::connect(self.server)).await??;
        server.set_nodelay(true)?;
        Ok(server)
    }

    fn number_of_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    fn decide(&self, trip: Trip) -> Fault {
        let fault = (locked(&self.script))(&trip);
        self.tally.add(trip);
        fault
    }
}
